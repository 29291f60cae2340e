"""In front of Django: the same answers as the middleware's, over WSGI and ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from notmodified import asgi, wsgi
from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS
from tests.site.models import Shelf

pytestmark = pytest.mark.usefixtures("log")

Answer = tuple[int, dict[str, str], bytes]


class Recorded:
    """Counts the requests that Django gets."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self.requests = 0

    def __call__(self, *args: Any) -> Any:
        self.requests += 1
        return self._application(*args)


class OverWsgi:
    def __init__(self) -> None:
        self.django = Recorded(WSGIHandler())
        self._application = wsgi.NotModifiedApplication(self.django)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        from wsgiref.util import setup_testing_defaults

        environ: dict[str, Any] = {"PATH_INFO": path.encode().decode("latin-1"), "HTTP_HOST": "x"}
        environ["REQUEST_METHOD"] = method
        for name, value in headers.items():
            environ[f"HTTP_{name.upper()}"] = value
        setup_testing_defaults(environ)
        answer: list[Any] = []
        body = self._application(
            environ, lambda status, fields, *rest: answer.extend([status, fields])
        )
        content = b"".join(body)
        getattr(body, "close", lambda: None)()
        return int(answer[0].split()[0]), dict(answer[1]), content


class OverAsgi:
    def __init__(self) -> None:
        self.django = Recorded(ASGIHandler())
        self._application = asgi.NotModifiedApplication(self.django)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        fields = [(b"host", b"x")]
        fields += [
            (name.lower().replace("_", "-").encode(), value.encode())
            for name, value in headers.items()
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": fields,
            "scheme": "http",
            "server": ("x", 80),
            "client": ("127.0.0.1", 5),
            "root_path": "",
        }
        sent: list[Any] = []
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            if not requests:
                await asyncio.sleep(60)  # until Django has answered, and hangs up itself
            return requests.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self._application(scope, receive, send))
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:])


@pytest.fixture(params=[OverWsgi, OverAsgi])
def server(request: Any) -> Iterator[Any]:
    RUNS.clear()
    with override_settings(
        ROOT_URLCONF="tests.automatic.visits",
        MIDDLEWARE=DEFAULT_MIDDLEWARE,
        NOTMODIFIED={"CACHE_STATUS": True},
    ):
        yield request.param()


def test_a_return_visit_does_not_reach_django(server: Any) -> None:
    Shelf.objects.create(pk=1, name="a")
    status, fields, content = server.get("/shelf/1/")
    assert (status, content) == (200, b"shelf ['a']")
    again, repeated, nothing = server.get("/shelf/1/", If_None_Match=fields["ETag"])
    assert (again, nothing, server.django.requests) == (304, b"", 1)
    assert repeated["ETag"] == fields["ETag"]
    assert set(fields) - set(repeated) <= {"Content-Type", "Content-Length"}
    assert repeated["Cache-Status"].startswith("notmodified; hit")


def test_head_too(server: Any) -> None:
    tag = server.get("/constant/")[1]["ETag"]
    assert server.get("/constant/", "HEAD", If_None_Match=tag)[0] == 304
    assert server.django.requests == 1


def test_a_write_lets_the_next_request_through(server: Any) -> None:
    Shelf.objects.create(pk=1, name="a")
    tag = server.get("/shelf/1/")[1]["ETag"]
    Shelf.objects.update(name="b")
    status, fields, content = server.get("/shelf/1/", If_None_Match=tag)
    assert (status, content) == (200, b"shelf ['b']")
    assert server.get("/shelf/1/", If_None_Match=fields["ETag"])[0] == 304
    assert server.django.requests == 2


@pytest.mark.parametrize("headers", [{}, {"If_None_Match": '"other"'}, {"Cookie": "a=b"}])
def test_what_no_record_answers_reaches_django(server: Any, headers: dict[str, str]) -> None:
    server.get("/constant/")
    assert server.get("/constant/", **headers)[0] == 200
    assert server.django.requests == 2


def test_a_path_that_django_reads_otherwise_than_it_stands_there(server: Any) -> None:
    """The bytes of one path are the characters of another."""
    tag = server.get("/named/é/")[1]["ETag"]
    assert server.get("/named/é/", If_None_Match=tag)[0] == 304
    assert RUNS["/named/é/"] == 1
