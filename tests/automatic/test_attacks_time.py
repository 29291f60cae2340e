"""Stale answers that were found by attack: pages that are made from the time."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sites.models import Site
from django.contrib.syndication.views import Feed
from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.forms import SelectDateWidget
from django.http import Http404, HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from django.utils import timezone
from django.utils.timesince import timesince
from django.views.generic.dates import TodayArchiveView, timezone_today

from tests.automatic.visits import counted, recorded_site
from tests.site.pages import only_on

pytestmark = pytest.mark.usefixtures("log")

VIEW: list[Callable[[HttpRequest], Any]] = []
BERLIN = ZoneInfo("Europe/Berlin")


def page(request: HttpRequest) -> Any:
    found = VIEW[0](request)
    return found if isinstance(found, HttpResponse) else HttpResponse(str(found))


urlpatterns = [
    path("", counted(page)),
]


def at(*args: int) -> datetime.datetime:
    return datetime.datetime(*args, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(__name__):
        cache.clear()
        yield


def hold(view: Callable[[HttpRequest], Any], client: Client | None = None, **first: Any) -> Any:
    VIEW[:] = [view]
    client = client or Client()
    client.get("/", **first)
    held = client.get("/", **first)
    print("held:", held.content, held.headers["Cache-Status"])
    return held


# --- the time ------------------------------------------------------------------------------


def rendered(template: str, **context: Any) -> Callable[[HttpRequest], str]:
    return lambda request: Template("{% load humanize %}" + template).render(Context(context))


def by_sql(sql: str, *parameters: Any) -> Callable[[HttpRequest], Any]:
    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql, [one() if callable(one) else one for one in parameters])
            return cursor.fetchall()

    return ask


class Today(TodayArchiveView):
    date_field = "date_joined"

    def get_queryset(self) -> Any:
        return User.objects.filter(username="ada")

    def render_to_response(self, context: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse(f"{context['day']}")


class News(Feed):  # type: ignore[type-arg]
    title, link, description = "News", "/", "x"

    def items(self) -> list[Any]:
        return list(User.objects.all())

    def item_link(self, item: Any) -> str:
        return "/"


def today(request: HttpRequest) -> Any:
    try:
        return Today.as_view()(request)
    except Http404:
        return "nothing today"


def kept_token(request: HttpRequest) -> bool:
    return default_token_generator.check_token(User.objects.get(username="ada"), TOKEN[0])


TOKEN = [""]
BEGIN = at(2026, 11, 21, 18, 44, 14)

TIMES: dict[str, tuple[Any, datetime.datetime, datetime.datetime, dict[str, Any]]] = {
    # name: view, made at, asked at, settings
    "today's archive": (today, at(2026, 11, 21, 21), at(2026, 11, 22, 21), {}),
    "today, without zones": (
        lambda r: timezone_today(),
        BEGIN,
        at(2026, 11, 22, 21),
        {"USE_TZ": False},
    ),
    "years to choose from": (
        lambda r: SelectDateWidget().years[0],
        BEGIN,
        at(2027, 11, 22, 21),
        {},
    ),
    "timesince of a local time, when a day is short": (
        lambda r: timesince(datetime.datetime(2026, 3, 12, tzinfo=BERLIN)),
        at(2026, 3, 29, 0, 30),
        at(2026, 3, 29, 22, 30),
        {},
    ),
    "timesince without zones, when the clock goes back": (
        lambda r: timesince(datetime.datetime(2026, 10, 24, 0, 30)),
        at(2026, 10, 25, 0, 50),
        at(2026, 10, 25, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "a query without zones, with a time that is left out": (
        by_sql(
            "SELECT COUNT(*) FROM auth_user WHERE date_joined <= %s AND username = 'gap'",
            timezone.now,
        ),
        at(2026, 3, 29, 0, 45),
        at(2026, 3, 29, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "now in a set": (
        lambda r: timezone.now() in {BEGIN + timedelta(days=1)},
        BEGIN,
        BEGIN + timedelta(days=1),
        {},
    ),
    "now that is exactly then": (
        lambda r: timezone.now() <= BEGIN,
        BEGIN,
        BEGIN + timedelta(seconds=1),
        {},
    ),
    "a row of this very moment": (
        lambda r: User.objects.filter(username="exact", date_joined__gte=timezone.now()).count(),
        BEGIN,
        BEGIN + timedelta(seconds=1),
        {},
    ),
    "the orm, between a column and an expression": (
        lambda r: (
            User.objects.alias(n=Value(timezone.now()))
            .filter(n__range=(F("date_joined"), Coalesce("last_login", Value(at(2030, 1, 1)))))
            .count()
        ),
        at(2026, 11, 22, 1),
        at(2026, 11, 22, 13),
        {},
    ),
    "a time shown by signing": (
        lambda r: signing.dumps("x"),
        BEGIN,
        BEGIN + timedelta(hours=2),
        {},
    ),
    "a token that expires": (kept_token, BEGIN, BEGIN + timedelta(days=10), {}),
    "a feed without dates": (lambda r: News()(r), BEGIN, BEGIN + timedelta(days=10), {}),
    "the ISO year": (lambda r: timezone.now().strftime("%G"), at(2027, 1, 2), at(2027, 1, 5), {}),
    "the system's offset": (
        lambda r: timezone.now().astimezone().strftime("%Z"),
        at(2026, 10, 24),
        at(2026, 10, 26),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "the system's day": (
        lambda r: timezone.now().astimezone().date(),
        at(2026, 3, 29, 0, 30),
        at(2026, 3, 29, 22, 30),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "timesince, to a time ahead of now": (
        lambda r: timesince(at(2026, 11, 1), timezone.now() + timedelta(days=7)),
        BEGIN,
        BEGIN + timedelta(days=3),
        {},
    ),
    "timesince, to a naive now": (
        lambda r: timesince(
            datetime.datetime(2026, 11, 22),
            timezone.make_naive(timezone.now(), ZoneInfo("Asia/Tokyo")),
        ),
        BEGIN,
        BEGIN + timedelta(hours=3),
        {},
    ),
    "timesince of a date, when a day is short": (
        rendered("{{ d|timesince }}", d=date(2026, 3, 12)),
        at(2026, 3, 29, 0, 30),
        at(2026, 3, 29, 22, 30),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "timesince with microseconds": (
        rendered("{{ d|timesince }}", d=at(2026, 10, 1, 12, 0, 0, 900_000)),
        at(2026, 11, 8, 11),
        at(2026, 11, 8, 12, 0, 0, 500_000),
        {},
    ),
    "naturaltime without zones, when a day is short": (
        rendered("{{ d|naturaltime }}", d=datetime.datetime(2026, 3, 28, 23, 30)),
        at(2026, 3, 29, 0, 50),
        at(2026, 3, 29, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "a comparison, when the clock goes back": (
        lambda r: timezone.now() >= datetime.datetime(2026, 10, 25, 2, 10),
        at(2026, 10, 25, 0, 50),
        at(2026, 10, 25, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "a comparison, with a time that is left out": (
        lambda r: timezone.now() >= datetime.datetime(2026, 3, 29, 2, 30),
        at(2026, 3, 29, 0, 45),
        at(2026, 3, 29, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "local times, when the clock goes back": (
        lambda r: (
            timezone.localtime(timezone.now(), BERLIN)
            >= datetime.datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN)
        ),
        at(2026, 10, 25, 0, 50),
        at(2026, 10, 25, 1, 5),
        {},
    ),
    "a query without zones, when the clock goes back": (
        by_sql(
            "SELECT COUNT(*) FROM auth_user WHERE date_joined <= %s AND username = 'fold'",
            timezone.now,
        ),
        at(2026, 10, 25, 0, 50),
        at(2026, 10, 25, 1, 5),
        {"TIME_ZONE": "Europe/Berlin", "USE_TZ": False},
    ),
    "a query with a local time": (
        by_sql(
            "SELECT username FROM auth_user WHERE date_joined <= %s ORDER BY id",
            lambda: timezone.localtime(timezone.now(), BERLIN),
        ),
        at(2026, 11, 21, 18),
        at(2026, 11, 21, 19, 30),
        {},
    ),
    "a query with now between a column and an expression": (
        by_sql(
            "SELECT username FROM auth_user WHERE %s BETWEEN date_joined "
            "AND COALESCE(last_login, '9999')",
            timezone.now,
        ),
        at(2026, 11, 22, 1),
        at(2026, 11, 23),
        {},
    ),
    "equal to a date": (
        lambda r: timezone.now() == date(2026, 11, 21),
        BEGIN,
        BEGIN + timedelta(days=1),
        {},
    ),
    "a date equal": (
        lambda r: date(2026, 11, 21) == timezone.now(),
        BEGIN,
        BEGIN + timedelta(days=1),
        {},
    ),
    "a naive now in another zone": (
        lambda r: timezone.make_naive(timezone.now(), BERLIN).astimezone(UTC).strftime("%H"),
        BEGIN,
        BEGIN,
        {},
    ),
    "in a thread": (
        lambda r: ThreadPoolExecutor(1).submit(lambda: timezone.now().year).result(),
        BEGIN,
        at(2027, 1, 2),
        {},
    ),
    "hash": (lambda r: hash(timezone.now()), BEGIN, at(2027, 1, 2), {}),
    "time zone by another fold": (
        lambda r: (
            timezone.localtime(timezone.now(), BERLIN).replace(fold=1) >= at(2026, 10, 25, 1, 20)
        ),
        at(2026, 10, 25, 0, 10),
        at(2026, 10, 25, 0, 25),
        {},
    ),
    "a zone's name, as an hour comes twice": (
        rendered("{{ n|date:'T' }}", n=timezone.now),
        at(2026, 10, 25, 1, 30),
        at(2026, 10, 25, 2, 30),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "a zone's name by {% now %}, as an hour comes twice": (
        rendered("{% now 'T' %}"),
        at(2026, 10, 25, 1, 30),
        at(2026, 10, 25, 2, 30),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "a zone's offset by {% now %}, before an hour comes twice": (
        rendered("{% now 'e O' %}"),
        at(2026, 10, 24, 23, 30),
        at(2026, 10, 25, 0, 30),
        {"TIME_ZONE": "Europe/Berlin"},
    ),
    "a query by an alias that begins with a digit": (
        by_sql(
            'SELECT username, MAX(last_login) AS "0" FROM auth_user GROUP BY username '
            'HAVING "0" < %s',
            timezone.now,
        ),
        at(2026, 11, 22, 1),
        at(2026, 11, 22, 13),
        {},
    ),
}


ASKS_THE_DATABASE = re.compile(r"\b(?:query|orm|row|union|case|exists|having|aggregate|duration)\b")
OF_SQLITE = {
    "a query with now between a column and an expression",
    "a query by an alias that begins with a digit",
}
"""What other databases do not take."""


@pytest.mark.parametrize("name", TIMES)
def test_times(name: str) -> None:
    if name in OF_SQLITE or not ASKS_THE_DATABASE.search(name):
        only_on("sqlite")  # what asks no database is the same on every one
    view, made, asked, settings = TIMES[name]
    with override_settings(**settings), time_machine.travel(made.timestamp(), tick=False) as clock:
        zone = UTC if timezone.settings.USE_TZ else None
        for username, joined, last in (
            ("ada", (2026, 11, 21, 20), None),
            ("bob", (2026, 11, 22), (2026, 11, 22, 12)),
            ("fold", (2026, 10, 25, 2, 10), None),
            ("gap", (2026, 3, 29, 2, 30), None),
            ("exact", (2026, 11, 21, 18, 44, 14), None),
        ):
            User.objects.create(
                username=username,
                date_joined=datetime.datetime(*joined, tzinfo=zone),
                last_login=last and datetime.datetime(*last, tzinfo=zone),
            )
        Site.objects.update_or_create(pk=1, defaults={"domain": "testserver", "name": "a"})
        TOKEN[0] = default_token_generator.make_token(User.objects.get(username="ada"))
        held = hold(view)
        clock.move_to(asked.timestamp())
        VIEW[:] = [view]
        answer = Client().get("/", headers={"If-None-Match": held.headers["ETag"]})
        content = held.content if answer.status_code == 304 else answer.content
        response = page(RequestFactory().get("/"))  # nothing is noted here
        truth = response.content
        print("answer:", answer.status_code, content, "truth:", truth)
        assert content == truth
