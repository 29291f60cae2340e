"""Sessions of every engine that Django has: they expire, and they get another key at login."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from notmodified.exchange import automatic
from notmodified.reads.recorder import Recorder
from notmodified.records import store
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site

BEGIN = datetime.datetime(2026, 11, 21, 18, 44, tzinfo=UTC)
ENGINES = ["db", "cached_db", "cache", "signed_cookies"]
ADA = User(pk=1, username="ada", date_joined=BEGIN)


def basket(request: HttpRequest) -> HttpResponse:
    name = request.user.get_username() or "somebody"
    return HttpResponse(f"{name} has {request.session.get('basket', 0)} things")


def fill(request: HttpRequest) -> HttpResponse:
    request.session["basket"] = request.session.get("basket", 0) + 1
    return HttpResponse("")


def enter(request: HttpRequest) -> HttpResponse:
    login(request, User.objects.get(pk=ADA.pk))
    return HttpResponse("")


def shorten(request: HttpRequest) -> HttpResponse:
    request.session.set_expiry(60)
    return HttpResponse("")


urlpatterns = [path(f"{view.__name__}/", counted(view)) for view in (basket, fill, enter, shorten)]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    cache.clear()
    ADA.save(force_insert=True)
    with recorded_site(__name__):
        yield
    cache.clear()


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(BEGIN, tick=False) as traveller:
        yield traveller


def engine(name: str) -> Any:
    return override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{name}")


def member() -> Visitor:
    visitor = Visitor()
    visitor.client.force_login(ADA)
    return visitor


def key_of(visitor: Visitor) -> str:
    return visitor.client.cookies["sessionid"].value


class TestExpiry:
    @pytest.mark.parametrize("name", ENGINES)
    def test_who_is_logged_in_is_until_the_session_expires(self, name: str, clock: Any) -> None:
        with engine(name):
            visitor = member()
            assert visitor.get("/basket/").content == b"ada has 0 things"
            clock.shift(timedelta(days=13))
            assert visitor.is_answered_without_view("/basket/")
            clock.shift(timedelta(days=1, seconds=1))
            assert visitor.get("/basket/").content == b"somebody has 0 things"

    @pytest.mark.parametrize("name", ["db", "cached_db", "cache"])
    def test_a_session_that_says_itself_when_it_does(self, name: str, clock: Any) -> None:
        with engine(name):
            visitor = member()
            visitor.client.get("/shorten/")
            assert visitor.get("/basket/").content == b"ada has 0 things"
            clock.shift(timedelta(seconds=59))
            assert visitor.is_answered_without_view("/basket/")
            clock.shift(timedelta(seconds=2))
            assert visitor.get("/basket/").content == b"somebody has 0 things"

    def test_sessions_in_files_are_not_recorded(self, tmp_path: Path) -> None:
        with engine("file"), override_settings(SESSION_FILE_PATH=str(tmp_path)):
            visitor = member()
            for _ in range(3):
                answer = visitor.get("/basket/")
            assert "not recorded: a file" in answer.headers["Cache-Status"]
            assert RUNS["/basket/"] == 3


class TestLogin:
    @pytest.mark.parametrize("name", ENGINES)
    def test_what_was_there_before_is_no_answer_afterwards(self, name: str) -> None:
        """Django keeps what a session holds, and gives it another key."""
        with engine(name):
            visitor = Visitor()
            visitor.client.get("/fill/")
            before = visitor.get("/basket/")
            assert before.content == b"somebody has 1 things"
            assert visitor.is_answered_without_view("/basket/")
            old = key_of(visitor)
            visitor.client.get("/enter/")
            assert key_of(visitor) != old
            after = visitor.get("/basket/")
            assert after.content == b"ada has 1 things"
            assert visitor.is_answered_without_view("/basket/")

    @pytest.mark.parametrize("name", ENGINES)
    @pytest.mark.parametrize("held", ["before", "after"])
    def test_who_goes_on_with_the_old_cookie(self, name: str, held: str) -> None:
        """Only the engine that keeps sessions in the cookies themselves still knows it."""
        with engine(name):
            visitor, left = Visitor(), Visitor()
            visitor.client.get("/fill/")
            copies = {"before": visitor.get("/basket/")}
            left.client.cookies["sessionid"] = key_of(visitor)
            visitor.client.get("/enter/")
            copies["after"] = visitor.get("/basket/")
            answer = left.get("/basket/", **{"If-None-Match": copies[held].headers["ETag"]})
            if name == "signed_cookies":
                content = copies[held].content if answer.status_code == 304 else answer.content
                assert content == b"somebody has 1 things"
            else:
                assert answer.content == b"somebody has 0 things"

    def test_somebody_else_who_had_the_cookie_of_before(self) -> None:
        visitor, left = Visitor(), Visitor()
        visitor.client.get("/fill/")
        left.client.cookies["sessionid"] = key_of(visitor)
        assert left.get("/basket/").content == b"somebody has 1 things"
        assert left.is_answered_without_view("/basket/")
        visitor.client.get("/enter/")
        assert left.get("/basket/").content == b"somebody has 0 things"


EXPIRES = TestExpiry().test_who_is_logged_in_is_until_the_session_expires
LOGS_IN = TestLogin().test_what_was_there_before_is_no_answer_afterwards
DEFECTS: dict[str, tuple[Any, str, Any, Callable[[Any], None]]] = {
    "values of caches are not read again": (
        store,
        "are_same",
        lambda values: True,
        lambda clock: EXPIRES("cache", clock),
    ),
    "what is signed holds for ever": (
        Recorder,
        "time_shown",
        lambda self, until: None,
        lambda clock: EXPIRES("signed_cookies", clock),
    ),
    "the session is nobody's business": (
        automatic,
        "note_session",
        lambda request, recorder: None,
        lambda clock: LOGS_IN("signed_cookies"),
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, attribute, defect, show = DEFECTS[name]
    monkeypatch.setattr(holder, attribute, defect)
    with pytest.raises(AssertionError):
        show(clock)
