"""Causes that are rare: each is named by a page that has it, in the header and in the log."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import override_settings
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import cache_page

from tests.automatic.visits import (
    DEFAULT_MIDDLEWARE,
    RUNS,
    Visitor,
    constant,
    counted,
    recorded_site,
    shelf,
)
from tests.site.models import Shelf
from tests.site.pages import only_on


def form(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string("<form>{% csrf_token %}</form>")
    return HttpResponse(template.render({}, request))


def old(request: HttpRequest) -> HttpResponse:
    return HttpResponse("as a proxy has kept it", headers={"Age": "7"})


def nonce(request: HttpRequest) -> HttpResponse:
    """Where django-csp and Django's own middleware leave it."""
    request._csp_nonce = "random"  # type: ignore[attr-defined]
    return HttpResponse("<script nonce='random'></script>")


def djangos_nonce(request: HttpRequest) -> HttpResponse:
    get_nonce = importlib.import_module("django.middleware.csp").get_nonce
    return HttpResponse(f"<script nonce='{get_nonce(request)}'></script>")


def moment(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(timezone.now()))


urlpatterns = [
    *(path(f"{view.__name__}/", counted(view)) for view in (form, old, nonce, djangos_nonce)),
    path("moment/", counted(moment)),
    path("kept/", cache_page(600)(counted(lambda request: HttpResponse("kept")))),
    path("constant/", counted(constant)),
    path("shelf/<int:pk>/", counted(shelf)),
]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    cache.clear()
    Shelf.objects.create(pk=1, name="novels")
    with recorded_site(__name__):
        yield
    cache.clear()


def said(url: str, visits: int = 3) -> str:
    """Why a page is not recorded, once what the first visits leave behind is there."""
    visitor = Visitor()
    for _ in range(visits):
        answer = visitor.get(url)
    return str(answer.headers["Cache-Status"])


class TestWhatIsRightForOneAnswerOnly:
    def test_a_page_that_tells_its_age(self) -> None:
        assert "not recorded: it tells its age (ONCE_ONLY)" in said("/old/")
        assert RUNS["/old/"] == 3

    @pytest.mark.skipif(django.VERSION < (5,), reason="there they do not")
    def test_so_do_those_of_the_cache_middleware(self) -> None:
        assert "it tells its age (ONCE_ONLY)" in said("/kept/")

    def test_a_nonce(self) -> None:
        assert "not recorded: it holds a CSP nonce (ONCE_ONLY)" in said("/nonce/")
        assert RUNS["/nonce/"] == 3

    @pytest.mark.skipif(django.VERSION < (6,), reason="it has none of its own")
    def test_one_of_django_s_own(self) -> None:
        middleware = "django.middleware.csp.ContentSecurityPolicyMiddleware"
        policy = {"script-src": ["<CSP_NONCE_SENTINEL>"]}
        with override_settings(MIDDLEWARE=[*DEFAULT_MIDDLEWARE, middleware], SECURE_CSP=policy):
            assert "not recorded" in said("/djangos_nonce/")
        assert RUNS["/djangos_nonce/"] == 3


def test_a_page_without_a_validator() -> None:
    with override_settings(NOTMODIFIED={"CACHE_STATUS": True, "CSRF": "explain"}):
        why = said("/form/")
    assert "not recorded: there is no validator (NO_TAG)" in why
    assert "the page holds a CSRF token" in why
    assert RUNS["/form/"] == 3


def test_a_database_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page does not ask it for anything, but the process may still show what it has read."""
    only_on("sqlite")
    Shelf.objects.count()
    connection.close()
    with monkeypatch.context() as patched:
        gone = tmp_path / "gone" / "db.sqlite3"
        patched.setitem(connection.settings_dict, "NAME", str(gone))
        why = said("/constant/")
    connection.close()
    assert "not recorded: an error: unable to open database file (ERROR)" in why
    assert RUNS["/constant/"] == 3
    assert "not recorded" not in said("/constant/")


class TestTheLog:
    """Of the package, at level DEBUG."""

    @pytest.fixture(autouse=True)
    def log_of_the_process(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        with caplog.at_level(logging.DEBUG, "notmodified"), override_settings(NOTMODIFIED={}):
            yield

    def test_it_says_why_a_page_is_not_recorded(self, caplog: pytest.LogCaptureFixture) -> None:
        answer = Visitor().get("/moment/")
        line = moment.__code__.co_firstlineno + 1
        [said] = [one for one in caplog.records if one.name == "notmodified"]
        assert said.levelno == logging.DEBUG
        assert said.getMessage() == (
            "GET /moment/: the client holds no copy; not recorded: the time, "
            f"in tests/automatic/test_causes.py:{line} (TIME)"
        )
        assert "Cache-Status" not in answer.headers

    def test_nor_more_than_there_is_to_say(self, caplog: pytest.LogCaptureFixture) -> None:
        visitor = Visitor()
        for _ in range(2):
            visitor.get("/shelf/1/")
        assert caplog.messages == [
            "GET /shelf/1/: the client holds no copy",
            "GET /shelf/1/: unchanged; the view did not run",
        ]
