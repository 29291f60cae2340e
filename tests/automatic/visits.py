"""Plain views, and a visitor who comes back to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from tests.site.models import Book, Shelf

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


urlpatterns: list[Any] = [
    path("shelf/<int:pk>/", counted(shelf)),
    path("books/", counted(books)),
    path("constant/", counted(constant)),
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
        if "ETag" in response.headers:
            self._tags[url] = response.headers["ETag"]
        return response

    def is_answered_without_view(self, url: str, **headers: str) -> bool:
        """Whether a return visit is a 304 that neither runs the view nor asks the database."""
        before = RUNS[url]
        with queries() as asked:
            response = self.get(url, **headers)
        answered = response.status_code == 304 and RUNS[url] == before
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
