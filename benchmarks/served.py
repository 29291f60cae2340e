"""Each validator's 304 as a client gets it: over HTTP, from gunicorn, on a connection kept alive.

Called by :mod:`benchmarks.validators`, which sets the environment. Prints Markdown.

Rule: the client does as little as it can (bytes made beforehand, one ``recv``), so that what is
compared is the server's work. It has the other core; the cache server shares gunicorn's.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.interleaved import as_markdown, compare
from benchmarks.validators import TARGETS, WITH_SERVER, WITHOUT_TAG, on_one_core, say_target

STARTED_WITHIN = 20.0


@contextmanager
def gunicorn() -> Iterator[tuple[int, int]]:
    """A worker with one thread; its port, and its process. Ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "benchmarks.project:application()"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread"]
    command += ["--threads", "1", "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command)
    try:
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        deadline = time.monotonic() + STARTED_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.05)
        yield port, int(children.read_text().split()[0])
    finally:
        server.terminate()
        server.wait()


def getter(connection: socket.socket, name: str, tag: str = "") -> Callable[[], bytes]:
    """A function that asks for one page, and gives the head of the answer."""
    condition = f"If-None-Match: {tag}\r\n" if tag else ""
    request = f"GET /{name}/ HTTP/1.1\r\nHost: localhost\r\n{condition}\r\n".encode()

    def get() -> bytes:
        connection.sendall(request)
        answer = connection.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        missing = int(length[1]) - len(body) if length and b" 304 " not in head[:20] else 0
        while missing > 0:
            missing -= len(connection.recv(65536))
        return head

    return get


def measure(cache: str) -> None:
    with gunicorn() as (port, worker), on_one_core(worker):
        calls = {}
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for name in WITH_SERVER:
                tag = ""
                if name not in WITHOUT_TAG:
                    tag = re.search(rb"(?i)etag: (\S+)", getter(connection, name)())[1].decode()  # type: ignore[index]
                calls[name] = getter(connection, name, tag)
                calls[name]()
                expected = b"200" if name == "plain" else b"304"
                assert calls[name]().split()[1] == expected, name
            ratios = compare(calls, "empty-304")
    print(f"\n### Over HTTP, tokens in {cache}\n")
    print(as_markdown(ratios, "empty 304 view"))
    if cache in TARGETS:
        say_target(cache, ratios)


if __name__ == "__main__":
    measure(sys.argv[1])
