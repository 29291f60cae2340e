"""Pages that are made from the time: each is answered without its view until it would read
otherwise, and not a moment longer."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags import humanize
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection
from django.db.models import Q, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone

from notmodified.reads import now as now_module
from notmodified.reads import plans
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.pages import execute, only_on

pytestmark = pytest.mark.usefixtures("log")

BEGIN = datetime.datetime(2026, 11, 21, 18, 44, 14, 250_000, tzinfo=UTC)
VIEW: list[Callable[[HttpRequest], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0](request)))


urlpatterns = [path("", counted(page))]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(__name__):
        yield


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(BEGIN, tick=False) as traveller:
        yield traveller


def rendered(template: str, **context: Any) -> Callable[[HttpRequest], str]:
    return lambda request: Template("{% load humanize %}" + template).render(Context(context))


def joined(**more: int) -> Callable[[HttpRequest], list[str]]:
    """Who has joined by now, or by a time that is so far from now."""
    return lambda request: list(
        User.objects.filter(date_joined__lte=timezone.now() + timedelta(**more))
        .order_by("pk")
        .values_list("username", flat=True)
    )


def at(*args: int) -> datetime.datetime:
    return datetime.datetime(*args, tzinfo=UTC)  # type: ignore[arg-type,misc]


ADA, BOB = at(2026, 11, 22, 6), at(2026, 12, 1)

PAGES: dict[str, tuple[Callable[[HttpRequest], Any], datetime.datetime | None]] = {
    "the year": (rendered("{% now 'Y' %}"), at(2027, 1, 1)),
    "the month": (rendered("{% now 'F' %}"), at(2026, 12, 1)),
    "the day": (rendered("{% now 'jS F Y' %}"), at(2026, 11, 22)),
    "the minute": (rendered("{% now 'H:i' %}"), at(2026, 11, 21, 18, 45)),
    "a format with a name": (rendered("{% now 'SHORT_DATE_FORMAT' %}"), at(2026, 11, 22)),
    "a time as a filter shows it": (
        lambda request: Template("{{ now|date:'Y' }}").render(Context({"now": timezone.now()})),
        at(2027, 1, 1),
    ),
    "the year as such": (lambda request: timezone.now().year, at(2027, 1, 1)),
    "the date as such": (lambda request: timezone.localdate(), at(2026, 11, 22)),
    "its day of the week": (lambda request: timezone.now().weekday(), at(2026, 11, 22)),
    "by strftime": (lambda request: timezone.now().strftime("%d.%m. %H Uhr"), at(2026, 11, 21, 19)),
    "by an f-string": (lambda request: f"{timezone.now():%Y-%m-%d}", at(2026, 11, 22)),
    "the beginning of today": (
        lambda request: timezone.now().replace(hour=0, minute=0, second=0, microsecond=0),
        at(2026, 11, 22),
    ),
    "before a time to come": (lambda request: timezone.now() < ADA, ADA),
    "after it": (lambda request: timezone.now() < ADA, ADA),
    "after a time long gone": (lambda request: timezone.now() >= at(2001, 1, 1), None),
    "in a template": (
        lambda request: Template("{% if now < t %}soon{% endif %}").render(
            Context({"now": timezone.now(), "t": ADA})
        ),
        ADA,
    ),
    "a week ago, before a time": (
        lambda request: timezone.now() - timedelta(days=7) < at(2026, 11, 20),
        at(2026, 11, 27),
    ),
    "so many minutes since": (
        rendered("{{ t|timesince }}", t=at(2026, 11, 21, 18)),
        at(2026, 11, 21, 18, 45),
    ),
    "so many weeks since": (rendered("{{ t|timesince }}", t=at(2026, 11, 1)), at(2026, 11, 22)),
    "so long until": (
        rendered("{{ t|timeuntil }}", t=at(2026, 11, 21, 20)),
        at(2026, 11, 21, 18, 45),
    ),
    "since, until a time that is given": (
        rendered("{{ t|timesince:u }}", t=at(2026, 11, 1), u=at(2026, 11, 20)),
        None,
    ),
    "naturally, hours ago": (
        rendered("{{ t|naturaltime }}", t=at(2026, 11, 21, 16)),
        at(2026, 11, 21, 19),
    ),
    "naturally, seconds ago": (
        rendered("{{ t|naturaltime }}", t=at(2026, 11, 21, 18, 44)),
        at(2026, 11, 21, 18, 44, 15),
    ),
    "naturally, in hours": (
        rendered("{{ t|naturaltime }}", t=at(2026, 11, 21, 21)),
        at(2026, 11, 21, 19),
    ),
    "naturally, days ago": (
        rendered("{{ t|naturaltime }}", t=at(2026, 11, 18, 12)),
        at(2026, 11, 21, 19),
    ),
    "naturally, a day": (rendered("{{ t|naturalday }}", t=at(2026, 11, 21)), at(2026, 11, 22)),
    "a query up to now": (joined(), ADA),
    "a query up to a week from now": (joined(days=7), at(2026, 11, 24)),
    "a query up to long ago": (joined(days=-4000), at(2026, 11, 22, 6) + timedelta(days=4000)),
    "a query between": (
        lambda request: User.objects.filter(
            date_joined__range=(timezone.now(), at(2030, 1, 1))
        ).count(),
        ADA,
    ),
    "a query that excludes": (
        lambda request: User.objects.exclude(date_joined__gt=timezone.now()).count(),
        ADA,
    ),
    "a query of one row": (
        lambda request: User.objects.filter(pk=2, date_joined__lte=timezone.now()).count(),
        BOB,
    ),
    "a query of either row": (
        lambda request: User.objects.filter(
            Q(pk=2) | Q(pk=3), date_joined__lte=timezone.now()
        ).count(),
        BOB,
    ),
    "a query inside a query": (
        lambda request: User.objects.filter(
            pk__in=User.objects.filter(date_joined__lte=timezone.now()).values("pk")
        ).count(),
        ADA,
    ),
    "what is signed": (
        lambda request: signing.loads(SIGNED[0], max_age=3600),
        BEGIN.replace(microsecond=0) + timedelta(hours=1),
    ),
}
"""Views, and the moment at which they may read otherwise; ``None`` for never."""
SIGNED = [""]


@pytest.mark.parametrize("name", PAGES)
def test_it_holds_until_it_would_read_otherwise(name: str, clock: Any) -> None:
    if "query" not in name:
        only_on("sqlite")  # what asks no database is the same on every one
    User.objects.create(pk=1, username="ada", date_joined=ADA)
    User.objects.create(pk=2, username="bob", date_joined=BOB)
    User.objects.create(pk=3, username="eve", date_joined=at(2001, 1, 1))
    SIGNED[0] = signing.dumps("x")
    view, turn = PAGES[name]
    VIEW[:] = [view]
    visitor = Visitor()
    assert "not recorded" not in visitor.get("/").headers["Cache-Status"]
    moment = BEGIN + timedelta(days=30_000) if turn is None else turn
    clock.move_to(moment - timedelta(milliseconds=1))
    assert visitor.is_answered_without_view("/")
    if turn is not None:
        clock.move_to(turn)
        assert not visitor.is_answered_without_view("/")
        assert RUNS["/"] == 2


@pytest.mark.parametrize(
    "view",
    [
        lambda request: timezone.now(),
        lambda request: timezone.now().isoformat(),
        lambda request: timezone.now().timestamp(),
        lambda request: timezone.now().microsecond,
        lambda request: (timezone.now() - ADA).days,
        lambda request: (ADA - timezone.now()).days,
        lambda request: timezone.now().replace(year=2000),
        lambda request: timezone.now().strftime("%f"),
        lambda request: f"{timezone.now()}",
        lambda request: timezone.localtime() + timedelta(days=1),
        lambda request: User.objects.filter(
            date_joined__lt=Coalesce("last_login", Value(timezone.now()))
        ).count(),
        lambda request: timezone.now().time(),
        lambda request: list(
            User.objects.raw(
                "SELECT id FROM auth_user WHERE date_joined < %(now)s", {"now": timezone.now()}
            )
        ),
    ],
)
def test_what_holds_for_no_time_is_not_recorded(
    view: Callable[[HttpRequest], Any], clock: Any
) -> None:
    User.objects.create(pk=1, username="ada", date_joined=ADA)
    VIEW[:] = [view]
    with override_settings(TIME_ZONE="Europe/Berlin"):
        visitor = Visitor()
        visitor.get("/")
        assert "not recorded: the time" in visitor.get("/").headers["Cache-Status"]
        assert RUNS["/"] == 2


@pytest.mark.parametrize(
    ("template", "turn"),
    [
        # Winter begins at 01:00 in UTC: an hour comes twice, and around it Django shows no zone.
        ("{% now 'H:i' %}", at(2026, 10, 25, 0, 31)),
        ("{% now 'H' %}", at(2026, 10, 25, 1)),
        ("{% now 'j' %}", at(2026, 10, 25, 23)),
        ("{% now 'Y' %}", at(2026, 12, 31, 23)),
    ],
)
def test_a_clock_that_goes_back(template: str, turn: datetime.datetime) -> None:
    VIEW[:] = [rendered(template)]
    with (
        override_settings(TIME_ZONE="Europe/Berlin"),
        time_machine.travel(at(2026, 10, 25, 0, 30), tick=False) as clock,
    ):
        visitor = Visitor()
        visitor.get("/")
        clock.move_to(turn - timedelta(seconds=2))
        assert visitor.is_answered_without_view("/")
        clock.move_to(turn)
        assert not visitor.is_answered_without_view("/")


@pytest.mark.parametrize("template", ["{% now 'T' %}", "{% now 'H O' %}", "{% now 'e' %}"])
def test_the_time_zone(template: str) -> None:
    VIEW[:] = [rendered(template)]
    with override_settings(TIME_ZONE="Europe/Berlin"):
        for begin, holds in ((at(2026, 10, 24, 12), True), (at(2026, 10, 25, 0, 30), False)):
            with time_machine.travel(begin, tick=False) as clock:
                visitor = Visitor()
                visitor.get("/")
                clock.shift(timedelta(seconds=2))
                assert visitor.is_answered_without_view("/") == holds


def test_a_clock_that_is_set_back(clock: Any) -> None:
    VIEW[:] = [rendered("{% now 'Y' %}")]
    visitor = Visitor()
    visitor.get("/")
    clock.move_to(at(2025, 12, 31))
    assert not visitor.is_answered_without_view("/")


def test_a_row_that_comes_meanwhile(clock: Any) -> None:
    User.objects.create(pk=2, username="bob", date_joined=BOB)
    VIEW[:] = [joined()]
    visitor = Visitor()
    visitor.get("/")
    User.objects.create(pk=1, username="ada", date_joined=ADA)
    assert not visitor.is_answered_without_view("/")
    clock.move_to(ADA)
    assert not visitor.is_answered_without_view("/")
    assert visitor.get("/").status_code == 304


def test_a_time_that_others_have_written_otherwise(clock: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("there is a type for it")
    User.objects.create(pk=1, username="ada", date_joined=ADA)
    execute("UPDATE auth_user SET date_joined = '2026-12-01T06:00Z'")
    VIEW[:] = [lambda request: User.objects.filter(date_joined__lte=timezone.now()).count()]
    assert "holds '2026-12-01T06:00Z'" in Visitor().get("/").headers["Cache-Status"]


def test_a_time_that_another_response_has_left(clock: Any) -> None:
    """It is an hour old, and nobody is told so."""
    kept: list[Any] = []

    def view(request: HttpRequest) -> Any:
        kept.append(timezone.now())
        return kept[0] < ADA

    VIEW[:] = [view]
    Visitor().get("/")
    again = Client().get("/", headers={"Accept": "x"})
    assert "a time from another response" in again.headers["Cache-Status"]


class TestSessions:
    """Who is logged in is until the session expires."""

    def visitor(self) -> Visitor:
        visitor = Visitor()
        visitor.client.force_login(User.objects.create(username="ada", date_joined=ADA))
        VIEW[:] = [lambda request: request.user.username]
        assert visitor.get("/").content == b"ada"
        return visitor

    def test_it_expires(self, clock: Any) -> None:
        visitor = self.visitor()
        clock.shift(timedelta(days=13))
        assert visitor.is_answered_without_view("/")
        clock.shift(timedelta(days=1))
        assert visitor.get("/").content == b""

    def test_another_one_expires(self, clock: Any) -> None:
        visitor = self.visitor()
        other = Session.objects.create(
            session_key="x" * 32, session_data="", expire_date=BEGIN + timedelta(days=1)
        )
        if connection.vendor == "mysql":
            visitor.get("/")  # where texts do not narrow, every session counts
        clock.move_to(other.expire_date)
        assert visitor.is_answered_without_view("/") == (connection.vendor != "mysql")


def signed(value: str, **salt: str) -> str:
    """What a response puts into the cookie ``visit``."""
    response = HttpResponse()
    response.set_signed_cookie("visit", value, **salt)
    return str(response.cookies["visit"].value)


class TestSignedCookies:
    """They hold for as long as whoever reads them says."""

    def visitor(self, value: str, **salt: str) -> Visitor:
        VIEW[:] = [
            lambda request: request.get_signed_cookie("visit", default="none", max_age=60, **salt)
        ]
        visitor = Visitor()
        visitor.client.cookies["visit"] = value
        return visitor

    @pytest.mark.parametrize("salt", [{}, {"salt": "of ours"}])
    def test_it_expires(self, salt: dict[str, str], clock: Any) -> None:
        visitor = self.visitor(signed("yes", **salt), **salt)
        assert visitor.get("/").content == b"yes"
        clock.shift(timedelta(seconds=59))
        assert visitor.is_answered_without_view("/")
        clock.shift(timedelta(seconds=2))
        assert visitor.get("/").content == b"none"
        assert visitor.is_answered_without_view("/")

    def test_another_one_that_is_younger(self, clock: Any) -> None:
        visitor = self.visitor(signed("yes"))
        visitor.get("/")
        clock.shift(timedelta(seconds=50))
        visitor.client.cookies["visit"] = signed("yes")
        assert visitor.get("/").status_code == 304  # the view says the same
        clock.shift(timedelta(seconds=50))
        assert visitor.is_answered_without_view("/")
        clock.shift(timedelta(seconds=11))
        assert visitor.get("/").content == b"none"

    def test_one_that_nobody_has_signed(self, clock: Any) -> None:
        visitor = self.visitor("yes:1:nobody")
        assert visitor.get("/").content == b"none"
        assert visitor.is_answered_without_view("/")
        visitor.client.cookies["visit"] = signed("yes")
        assert visitor.get("/").content == b"yes"


DEFECTS: dict[str, tuple[Any, str, Any, str]] = {
    "a comparison says nothing": (
        now_module.Now,
        "until",
        lambda self, second: None,
        "before a time to come",
    ),
    "hours end with the day": (
        now_module,
        "end_of",
        lambda value, unit, end_of=now_module.end_of: end_of(value, "day"),
        "by strftime",
    ),
    "queries never turn": (plans, "_turns", lambda plan, parameters: (), "a query up to now"),
    "the other rows' turns do not count, nor this one's": (
        plans.Planner,
        "_compared",
        lambda self, read, column, parameter, compared=plans.Planner._compared: compared(
            self, read, column, parameter
        )._replace(sql="SELECT NULL", narrowed=()),
        "a query up to now",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, attribute, defect, shown_by = DEFECTS[name]
    monkeypatch.setattr(holder, attribute, defect)
    with pytest.raises(AssertionError):
        test_it_holds_until_it_would_read_otherwise(shown_by, clock)


def test_humanize_keeps_its_filters() -> None:
    """Whoever stands in front of a function shows the same arguments as it."""
    assert humanize.naturalday(None) is None
    with pytest.raises(TemplateSyntaxError, match="naturaltime requires 1 argument"):
        Template("{% load humanize %}{{ t|naturaltime:1 }}")
    Template("{% load humanize %}{{ t|naturalday:'Y' }}")
