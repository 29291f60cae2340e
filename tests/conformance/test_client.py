"""The client, against servers that say scripted octets."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notmodified.conformance.client import Client, NoAnswer, Response, Target
from tests.conformance.servers import saying

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(*pieces: bytes, method: str = "GET", timeout: float = 10) -> Response:
    with saying(*pieces) as script:
        return Client(timeout=timeout).send(Target.parse(script.url), method)


def request(
    *fields: tuple[str, str | bytes],
    headers: Sequence[tuple[str, str | bytes]] = (),
    omit: Sequence[str] = (),
) -> bytes:
    with saying(b"HTTP/1.1 204 No Content\r\n\r\n") as script:
        Client(headers).send(Target.parse(script.url), "GET", fields, omit=omit)
    return script.requests[0]


class TestTarget:
    @pytest.mark.parametrize(
        ("url", "authority", "path"),
        [
            ("http://example.org", "example.org", "/"),
            ("http://example.org:80/a", "example.org", "/a"),
            ("https://example.org:443/a?b=c#d", "example.org", "/a?b=c"),
            ("https://example.org:80/", "example.org:80", "/"),
            ("http://[::1]:8000/x", "[::1]:8000", "/x"),
            ("http://example.org/ä%20b c?d=é", "example.org", "/%C3%A4%20b%20c?d=%C3%A9"),
            ("http://bücher.example/", "xn--bcher-kva.example", "/"),
        ],
    )
    def test_parse(self, url: str, authority: str, path: str) -> None:
        target = Target.parse(url)
        assert (target.authority, target.path) == (authority, path)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "example.org",
            "ftp://example.org/",
            "http://",
            "http://a:b@example.org/",
            "http://x:y/",
        ],
    )
    def test_no_target(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Target.parse(url)

    def test_sibling(self) -> None:
        target = Target.parse("http://example.org/a/b/c?d/e")
        assert target.sibling("x").path == "/a/b/x"
        assert Target.parse("http://example.org").sibling("x").path == "/x"


class TestRequest:
    def test_any_octets_and_several_lines(self) -> None:
        sent = request(("If-Match", b'"\xff\x01"'), ("If-Match", ""), ("If-Match", "é"))
        assert b'If-Match: "\xff\x01"\r\nIf-Match: \r\nIf-Match: \xe9\r\n' in sent

    def test_the_users_fields_replace_the_clients_and_the_rules_replace_both(self) -> None:
        assert b"Accept-Encoding: identity\r\n" in request()
        own = [("accept-encoding", "br"), ("Cookie", "a=1")]
        assert b"accept-encoding: br\r\nCookie: a=1\r\n" in request(headers=own)
        sent = request(("Accept-Encoding", "gzip"), headers=own)
        assert sent.lower().count(b"accept-encoding") == 1
        assert b"Accept-Encoding: gzip\r\n" in sent

    def test_fields_can_be_left_out(self) -> None:
        assert b"Cookie" not in request(headers=[("Cookie", "a=1")], omit=["cookie"])

    def test_content(self) -> None:
        with saying(b"HTTP/1.1 204 No Content\r\n\r\n") as script:
            Client().send(Target.parse(script.url), "PUT", content=b"")
        assert script.requests[0].startswith(b"PUT /page HTTP/1.1\r\nHost: 127.0.0.1:")
        assert b"Content-Length: 0\r\n" in script.requests[0]


class TestResponse:
    def test_field_lines_stay_apart(self) -> None:
        found = answer(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nX: \xe9 \r\netag:"b"\r\n\r\n')
        assert found.fields == (("ETag", '"a"'), ("X", "é"), ("etag", '"b"'))
        assert found.values("etag") == ['"a"', '"b"']
        assert found.value("ETAG") == '"a", "b"'
        assert found.value("Vary") is None

    def test_folded_lines(self) -> None:
        found = answer(b"HTTP/1.1 200 OK\r\nVary: a,\r\n\t b\r\n\r\n")
        assert found.value("Vary") == "a, b"

    def test_interim_responses_are_passed_over(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        found = answer(early, early, b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nx")
        assert (found.status, found.fields, found.content.length) == (200, (("A", "b"),), 1)

    @pytest.mark.parametrize(
        "message",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
            b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
            b"HTTP/1.0 200\r\n\r\nhello",
            CHUNKED + b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n",
        ],
    )
    def test_content(self, message: bytes) -> None:
        content = answer(message).content
        assert content.digest == hashlib.sha256(b"hello").digest()
        assert (content.length, content.complete) == (5, True)

    def test_content_that_ends_early(self) -> None:
        content = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello").content
        assert (content.length, content.complete) == (5, False)

    def test_long_content_is_not_read_to_the_end(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
        content = answer(head, b"x" * 9_000_000).content
        assert not content.complete
        assert content.length < 5_000_000

    @pytest.mark.parametrize(
        ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"304 Not Modified"), ("GET", b"204 x")]
    )
    def test_surplus_octets_are_seen(self, method: str, status: bytes) -> None:
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
        assert answer(head, method=method).content.length == 0
        assert answer(head + b"hello", method=method).content.length == 5
        assert answer(head, b"hello", method=method).content.length == 5

    @given(
        content=st.binary(max_size=60),
        sizes=st.lists(st.integers(1, 9), min_size=1),
        cuts=st.lists(st.integers(1, 9), min_size=1),
    )
    @settings(max_examples=40, deadline=None)
    def test_chunks_however_they_arrive(
        self, content: bytes, sizes: list[int], cuts: list[int]
    ) -> None:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in pieces(content, sizes))
        message = b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        found = answer(*pieces(message, cuts)).content
        assert (found.length, found.complete) == (len(content), True)
        assert found.digest == hashlib.sha256(content).digest()


def pieces(octets: bytes, sizes: list[int]) -> list[bytes]:
    """`octets` cut into pieces of `sizes`, again and again."""
    cut = []
    while octets:
        for size in sizes:
            if octets:
                cut.append(octets[:size])
                octets = octets[size:]
    return cut


class TestNoAnswer:
    @pytest.mark.parametrize(
        "message",
        [
            b"",
            b"hello\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            CHUNKED + b"x\r\n",
            CHUNKED + b"2\r\nhello\r\n",
            CHUNKED + b"2\r\nh",
            b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000,
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000,
        ],
    )
    def test_not_http(self, message: bytes) -> None:
        with pytest.raises(NoAnswer):
            answer(message)

    def test_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NoAnswer, match="refused"):
            Client().send(Target("http", "127.0.0.1", port, "/"), "GET")

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_silence(self, scheme: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            target = Target(scheme, "127.0.0.1", listener.getsockname()[1], "/")
            started = monotonic()
            with pytest.raises(NoAnswer, match="timed out"):
                Client(timeout=0.2).send(target, "GET")
        assert monotonic() - started < 5

    def test_no_tls(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
            target = Target("https", "127.0.0.1", listener.getsockname()[1], "/")
            asked = pool.submit(Client().send, target, "GET")
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                with pytest.raises(NoAnswer) as raised:
                    asked.result(timeout=5)
        assert isinstance(raised.value.__cause__, ssl.SSLError)


def test_a_connection_left_open_after_a_304_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        target = Target("http", "127.0.0.1", listener.getsockname()[1], "/")
        asked = pool.submit(Client().send, target, "GET")
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            assert asked.result(timeout=5).content.length == 0
