"""One raw HTTP/1.1 exchange at a time, over http or https.

Rules of this module:

- Any octets may stand in a field value that is sent, and a name may be sent on several lines.
- Nothing received is hidden: field lines stay apart and in order, and octets that follow the header
  section of an answer to HEAD, or of a 204 or 304, are counted.
- Everything is bounded: the time of an exchange, the header section, the content that is read. Of
  the content only length and hash are kept.
- Redirects are not followed; each exchange has its own connection.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from time import monotonic
from typing import TypeAlias
from urllib.parse import quote, urlsplit

FieldLine: TypeAlias = tuple[str, str | bytes]

_MAX_HEADER_OCTETS = 256 * 1024
_MAX_CONTENT_OCTETS = 4 * 1024 * 1024
# How long to wait for octets that must not come, if the server leaves the connection open.
_LINGER_SECONDS = 0.5


class NoAnswer(Exception):
    """No complete response came: refused, timed out, closed, or not HTTP."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """The target that `url` names; `ValueError` says why it names none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"not an http or https URL: {url!r}")
        if not parts.hostname:
            raise ValueError(f"no host in {url!r}")
        if parts.username is not None:
            raise ValueError("credentials belong into --header 'Authorization: …', not into a URL")
        host = parts.hostname
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        if parts.query:
            path += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~")
        return cls(parts.scheme, host, parts.port or (443 if parts.scheme == "https" else 80), path)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def sibling(self, name: str) -> Target:
        """The target beside this one whose last path segment is `name`."""
        folder = self.path.partition("?")[0].rpartition("/")[0]
        return replace(self, path=f"{folder}/{name}")


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept of content: enough to see whether it is the same."""

    length: int
    digest: bytes
    complete: bool


@dataclass(frozen=True, slots=True)
class Response:
    """A response; of HEAD, 204 and 304, `content` is what should not have been there."""

    status: int
    fields: tuple[tuple[str, str], ...]
    content: Content

    def values(self, name: str) -> list[str]:
        """The values of each field line called `name`."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        """The field's value, its lines combined (RFC 9110 §5.3)."""
        values = self.values(name)
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests that all carry `headers`, each answered within `timeout` seconds."""

    headers: Sequence[FieldLine] = ()
    timeout: float = 10.0

    def send(
        self,
        target: Target,
        method: str,
        fields: Sequence[FieldLine] = (),
        *,
        content: bytes | None = None,
        omit: Collection[str] = (),
    ) -> Response:
        """One exchange; `fields` replace the client's own of the same name.

        `omit` names, in lower case, fields that are not sent at all.
        """
        lines = _layered(
            [
                ("Host", target.authority),
                # Bytes that can be compared, unless the user tells otherwise.
                ("Accept-Encoding", "identity"),
                ("User-Agent", "notmodified-conformance"),
            ],
            self.headers,
            fields,
        )
        lines = [line for line in lines if line[0].lower() not in omit]
        if content is not None:
            lines.append(("Content-Length", str(len(content))))
        lines.append(("Connection", "close"))
        message = f"{method} {target.path} HTTP/1.1\r\n".encode("ascii")
        message += b"".join(
            name.encode("ascii") + b": " + _octets(value) + b"\r\n" for name, value in lines
        )
        deadline = monotonic() + self.timeout
        try:
            with self._connect(target) as connection:
                # A server may answer and close before it has read everything.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(message + b"\r\n" + (content or b""))
                return _receive(_Stream(connection, deadline), method)
        except OSError as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    def _connect(self, target: Target) -> socket.socket:
        connection = socket.create_connection((target.host, target.port), self.timeout)
        if target.scheme == "http":
            return connection
        try:
            return _tls().wrap_socket(connection, server_hostname=target.host)
        except BaseException:
            connection.close()
            raise


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _layered(*layers: Sequence[FieldLine]) -> list[FieldLine]:
    """All field lines, those of a later layer replacing the same names of earlier ones."""
    lines: list[FieldLine] = []
    for layer in layers:
        names = {name.lower() for name, _ in layer}
        lines = [line for line in lines if line[0].lower() not in names]
        lines += layer
    return lines


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("iso-8859-1")


class _Stream:
    """What a connection gives, in lines and in pieces, until `deadline`."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._buffer = b""

    def hurry(self, seconds: float) -> None:
        self._deadline = min(self._deadline, monotonic() + seconds)

    def _fill(self) -> bool:
        remaining = self._deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(remaining)
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)

    def line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEADER_OCTETS:
                raise NoAnswer("a line without end")
            if not self._fill():
                raise NoAnswer("the connection was closed without a complete response")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def pieces(self, size: int | None) -> Iterator[bytes]:
        """The next `size` octets, or everything to the end; fewer if the connection ends."""
        while size is None or size > 0:
            if not self._buffer and not self._fill():
                return
            piece = self._buffer[:size]
            self._buffer = self._buffer[len(piece) :]
            if size is not None:
                size -= len(piece)
            yield piece


def _receive(stream: _Stream, method: str) -> Response:
    status, fields = _header_section(stream)
    while 100 <= status < 200:
        status, fields = _header_section(stream)
    response = Response(status, tuple(fields), Content(0, b"", True))
    if method == "HEAD" or status in (204, 304):
        stream.hurry(_LINGER_SECONDS)
        content = _surplus(stream)
    else:
        content = _content(stream, response)
    return replace(response, content=content)


def _header_section(stream: _Stream) -> tuple[int, list[tuple[str, str]]]:
    version, _, rest = stream.line().decode("iso-8859-1").partition(" ")
    digits = rest.partition(" ")[0]
    if not version.startswith("HTTP/1.") or len(digits) != 3 or not digits.isdecimal():
        raise NoAnswer("not an HTTP/1.1 response")
    fields: list[tuple[str, str]] = []
    octets = 0
    while line := stream.line().decode("iso-8859-1"):
        octets += len(line)
        if octets > _MAX_HEADER_OCTETS:
            raise NoAnswer("a header section without end")
        if line[0] in " \t" and fields:  # obs-fold
            name, value = fields.pop()
            fields.append((name, f"{value} {line.strip(' 	')}"))
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise NoAnswer("a header line without a colon")
        fields.append((name, value.strip(" \t")))
    return int(digits), fields


class _Digest:
    """Collects content up to the bound."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._length = 0

    def take(self, pieces: Iterator[bytes]) -> bool:
        """Read `pieces`; whether all of them were within the bound."""
        for piece in pieces:
            self._hash.update(piece)
            self._length += len(piece)
            if self._length >= _MAX_CONTENT_OCTETS:
                return False
        return True

    def content(self, *, complete: bool) -> Content:
        return Content(self._length, self._hash.digest(), complete)


def _surplus(stream: _Stream) -> Content:
    """What follows a header section that should be all there is."""
    digest = _Digest()
    with suppress(OSError):  # an open or reset connection says that nothing more comes
        digest.take(stream.pieces(None))
    return digest.content(complete=True)


def _content(stream: _Stream, response: Response) -> Content:
    codings = response.value("Transfer-Encoding")
    digest = _Digest()
    if codings is not None and codings.lower().rpartition(",")[2].strip() == "chunked":
        return digest.content(complete=_chunks(stream, digest))
    length = response.value("Content-Length")
    if length is None:
        return digest.content(complete=digest.take(stream.pieces(None)))
    if not length.isdecimal():
        raise NoAnswer("Content-Length is not a number")
    digest.take(stream.pieces(int(length)))
    content = digest.content(complete=True)
    return replace(content, complete=content.length == int(length))


def _chunks(stream: _Stream, digest: _Digest) -> bool:
    while True:
        size = stream.line().partition(b";")[0].strip()
        try:
            octets = int(size, 16)
        except ValueError:
            raise NoAnswer("a chunk without a size") from None
        if octets == 0:
            return True
        if not digest.take(stream.pieces(octets)):
            return False
        if stream.line():
            raise NoAnswer("a chunk longer than its size")
