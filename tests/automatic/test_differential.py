"""A site of random pages, with and without the package, between random writes: whatever a visitor
holds after a 304 is what the site without the package shows at that moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from notmodified.reads.memories import forget_memories
from notmodified.records.databases import Database
from tests.automatic.visits import DEFAULT_MIDDLEWARE
from tests.reads import harness

pytestmark = pytest.mark.usefixtures("log")

PAGES = 40
KINDS = [harness.by_sql, harness.by_orm, harness.by_shown, harness.by_related]


def page(request: HttpRequest, seed: int) -> HttpResponse:
    """A page of two queries, which one depends on the number."""
    chance = random.Random(seed)
    queries = [chance.choice(KINDS)(chance) for _ in range(2)]
    return HttpResponse("\n".join(repr(query()) for query in queries))


urlpatterns = [path("<int:seed>/", page)]


class Different(AssertionError):
    """A visitor holds something else than the site shows."""


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    ours = {"HARMLESS": [f"{__name__}.page"]}  # its numbers are those of the address
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=DEFAULT_MIDDLEWARE, NOTMODIFIED=ours):
        yield


def plain(url: str) -> bytes:
    """The page without the package: the view alone."""
    return page(RequestFactory().get(url), int(url.strip("/"))).content


def tour(seed: int, rounds: int) -> tuple[int, int]:
    """Visits between writes. How many answers there were, and how many 304s. Raises Different."""
    chance = random.Random(seed)
    harness.fill(chance)
    client, held = Client(), dict[str, tuple[str, bytes]]()
    answers = short = 0
    for _ in range(rounds):
        with suppress(IntegrityError):
            harness.write(chance)
        forget_memories()  # nobody keeps what a write reads here
        for number in chance.sample(range(PAGES), 10):
            url = f"/{number}/"
            tag = held[url][0] if url in held else '"none"'
            answer = client.get(url, headers={"If-None-Match": tag})
            if answer.status_code == 200:
                held[url] = answer.headers["ETag"], answer.content
            answers += 1
            short += answer.status_code == 304
            if held[url][1] != plain(url):
                raise Different(f"{answer.status_code} {url}: {held[url][1]!r}")
    return answers, short


def test_no_page_differs() -> None:
    answers, short = tour(seed=1, rounds=60)
    assert answers == 600
    assert short > 100  # otherwise nothing has been shown


def _moves_for_nobody(self: Any, keys: Any, position: Any) -> Any:
    return position


def _only_the_first_key(self: Any, keys: Any, position: Any) -> Any:
    return _unmoved(self, list(keys)[:1], position)


_unmoved = Database.unmoved


@pytest.mark.parametrize("mutant", [_moves_for_nobody, _only_the_first_key])
def test_a_defect_would_be_found(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "unmoved", mutant)
    with pytest.raises(Different):
        tour(seed=1, rounds=60)
