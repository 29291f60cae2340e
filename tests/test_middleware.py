"""The middleware, as it stands first in front of Django's own: C5, C7–C9, C43–C47, C74, C75."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_page, never_cache

from notmodified.decorators import etag
from notmodified.http.dates import format_date, parse_date
from notmodified.records import first_seen as first_seen_module

CONTENT = {"page": "<p>" + "hello " * 100, "status": 200}


def page(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(CONTENT["page"], status=CONTENT["status"])
    patch_vary_headers(response, ["Accept"])
    response["Access-Control-Allow-Origin"] = "*"
    return response


def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<form>{get_token(request)}</form>{CONTENT['page']}")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a", b"b"]))


def cookie(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("x")
    response.set_cookie("seen", "yes")
    return response


def empty_on_head(request: HttpRequest) -> HttpResponse:
    return HttpResponse("" if request.method == "HEAD" else "x")


async def asynchronous(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x")


urlpatterns = [
    path("page/", page),
    path("form/", form),
    path("stream/", stream),
    path("cookie/", cookie),
    path("head/", empty_on_head),
    path("never/", never_cache(page)),
    path("cached/", cache_page(60)(page)),
    path("cached-tagged/", cache_page(60)(etag(lambda request: "v1")(page))),
    path("tagged/", etag(lambda request: "v1")(page)),
    path("async/", asynchronous),
]

OURS = "notmodified.middleware.NotModifiedMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"

pytestmark = [
    pytest.mark.urls(__name__),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
]


@pytest.fixture(autouse=True)
def first_in_the_list() -> Iterator[None]:
    CONTENT.update(page="<p>" + "hello " * 100, status=200)
    with override_settings(MIDDLEWARE=[OURS, GZIP, CSRF]):
        yield


def get(client: Client, url: str, tag: str | None = None, **fields: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if tag is not None:
        headers["if-none-match"] = tag
    return client.get(url, headers=headers)


class TestContentHash:
    def test_every_page_gets_a_tag_and_a_return_visit_a_304(self, client: Client) -> None:
        full = get(client, "/page/")
        assert full["Cache-Control"] == "no-cache"
        short = get(client, "/page/", full["ETag"])
        assert (short.status_code, short.content) == (304, b"")
        for name in ("ETag", "Vary", "Cache-Control", "Access-Control-Allow-Origin"):
            assert short[name] == full[name]
        assert "Content-Type" not in short

    @override_settings(MIDDLEWARE=[OURS, "django.middleware.common.CommonMiddleware"])
    def test_c44_a_304_has_no_length(self, client: Client) -> None:
        for url in ("/page/", "/tagged/"):
            full = get(client, url)
            assert "Content-Length" in full
            for _ in range(2):
                assert "Content-Length" not in get(client, url, full["ETag"])

    @override_settings(NOTMODIFIED={"LEDGER": None})  # it sees no variables of a test
    def test_c5_it_changes_with_the_bytes_and_comes_back_with_them(self, client: Client) -> None:
        first = get(client, "/page/")["ETag"]
        CONTENT["page"] = "other"
        second = get(client, "/page/", first)
        assert (second.status_code, second["ETag"] != first) == (200, True)
        CONTENT["page"] = "<p>" + "hello " * 100
        assert get(client, "/page/", second["ETag"])["ETag"] == first

    def test_a_strong_tag_where_the_bytes_are_the_same_each_time(self, client: Client) -> None:
        assert get(client, "/page/")["ETag"].startswith('"')

    def test_c46_head_has_the_same_tag(self, client: Client) -> None:
        tag = get(client, "/page/")["ETag"]
        assert client.head("/page/")["ETag"] == tag
        assert client.head("/page/", headers={"if-none-match": tag}).status_code == 304

    def test_c46_or_none_where_the_view_leaves_the_content_out(self, client: Client) -> None:
        assert "ETag" not in client.head("/head/")

    @pytest.mark.parametrize("status", [301, 404, 500])
    def test_c35_no_tag_on_other_answers(self, client: Client, status: int) -> None:
        CONTENT["status"] = status
        response = get(client, "/page/", "*")
        assert response.status_code == status
        assert "ETag" not in response

    def test_c75_nor_on_what_must_not_be_stored(self, client: Client) -> None:
        assert "ETag" not in get(client, "/never/")

    def test_nor_on_a_stream_that_nobody_records(self, client: Client) -> None:
        with override_settings(NOTMODIFIED={"LEDGER": None}):
            assert "ETag" not in get(client, "/stream/")

    def test_nor_on_the_answer_to_a_write(self, client: Client) -> None:
        assert "ETag" not in client.post("/page/")

    def test_a_better_validator_stays(self, client: Client) -> None:
        assert get(client, "/tagged/")["ETag"] == '"v1"'

    def test_c43_c74_its_304_says_no_cache_like_its_200(self, client: Client) -> None:
        for response in (get(client, "/tagged/"), get(client, "/tagged/", '"v1"')):
            assert response["Cache-Control"] == "no-cache"

    def test_a_false_if_match_is_412(self, client: Client) -> None:
        assert get(client, "/page/", if_match='"other"').status_code == 412
        assert get(client, "/page/", if_match=get(client, "/page/")["ETag"]).status_code == 200

    @pytest.mark.parametrize("value", ["x", '"', "*, *", "\xff", '"a', "W/", ","])
    def test_no_header_makes_an_error(self, client: Client, value: str) -> None:
        for name in ("if_none_match", "if_match", "if_modified_since", "if_unmodified_since"):
            assert get(client, "/page/", **{name: value}).status_code in (200, 412)


class TestReasons:
    @override_settings(NOTMODIFIED={"CACHE_STATUS": True})
    def test_the_reason_of_a_view_s_own_validators_stays(self, client: Client) -> None:
        get(client, "/tagged/")
        assert "not current" in get(client, "/tagged/", '"v0"')["Cache-Status"]
        assert "did not run" in get(client, "/tagged/", '"v1"')["Cache-Status"]
        assert "not current" in get(client, "/page/", '"v0"')["Cache-Status"]
        assert "a precondition is false" in get(client, "/page/", if_match='"v0"')["Cache-Status"]


class TestGzip:
    def test_c7_each_coding_has_its_own_tag(self, client: Client) -> None:
        plain = get(client, "/page/")
        packed = get(client, "/page/", accept_encoding="gzip")
        assert packed["Content-Encoding"] == "gzip"
        assert packed["ETag"].removeprefix("W/") != plain["ETag"]

    def test_c9_packed_at_random_it_is_weak_and_yet_the_same(self, client: Client) -> None:
        first = get(client, "/page/", accept_encoding="gzip")
        second = get(client, "/page/", accept_encoding="gzip")
        assert first["ETag"] == second["ETag"]
        assert first["ETag"].startswith("W/")
        assert gzip.decompress(first.content) == gzip.decompress(second.content)
        again = get(client, "/page/", first["ETag"], accept_encoding="gzip")
        assert (again.status_code, "Content-Encoding" in again) == (304, False)

    def test_a_tag_of_the_view_s_own_is_weakened_by_it_and_still_matches(
        self, client: Client
    ) -> None:
        packed = get(client, "/tagged/", accept_encoding="gzip")
        assert packed["ETag"] == 'W/"v1"'
        assert get(client, "/tagged/", packed["ETag"], accept_encoding="gzip").status_code == 304


class TestCsrf:
    @override_settings(NOTMODIFIED={"CACHE_STATUS": True, "CSRF": "explain"})
    def test_a_masked_page_has_no_tag_and_says_why(self, client: Client) -> None:
        response = get(client, "/form/")
        assert "ETag" not in response
        assert "CSRF token" in response["Cache-Status"]

    @override_settings(NOTMODIFIED={"LEDGER": None})
    @pytest.mark.parametrize("coding", ["identity", "gzip"])
    def test_without_the_mask_it_has_a_weak_one(self, client: Client, coding: str) -> None:
        get(client, "/form/")  # sets the cookie
        first = get(client, "/form/", accept_encoding=coding)
        assert first["ETag"].startswith("W/")
        again = get(client, "/form/", first["ETag"], accept_encoding=coding)
        assert (again.status_code, again.cookies) == (304, {})  # C47

    @override_settings(NOTMODIFIED={"LEDGER": None})
    def test_it_is_right_for_one_secret_only(self, client: Client) -> None:
        tag = get(client, "/form/")["ETag"]
        client.cookies.clear()
        response = get(client, "/form/", tag)
        assert response.status_code == 200
        assert "csrftoken" in response.cookies

    @override_settings(NOTMODIFIED={"LEDGER": None})
    def test_and_for_one_content(self, client: Client) -> None:
        get(client, "/form/")
        tag = get(client, "/form/")["ETag"]
        CONTENT["page"] = "other"
        assert get(client, "/form/", tag).status_code == 200


class TestCookies:
    def test_what_the_view_sets_is_never_lost(self, client: Client) -> None:
        tag = get(client, "/cookie/")["ETag"]
        assert get(client, "/cookie/", tag).cookies["seen"].value == "yes"


@pytest.fixture
def shared_cache(tmp_path: Path) -> Iterator[None]:
    """A cache that several processes could share."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    with override_settings(CACHES=settings):
        yield


class Clock:
    """The time as the package sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_700_000_000.5
        monkeypatch.setattr(first_seen_module.time, "time", lambda: self.now)


@pytest.mark.usefixtures("shared_cache")
class TestCacheFramework:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        return Clock(monkeypatch)

    def refresh(self) -> None:
        """Django's entries expire; ours, of first sight, stay."""
        cache = caches["default"]
        for request_ in ("/cached/",):
            from django.test import RequestFactory
            from django.utils.cache import get_cache_key

            key = get_cache_key(RequestFactory().get(request_), cache=cache)
            if key:
                cache.delete(key)

    def test_expires_and_max_age_are_as_configured(self, client: Client) -> None:
        response = get(client, "/cached/")
        assert response["Cache-Control"] == "max-age=60"
        assert "Expires" in response

    def test_the_tag_stays_while_the_bytes_stay(self, client: Client, clock: Clock) -> None:
        tag = get(client, "/cached/")["ETag"]
        assert get(client, "/cached/")["ETag"] == tag
        assert get(client, "/cached/", tag).status_code == 304
        self.refresh()
        assert get(client, "/cached/")["ETag"] == tag

    def test_a_page_refreshed_into_the_same_bytes_keeps_its_time(
        self, client: Client, clock: Clock
    ) -> None:
        get(client, "/cached/")
        clock.now += 10
        first = get(client, "/cached/")["Last-Modified"]
        assert parse_date(first) == 1_700_000_001
        clock.now += 1000
        self.refresh()
        assert get(client, "/cached/")["Last-Modified"] == first
        assert get(client, "/cached/", if_modified_since=first).status_code == 304

    def test_a_page_that_comes_back_gets_a_new_time(self, client: Client, clock: Clock) -> None:
        times = []
        for content in ("a", "b", "a"):
            CONTENT["page"] = content
            self.refresh()
            get(client, "/cached/")
            clock.now += 10
            times.append(parse_date(get(client, "/cached/")["Last-Modified"]))
        assert times == sorted(set(times))
        after_b = format_date(times[1] or 0)
        assert get(client, "/cached/", if_modified_since=after_b).status_code == 200

    def test_c12_a_page_first_seen_in_this_second_has_no_time_yet(
        self, client: Client, clock: Clock
    ) -> None:
        assert "Last-Modified" not in get(client, "/cached/")
        clock.now += 0.4
        assert "Last-Modified" not in get(client, "/cached/")

    def test_a_decorator_inside_cache_page_does_not_keep_it_from_caching(
        self, client: Client
    ) -> None:
        first = get(client, "/cached-tagged/")
        CONTENT["page"] = "other"
        assert get(client, "/cached-tagged/").content == first.content
        assert first["Cache-Control"] == "max-age=60"

    def test_pages_outside_the_cache_framework_get_no_time(self, client: Client) -> None:
        assert "Last-Modified" not in get(client, "/page/")


def test_without_a_shared_cache_there_is_no_time(client: Client) -> None:
    get(client, "/cached/")
    assert "Last-Modified" not in get(client, "/cached/")


def test_under_asgi_it_does_the_same() -> None:
    async def visit() -> tuple[Any, Any]:
        client = AsyncClient()
        full = await client.get("/async/")
        return full, await client.get("/async/", headers={"if-none-match": full["ETag"]})

    full, short = asyncio.run(visit())
    assert (full.status_code, short.status_code) == (200, 304)
