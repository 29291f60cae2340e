"""Pages that are made for somebody: who is logged in, in which language, with which cookies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.template import engines
from django.test import override_settings
from django.urls import path
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from notmodified.exchange import automatic
from notmodified.reads import inputs, sessions
from notmodified.reads.memories import forget_memories
from notmodified.records.store import RECORDS
from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS, Visitor, constant, counted

pytestmark = pytest.mark.usefixtures("log")

LOCALE = "django.middleware.locale.LocaleMiddleware"
MIDDLEWARE = [*DEFAULT_MIDDLEWARE[:3], LOCALE, *DEFAULT_MIDDLEWARE[3:]]


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"for {request.user.get_username() or 'anybody'}")


def may(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"may {request.user.has_perm('auth.add_user')}")


def form(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string("<form>{% csrf_token %}</form>")
    return HttpResponse(template.render({}, request))


def login_form(request: HttpRequest) -> HttpResponse:
    rotate_token(request)
    return form(request)


def basket(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.session.get('basket', 0)} things")


def key(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"session {request.session.session_key}")


def fill(request: HttpRequest) -> HttpResponse:
    request.session["basket"] = request.session.get("basket", 0) + 1
    messages.info(request, "It is in the basket.")
    return HttpResponse("")


def told(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"messages: {[str(one) for one in messages.get_messages(request)]}")


def greeting(request: HttpRequest) -> HttpResponse:
    return HttpResponse(gettext("Yes"))


def address(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.META["REMOTE_ADDR"])


def browser(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.headers.get("User-Agent", ""))


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username(), headers={"Cache-Control": "public"})


@never_cache
def asked(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"for {request.user}")


def forbidden(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secret", headers={"Cache-Control": "no-store"})


urlpatterns = [
    path(f"{view.__name__}/", counted(view))
    for view in (
        *(who, may, form, login_form, basket, key, fill, told, greeting, address, browser),
        *(public, constant, asked, forbidden),
    )
]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    RUNS.clear()
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=MIDDLEWARE, NOTMODIFIED={"CACHE_STATUS": True}
    ):
        yield


def member(name: str) -> Visitor:
    visitor = Visitor()
    visitor.client.force_login(User.objects.get_or_create(username=name)[0])
    forget_memories()  # a site does so while it answers
    return visitor


class TestSessions:
    def test_a_page_for_somebody(self) -> None:
        ada, bob, anybody = member("ada"), member("bob"), Visitor()
        for _ in range(2):
            for visitor, name in ((ada, b"ada"), (bob, b"bob"), (anybody, b"anybody")):
                if RUNS["/who/"] < 3:
                    assert visitor.get("/who/").content == b"for " + name
                else:
                    assert visitor.is_answered_without_view("/who/")
        assert RUNS["/who/"] == 3

    @pytest.mark.parametrize("name", ["who", "key", "form"])
    def test_nobody_s_tag_is_another_s(self, name: str) -> None:
        ada, bob = member("ada"), member("bob")
        ada.get(f"/{name}/")
        tag = ada.get(f"/{name}/").headers["ETag"]
        assert ada.is_answered_without_view(f"/{name}/")
        again = bob.client.get(f"/{name}/", headers={"If-None-Match": tag})
        assert again.status_code == 200

    def test_what_identity_does_not_shape_is_one_page_for_all(self) -> None:
        tag = Visitor().get("/constant/").headers["ETag"]
        member("ada").get("/constant/")
        for name in ("ada", "bob"):
            again = member(name).client.get("/constant/", headers={"If-None-Match": tag})
            assert again.status_code == 304
        assert RUNS["/constant/"] == 2  # who has no cookie at all has a record of their own
        assert "private" not in again.headers["Cache-Control"]

    @pytest.mark.parametrize("engine", ["db", "signed_cookies"])
    def test_a_session_that_is_written(self, engine: str) -> None:
        with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
            visitor = member("ada")
            visitor.get("/basket/")
            assert visitor.is_answered_without_view("/basket/")
            visitor.client.get("/fill/")
            assert visitor.get("/basket/").content == b"1 things"
            assert visitor.is_answered_without_view("/basket/")

    def test_by_another_process(self) -> None:
        visitor = member("ada")
        visitor.get("/basket/")
        session = SessionStore(visitor.client.session.session_key)
        session["basket"] = 7
        session.save()
        assert visitor.get("/basket/").content == b"7 things"

    def test_logging_out_and_in(self) -> None:
        visitor = member("ada")
        visitor.get("/who/")
        visitor.client.logout()
        assert visitor.get("/who/").content == b"for anybody"
        visitor.client.force_login(User.objects.create(username="eve"))
        assert visitor.get("/who/").content == b"for eve"

    def test_a_session_that_is_taken_away(self) -> None:
        visitor = member("ada")
        visitor.get("/who/")
        SessionStore(visitor.client.session.session_key).delete()
        assert visitor.get("/who/").content == b"for anybody"

    def test_its_key(self) -> None:
        for visitor in (member("ada"), member("bob")):
            expected = f"session {visitor.client.session.session_key}".encode()
            assert visitor.get("/key/").content == expected
            assert visitor.is_answered_without_view("/key/")

    def test_a_cookie_that_is_none(self) -> None:
        """SessionMiddleware takes it away: an answer without the view could not."""
        visitor = Visitor()
        visitor.client.cookies["other"] = "cookie"
        visitor.get("/constant/")
        visitor.client.cookies["sessionid"] = "short"
        assert "sessionid" in visitor.get("/constant/").cookies

    @override_settings(SESSION_SAVE_EVERY_REQUEST=True)
    def test_one_that_is_saved_each_time(self) -> None:
        visitor = member("ada")
        for _ in range(3):
            answer = visitor.get("/basket/")
        assert "its session is saved" in answer.headers["Cache-Status"]
        assert RUNS["/basket/"] == 3

    @pytest.mark.parametrize("engine", ["db", "signed_cookies", "cache"])
    def test_one_that_is_saved_each_time_by_pages_that_do_not_ask_for_it(self, engine: str) -> None:
        """Else it would end while its owner is there."""
        with override_settings(
            SESSION_SAVE_EVERY_REQUEST=True,
            SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}",
        ):
            stranger, ada = Visitor(), member("ada")
            stranger.client.cookies["_ga"] = "GA1"
            for _ in range(3):
                stranger.get("/constant/")
            assert stranger.is_answered_without_view("/constant/")
            ada.get("/constant/")
            assert "sessionid" in ada.get("/constant/").cookies

    @override_settings(SESSION_ENGINE="tests.automatic.strange_sessions")
    def test_in_a_place_that_nobody_knows(self) -> None:
        visitor = Visitor()
        visitor.client.cookies["sessionid"] = "x" * 32
        for _ in range(3):
            answer = visitor.get("/basket/")
        assert "a session of tests.automatic.strange_sessions" in answer.headers["Cache-Status"]
        assert RUNS["/basket/"] == 3


class TestPermissions:
    def test_one_that_is_taken_away_is_gone_at_once(self) -> None:
        user = User.objects.create(username="ada")
        permission = Permission.objects.get(codename="add_user")
        user.user_permissions.add(permission)
        visitor = member("ada")
        assert visitor.get("/may/").content == b"may True"
        assert visitor.is_answered_without_view("/may/")
        user.user_permissions.clear()
        assert visitor.get("/may/").content == b"may False"
        assert visitor.is_answered_without_view("/may/")
        User.objects.filter(pk=user.pk).update(is_superuser=True)
        assert visitor.get("/may/").content == b"may True"

    def test_somebody_who_is_locked_out(self) -> None:
        visitor = member("ada")
        visitor.get("/who/")
        User.objects.update(is_active=False)
        assert visitor.get("/who/").content == b"for anybody"


class TestCsrf:
    def test_a_form(self) -> None:
        visitor = Visitor()
        first = visitor.get("/form/")
        assert "csrftoken" in first.cookies
        assert "it sets the cookie csrftoken" in first.headers["Cache-Status"]
        assert visitor.get("/form/").status_code == 304  # the same secret, found by the view
        assert visitor.is_answered_without_view("/form/")

    def test_it_is_right_for_one_secret(self) -> None:
        ada, bob = Visitor(), Visitor()
        for visitor in (ada, bob):
            visitor.get("/form/")
            visitor.get("/form/")
            assert visitor.is_answered_without_view("/form/")
        tag = ada.client.get("/form/").headers["ETag"]
        again = bob.client.get("/form/", headers={"If-None-Match": tag})
        assert again.status_code == 200

    def test_the_token_in_a_copy_that_was_kept_is_taken(self) -> None:
        visitor = Visitor()
        visitor.get("/form/")
        kept = re.search(rb'value="(\w+)"', visitor.client.get("/form/").content)
        assert kept is not None
        assert visitor.is_answered_without_view("/form/")
        visitor.client.handler.enforce_csrf_checks = True
        data = {"csrfmiddlewaretoken": kept[1].decode()}
        assert visitor.client.post("/constant/", data).status_code == 200

    def test_after_the_secret_rotates(self) -> None:
        visitor = Visitor()
        for _ in range(2):
            visitor.get("/form/")
        assert visitor.is_answered_without_view("/form/")
        visitor.client.get("/login_form/")
        assert visitor.get("/form/").status_code == 200

    def test_one_that_rotates_it_is_not_recorded(self) -> None:
        visitor = Visitor()
        for _ in range(3):
            answer = visitor.get("/login_form/")
        assert "it sets the cookie csrftoken" in answer.headers["Cache-Status"]

    @override_settings(CSRF_USE_SESSIONS=True)
    def test_a_secret_in_the_session(self) -> None:
        visitor = Visitor()
        visitor.get("/form/")
        visitor.get("/form/")
        assert visitor.is_answered_without_view("/form/")
        session = visitor.client.session
        session["_csrftoken"] = "a" * 32
        session.save()
        assert visitor.get("/form/").status_code == 200


class TestMessages:
    @pytest.mark.parametrize(
        "storage", ["fallback.FallbackStorage", "cookie.CookieStorage", "session.SessionStorage"]
    )
    def test_a_page_that_shows_one_is_not_recorded(self, storage: str) -> None:
        with override_settings(MESSAGE_STORAGE=f"django.contrib.messages.storage.{storage}"):
            visitor = member("ada")
            visitor.get("/told/")
            assert visitor.is_answered_without_view("/told/")
            visitor.client.get("/fill/")
            shown = visitor.get("/told/")
            assert b"It is in the basket." in shown.content
            assert "not recorded" in shown.headers["Cache-Status"]
            assert visitor.get("/told/").content == b"messages: []"
            assert visitor.is_answered_without_view("/told/")


class TestLanguages:
    def test_each_has_its_page(self) -> None:
        german, english = Visitor(**{"Accept-Language": "de"}), Visitor()
        assert german.get("/greeting/").content == b"Ja"
        assert english.get("/greeting/").content == b"Yes"
        assert german.is_answered_without_view("/greeting/")
        assert english.is_answered_without_view("/greeting/")
        assert RUNS["/greeting/"] == 2

    def test_by_cookie(self) -> None:
        visitor = Visitor()
        visitor.get("/greeting/")
        visitor.client.cookies["django_language"] = "fr"
        assert visitor.get("/greeting/").content == b"Oui"


class TestWhatCachesAreTold:
    @pytest.mark.parametrize("name", ["who", "form", "basket", "key"])
    def test_a_page_for_somebody_is_private(self, name: str) -> None:
        visitor = member("ada")
        visitor.get("/form/")
        for answer in (visitor.get(f"/{name}/"), visitor.get(f"/{name}/")):
            assert "private" in answer.headers["Cache-Control"]
            assert "Cookie" in answer.headers["Vary"]

    def test_a_page_for_nobody_is_everybody_s_who_is_nobody(self) -> None:
        answer = Visitor().get("/who/")
        assert "private" not in answer.headers["Cache-Control"]
        assert "Cookie" in answer.headers["Vary"]

    def test_fields_that_were_read(self) -> None:
        answer = Visitor().get("/browser/")
        assert "User-Agent" in answer.headers["Vary"]
        assert "private" in Visitor().get("/address/").headers["Cache-Control"]

    def test_a_head_is_told_the_same(self) -> None:
        visitor = member("ada")
        told = [getattr(visitor.client, method)("/key/").headers for method in ("head", "get")]
        assert told[0]["Vary"] == told[1]["Vary"]
        assert told[0]["Cache-Control"] == told[1]["Cache-Control"]

    def test_what_a_view_has_said_stays(self) -> None:
        assert member("ada").get("/public/").headers["Cache-Control"] == "public, no-cache"

    @override_settings(NOTMODIFIED={"VARY": False, "PRIVATE": False})
    def test_unless_it_is_turned_off(self) -> None:
        answer = Visitor().get("/browser/")
        assert "User-Agent" not in answer.headers.get("Vary", "")
        assert "private" not in member("ada").get("/key/").headers["Cache-Control"]


DEFECTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "the session is nobody's business": (
        automatic,
        "note_session",
        lambda request, recorder: None,
        lambda: TestSessions().test_nobody_s_tag_is_another_s("who"),
    ),
    "its key is not looked for": (
        SessionBase,
        "session_key",
        property(lambda session: session._session_key),
        lambda: TestSessions().test_nobody_s_tag_is_another_s("key"),
    ),
    "the secret is nobody's business": (
        inputs,
        "_SECRET",
        "nothing",
        lambda: TestSessions().test_nobody_s_tag_is_another_s("form"),
    ),
    "every cookie is kept": (
        sessions,
        "is_kept",
        lambda cookie: True,
        TestSessions().test_a_cookie_that_is_none,
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, attribute, defect, show = DEFECTS[name]
    monkeypatch.setattr(holder, attribute, defect)
    with pytest.raises(AssertionError):
        show()


def test_records_of_many() -> None:
    """A page may have as many readers as it likes."""
    visitors = [member(f"user {number}") for number in range(60)]
    for visitor in visitors:
        visitor.get("/who/")
    assert all(visitor.is_answered_without_view("/who/") for visitor in visitors)
    assert len(RECORDS) == 60


class TestNeverCache:
    @pytest.mark.parametrize("setting", ["respect", "revalidate"])
    def test_pages_that_are_asked_for_each_time(self, setting: str) -> None:
        with override_settings(NOTMODIFIED={"CACHE_STATUS": True, "NEVER_CACHE": setting}):
            visitor = member("ada")
            answer = visitor.get("/asked/")
            if setting == "respect":
                assert "it forbids storing" in answer.headers["Cache-Status"]
                assert "no-store" in answer.headers["Cache-Control"]
            else:
                assert answer.headers["Cache-Control"] == "private, no-cache"
                assert visitor.is_answered_without_view("/asked/")
                assert visitor.client.get("/asked/").status_code == 200

    @override_settings(NOTMODIFIED={"CACHE_STATUS": True, "NEVER_CACHE": "revalidate"})
    def test_what_a_view_forbids_itself_stays(self) -> None:
        assert member("ada").get("/forbidden/").headers["Cache-Control"] == "no-store"
