"""Plain views, and a visitor who comes back to them."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone
from django.utils.crypto import get_random_string

from notmodified.recording import depends_on, fresh_for, never_recorded
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere

DEFAULT_MIDDLEWARE = [
    "notmodified.middleware.NotModifiedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

RUNS: Counter[str] = Counter()
"""How often each view has run."""

View = Callable[..., HttpResponse]


@contextmanager
def recorded_site(urlconf: str, **more: Any) -> Iterator[None]:
    """Django's default middleware behind ours, which says why; the views of `urlconf`."""
    RUNS.clear()
    ours = {"CACHE_STATUS": True}
    with override_settings(
        ROOT_URLCONF=urlconf, MIDDLEWARE=DEFAULT_MIDDLEWARE, NOTMODIFIED=ours, **more
    ):
        yield


def counted(view: View) -> View:
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        RUNS[request.path] += 1
        return view(request, *args, **kwargs)

    return run


def shelf(request: HttpRequest, pk: int) -> HttpResponse:
    found = Shelf.objects.filter(pk=pk).values_list("name", flat=True)
    return HttpResponse(f"shelf {list(found)}")


def books(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"books {list(Book.objects.order_by('pk').values_list('title'))}")


def constant(request: HttpRequest) -> HttpResponse:
    return HttpResponse("always the same")


def shelf_and_books(request: HttpRequest, pk: int) -> HttpResponse:
    found = Shelf.objects.get(pk=pk)
    return HttpResponse(f"{found.name}: {[book.title for book in found.books.order_by('pk')]}")


def header(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"{name} is {request.headers.get(name)}")


def header_by_shelf(request: HttpRequest) -> HttpResponse:
    """Which header is read is in a row."""
    return header(request, Shelf.objects.get(pk=1).name)


def cookie(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"{name} is {request.COOKIES.get(name)}")


def by(name: str) -> View:
    """One of the ways to something that no ledger tells of."""
    return lambda request: HttpResponse(f"{name}{WAYS[name](request)}")


def _write(request: HttpRequest) -> str:
    Shelf.objects.update(name="seen")
    return ""


def _in_a_thread(request: HttpRequest) -> str:
    return str(elsewhere(lambda: Shelf.objects.count()))


def _file(request: HttpRequest) -> str:
    return str(len(Path(__file__).with_name("note.txt").read_text()))


def _by_sql(sql: str) -> Callable[[HttpRequest], str]:
    def run(request: HttpRequest) -> str:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return str(len(cursor.fetchall()))

    return run


WAYS: dict[str, Callable[[HttpRequest], Any]] = {
    "time": lambda request: timezone.now().microsecond and "",
    "random": lambda request: len(get_random_string(5)),
    "cache": lambda request: cache.set("x", 1, 60) and "",
    "file": _file,
    "network": lambda request: bool(socket.getaddrinfo("127.0.0.1", 80)),
    "write": _write,
    "thread": _in_a_thread,
    "clock": _by_sql("SELECT CURRENT_TIMESTAMP"),
    "many": lambda request: Shelf.objects.bulk_create([Shelf(name="x"), Shelf(name="y")]),
    "everything": lambda request: dict(request.META) and "",
    "headers": lambda request: len(request.headers),
    "cookies": lambda request: len(request.COOKIES),
    "stream": lambda request: request.META["wsgi.input"] and "",
}
"""Names of what makes a response unprovable, and a way to it."""


def set_cookie(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("x")
    response.set_cookie("seen", "yes")
    return response


async def asynchronous(request: HttpRequest, pk: int) -> HttpResponse:
    RUNS[request.path] += 1
    return HttpResponse(f"shelf {[one.name async for one in Shelf.objects.filter(pk=pk)]}")


def books_now(request: HttpRequest) -> HttpResponse:
    return HttpResponse(books(request).content + by("time")(request).content)


urlpatterns: list[Any] = [
    *(path(f"by/{name}/", counted(by(name))) for name in WAYS),
    path("without/session/", counted(lambda request: HttpResponse(request.session.get("x", "-")))),
    path("without/user/", counted(lambda request: HttpResponse(str(request.user.is_active)))),
    path("books-of/<int:pk>/", counted(shelf_and_books)),
    path("header/<name>/", counted(header)),
    path("header-by-shelf/", counted(header_by_shelf)),
    path("cookie/<name>/", counted(cookie)),
    path("set-cookie/", counted(set_cookie)),
    path("async/<int:pk>/", asynchronous),
    path("never/", counted(never_recorded(constant))),
    path("depends/", counted(depends_on(Book)(constant))),
    path("fresh/", counted(fresh_for(60)(by("time")))),
    path("fresh-books/", counted(fresh_for(60)(books_now))),
    path("fresh-write/", counted(fresh_for(60)(by("write")))),
    path("briefly/", counted(fresh_for(0.05)(by("time")))),
    path("shelf/<int:pk>/", counted(shelf)),
    path("books/", counted(books)),
    path("constant/", counted(constant)),
    path("named/<name>/", counted(lambda request, name: HttpResponse(name))),
]


class Visitor:
    """Comes back with the validators that it was given."""

    def __init__(self, **headers: str) -> None:
        self.client = Client(headers=headers)  # type: ignore[arg-type]
        self._tags: dict[str, str] = {}

    def get(self, url: str, **headers: str) -> Any:
        tag = self._tags.get(url)
        if tag is not None:
            headers = {"If-None-Match": tag, **headers}
        response = self.client.get(url, headers=headers)
        for name in [
            name for name, cookie in self.client.cookies.items() if cookie["max-age"] == 0
        ]:
            del self.client.cookies[name]  # as a browser does
        if "ETag" in response.headers:
            self._tags[url] = response.headers["ETag"]
        return response

    def is_answered_without_view(self, url: str, **headers: str) -> bool:
        """Whether a return visit is a 304 that neither runs the view nor asks the database."""
        before = RUNS[url]
        with queries() as asked:
            response = self.get(url, **headers)
            response.close()
        answered = response.status_code == 304 and RUNS[url] == before
        if not answered:
            print(url, response.headers.get("Cache-Status"))
        assert not (answered and asked)
        return answered


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that the project sends, as ``assertNumQueries`` would count them."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found
