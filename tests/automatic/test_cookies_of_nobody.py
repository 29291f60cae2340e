"""Visitors who are nobody and carry cookies: those that a page does not ask for make no difference,
and one that says the time zone does."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from datetime import UTC
from itertools import permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import override_settings
from django.urls import path
from django.utils import timezone

from notmodified.reads import inputs
from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS, Visitor, counted, recorded_site

MOMENT = datetime.datetime(2026, 11, 21, 18, 44, tzinfo=UTC)


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"for {request.user.get_username() or 'anybody'}")


def template(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("at {{ t|date:'H:i e' }}").render(Context({"t": MOMENT})))


def code(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"at {timezone.localtime(MOMENT):%H:%M}")


def names(request: HttpRequest) -> HttpResponse:
    return HttpResponse(timezone.get_current_timezone_name())


BERLIN, TOKYO = "Europe/Berlin", "Asia/Tokyo"
PAGES = {
    "template": {BERLIN: "at 19:44 CET", TOKYO: "at 03:44 JST", "": "at 18:44 UTC"},
    "code": {BERLIN: "at 19:44", TOKYO: "at 03:44", "": "at 18:44"},
    "names": {BERLIN: BERLIN, TOKYO: TOKYO, "": "UTC"},
}
"""What each page says by the cookie."""

urlpatterns = [path(f"{view.__name__}/", counted(view)) for view in (who, template, code, names)]


def leaving(get_response: Any) -> Any:
    """As Django's documentation has it, with a cookie in the place of the session."""

    def middleware(request: HttpRequest) -> Any:
        name = request.COOKIES.get("zone")
        if name:
            timezone.activate(ZoneInfo(name))
        else:
            timezone.deactivate()
        return get_response(request)

    return middleware


def restoring(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        with timezone.override(request.COOKIES.get("zone") or None):
            return get_response(request)

    return middleware


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    with recorded_site(__name__):
        yield


def visitor(**cookies: str) -> Visitor:
    found = Visitor()
    found.client.cookies.load(cookies)
    return found


class TestCookiesThatNobodyAsksFor:
    def test_those_who_have_different_ones_share_a_record(self) -> None:
        """Of a page that asks who it is for."""
        first = visitor(_ga="1").get("/who/")
        assert first.content == b"for anybody"
        headers = {"If-None-Match": first.headers["ETag"]}
        for cookies in ({"_ga": "2"}, {"theme": "dark"}, {"theme": "dark", "_ga": "GA1.1"}):
            assert visitor(**cookies).is_answered_without_view("/who/", **headers)
        assert RUNS["/who/"] == 1

    def test_who_has_none_at_all_has_a_record_of_their_own_beside_it(self) -> None:
        """It is found without a look at any cookie."""
        headers = {"If-None-Match": visitor().get("/who/").headers["ETag"]}
        assert visitor(_ga="1").get("/who/", **headers).status_code == 304
        assert RUNS["/who/"] == 2
        assert visitor().is_answered_without_view("/who/", **headers)
        assert visitor(theme="dark").is_answered_without_view("/who/", **headers)


@pytest.mark.parametrize("middleware", ["leaving", "restoring"])
class TestTimeZonesByCookie:
    @pytest.fixture(autouse=True)
    def zones(self, middleware: str) -> Iterator[None]:
        with with_zones(middleware):
            yield
        timezone.deactivate()

    @pytest.mark.parametrize("page", PAGES)
    def test_each_has_its_page(self, page: str, middleware: str) -> None:
        url = f"/{page}/"
        visitors = {zone: visitor(zone=zone) for zone in PAGES[page]}
        for _ in range(3):
            for zone, said in PAGES[page].items():
                answer = visitors[zone].get(url)
                assert answer.status_code == 304 or answer.content == said.encode()
        for one in visitors.values():
            for _ in range(2):  # the zone that another has left in this thread counts, too
                one.get(url)
            assert one.is_answered_without_view(url)

    @pytest.mark.parametrize("page", PAGES)
    def test_nobody_s_tag_is_that_of_another_zone(self, page: str, middleware: str) -> None:
        url = f"/{page}/"
        for (zone, said), (other, _) in permutations(PAGES[page].items(), 2):
            tag = visitor(zone=other).get(url).headers["ETag"]
            again = visitor(zone=zone).get(url, **{"If-None-Match": tag})
            assert (again.status_code, again.content) == (200, said.encode())

    def test_one_that_is_changed(self, middleware: str) -> None:
        one = visitor(zone=BERLIN)
        one.get("/names/")
        one.client.cookies["zone"] = TOKYO
        assert one.get("/names/").content == TOKYO.encode()
        del one.client.cookies["zone"]
        assert one.get("/names/").content == b"UTC"


def with_zones(middleware: str) -> Any:
    return override_settings(MIDDLEWARE=[*DEFAULT_MIDDLEWARE, f"{__name__}.{middleware}"])


def test_a_defect_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs._NotedCookies, "note_value", lambda self, name: None)
    with with_zones("restoring"), pytest.raises(AssertionError):
        TestTimeZonesByCookie().test_one_that_is_changed("restoring")
