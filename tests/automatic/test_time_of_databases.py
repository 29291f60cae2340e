"""Queries that compare a column with the time by the clock of the database: their pages are
answered without the view until the next value of the column has come, and no longer.

Rule of this module: nobody can move the clock of a server, so the tests wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from notmodified.reads import recorder, turns
from notmodified.reads.now import DatabaseNow
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.pages import only_on

pytestmark = pytest.mark.usefixtures("log")

SECONDS = 1.5
"""After so many, somebody is to appear."""

BY_SQL = {
    "sqlite": (
        "CURRENT_TIMESTAMP",
        "datetime('now')",
        "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    ),
    "postgresql": ("CURRENT_TIMESTAMP", "now()", "clock_timestamp()", "transaction_timestamp()"),
    "mysql": ("CURRENT_TIMESTAMP", "now()", "NOW(6)"),
}
VIEW: list[Callable[[], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0]()))


urlpatterns = [path("", counted(page))]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(__name__):
        yield


def by_sql(condition: str, what: str = "username") -> Callable[[], Any]:
    def view() -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {what} FROM auth_user WHERE {condition} ORDER BY username", [])
            return [row[0] for row in cursor.fetchall()]

    return view


def by_the_model() -> Any:
    return [*User.objects.filter(date_joined__lte=Now()).values_list("username", flat=True)]


def late_in_a_transaction() -> Any:
    """PostgreSQL's own time is then that of its beginning."""
    with transaction.atomic():
        assert User.objects.count()
        time.sleep(SECONDS / 3)
        return by_the_model() and by_sql("date_joined <= CURRENT_TIMESTAMP")()


def people() -> None:
    """One who is here; one who appears soon, and one who appears late."""
    now = timezone.now()
    for name, joined in {
        "ada": now - timedelta(days=1),
        "bob": now + timedelta(seconds=SECONDS),
        "eve": now + timedelta(days=1),
    }.items():
        User.objects.create(username=name, date_joined=joined)


def appears_in_time() -> None:
    """Whoever is to appear appears then, and until then the view need not run."""
    people()
    begun = time.monotonic()
    visitor, shown, answered = Visitor(), b"", 0
    while b"bob" not in shown:
        runs = RUNS["/"]
        response = visitor.get("/")
        shown = response.content or shown
        answered += response.status_code == 304 and RUNS["/"] == runs
        assert time.monotonic() - begun < SECONDS + 2
    assert time.monotonic() - begun >= SECONDS - 1  # some clocks tell no more than seconds
    assert answered
    # A second may have ended between the question for the time and the query.
    assert any(visitor.is_answered_without_view("/") for _ in range(3))


def test_the_function_of_django() -> None:
    VIEW[:] = [by_the_model]
    appears_in_time()


@pytest.mark.parametrize(
    ("vendor", "expression"), [(vendor, one) for vendor in BY_SQL for one in BY_SQL[vendor]]
)
def test_by_sql(vendor: str, expression: str) -> None:
    only_on(vendor)
    VIEW[:] = [by_sql(f"date_joined <= {expression}")]
    appears_in_time()


def test_late_in_a_transaction() -> None:
    VIEW[:] = [late_in_a_transaction]
    appears_in_time()


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("id > 0", "CURRENT_TIMESTAMP"),
        ("date_joined <= CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("date_joined <= CURRENT_TIMESTAMP OR CURRENT_TIMESTAMP > '2001-01-01'", "username"),
        ("COALESCE(date_joined, last_login) <= CURRENT_TIMESTAMP", "username"),
    ],
)
def test_what_does_more_than_compare_it_is_not_recorded(condition: str, what: str) -> None:
    people()
    VIEW[:] = [by_sql(condition, what)]
    visitor = Visitor()
    assert "does more than compare it, in" in visitor.get("/").headers["Cache-Status"]
    assert not visitor.is_answered_without_view("/")


def test_a_date_is_not_recorded() -> None:
    """It is compared otherwise than it is held."""
    only_on("sqlite")
    people()
    VIEW[:] = [by_sql("date_joined <= CURRENT_DATE")]
    visitor = Visitor()
    visitor.get("/")
    assert not visitor.is_answered_without_view("/")


def test_another_time_zone_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    only_on("mysql")
    people()
    monkeypatch.setitem(turns._CLOCK, "mysql", "NOW(6), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
    VIEW[:] = [by_the_model]
    assert "not set to UTC" in Visitor().get("/").headers["Cache-Status"]


def test_a_clock_that_goes_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is when it is that time there."""
    second = 1_000_000.0
    told: list[float | None] = []

    class Clocked:
        def time_shown(self, until: float | None) -> None:
            told.append(until)

    DatabaseNow("", 30.0, Clocked()).until(second)
    assert told == [second - 30]


DEFECTS: dict[str, tuple[Any, str, Any]] = {
    "the next value does not count": (DatabaseNow, "until", lambda self, second: None),
    "the clock of the database is far behind": (
        recorder,
        "time_of",
        lambda *args, time_of=turns.time_of, **kwargs: time_of(*args, **kwargs)._replace(ahead=-9),
    ),
    "what has come meanwhile is past": (
        recorder,
        "next_value",
        lambda connection, sql, parameters: turns.next_value(
            connection, sql.replace(">=", ">"), ("2100-01-01 00:00:00", *parameters[1:])
        ),
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*DEFECTS[name])
    VIEW[:] = [by_the_model]
    with pytest.raises(AssertionError):
        appears_in_time()
