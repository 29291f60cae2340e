"""Validators as ``last_modified=``: the time since which their version has been what it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse

from notmodified.decorators import last_modified
from notmodified.http.dates import parse_date
from notmodified.validators import Validator, combine, content, field, table, token
from tests.helpers import request
from tests.site.models import Book

pytestmark = pytest.mark.django_db(transaction=True)

VALIDATORS: dict[str, Any] = {
    "content": content,
    "field": lambda: field(Book),
    "token": lambda: token(lambda request: [Book], name="books"),
    "table": lambda: table(Book),
    "combine": lambda: combine(field(Book), table(Book)),
}


@pytest.fixture(autouse=True)
def shared(settings: Any) -> Iterator[None]:
    settings.NOTMODIFIED = {"CACHE": "database", "WATCH": ["site.Book"]}
    yield
    caches["database"].clear()


@pytest.fixture(params=VALIDATORS)
def page(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    validator: Validator = VALIDATORS[request.param]()

    @last_modified(validator)
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(", ".join(Book.objects.values_list("title", flat=True)))

    return page


def time_of(page: Any, monkeypatch: pytest.MonkeyPatch, after: float) -> str:
    """The page's Last-Modified, asked for so many seconds later, when it has settled."""
    now = time.time() + after
    with monkeypatch.context() as moved:
        for seconds in (0, 3):
            moved.setattr(time, "time", lambda: now + seconds)  # noqa: B023
            answer = page(request())
        value = answer.headers["Last-Modified"]
        # A 200 with this time has been seen, so the view need not run.
        page(request(if_modified_since=value))
        assert page(request(if_modified_since=value)).status_code == 304
    return str(value)


def test_it_stays_while_nothing_changes(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Book.objects.create(title="a")
    assert time_of(page, monkeypatch, 0) == time_of(page, monkeypatch, 20)


def test_c11_a_deletion_moves_it_too(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest row's own time would not."""
    Book.objects.create(pk=1, title="a")
    Book.objects.create(pk=2, title="b")
    first = time_of(page, monkeypatch, 0)
    Book.objects.filter(pk=1).delete()
    second = time_of(page, monkeypatch, 20)
    assert (parse_date(second) or 0) > (parse_date(first) or 0)
