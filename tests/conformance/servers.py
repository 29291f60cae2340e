"""Servers that a test starts on a port of its own, and that are gone when it ends."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Server(ThreadingHTTPServer):
    """Waits for its threads when it is closed, so that none outlives a test."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.errors: list[BaseException] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what a handler raises; a client may have left, and that is no error."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.errors.append(error)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of ``/page`` on a server of `handler`, which may not raise."""
    with Server(handler) as server:
        # A short poll, since shutdown waits for one.
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/page"
        finally:
            server.shutdown()
            thread.join()
    for error in server.errors:
        raise error


@dataclass
class Script:
    """A server that says the same octets to everyone, and keeps what it is asked."""

    url: str
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def saying(*pieces: bytes) -> Iterator[Script]:
    """A server that answers with `pieces`, each sent on its own, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = Script(f"http://127.0.0.1:{listener.getsockname()[1]}/page")
        thread = Thread(target=_say, args=(listener, pieces, script))
        thread.start()
        try:
            yield script
        finally:
            # Wakes the thread out of accept().
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _say(listener: socket.socket, pieces: tuple[bytes, ...], script: Script) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b""
            while b"\r\n\r\n" not in request and (data := connection.recv(65536)):
                request += data
            script.requests.append(request)
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:
                continue
