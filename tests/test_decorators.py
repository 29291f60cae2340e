"""The decorators on function views: C5, C8, C10, C12, C17–C47 where a view is concerned."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.test import override_settings
from django.utils import timezone as timezones
from django.utils import translation
from django.utils.http import http_date
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_headers

from notmodified.decorators import condition, etag, last_modified
from notmodified.exchange.known import ValidatorError
from notmodified.http.entity_tags import EntityTag
from notmodified.validators import ABSENT, UNKNOWN, Validator, Version, content
from tests.helpers import Page, async_requests, request

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
AT_NOON = http_date(NOON.timestamp())


class Stated(Validator):
    """A validator that says what it is told to."""

    def __init__(self, *versions: Version) -> None:
        self.versions = list(versions)

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]


def tagged(tag: Any) -> Any:
    return etag(lambda request, *args, **kwargs: tag)


def warmed(page: Page, decorator: Any) -> Any:
    """The decorated view, after this process has seen it answer 200."""
    view = page.decorated(decorator)
    view(request())
    page.runs = 0
    return view


class TestGet:
    def test_a_first_visit_gets_the_validators(self) -> None:
        view = Page().decorated(condition(lambda request: "v1", lambda request: NOON))
        response = view(request())
        assert response.status_code == 200
        assert response["ETag"] == '"v1"'
        assert response["Last-Modified"] == AT_NOON

    def test_a_return_visit_gets_a_304_and_the_view_does_not_run(self) -> None:
        page = Page()
        view = warmed(page, tagged("v1"))
        response = view(request(if_none_match='"v1"'))
        assert (response.status_code, response.content, page.runs) == (304, b"", 0)

    def test_c46_so_does_a_head(self) -> None:
        page = Page()
        view = warmed(page, tagged("v1"))
        assert view(request("HEAD", if_none_match='"v1"')).status_code == 304
        assert page.runs == 0

    def test_c29_by_date(self) -> None:
        page = Page()
        view = warmed(page, last_modified(lambda request: NOON))
        later = http_date((NOON + timedelta(hours=1)).timestamp())
        earlier = http_date((NOON - timedelta(hours=1)).timestamp())
        assert view(request(if_modified_since=AT_NOON)).status_code == 304
        assert view(request(if_modified_since=later)).status_code == 304
        assert page.runs == 0
        assert view(request(if_modified_since=earlier)).status_code == 200

    def test_a_change_gets_the_new_page(self) -> None:
        view = warmed(Page(), tagged("v2"))
        response = view(request(if_none_match='"v1"'))
        assert (response.status_code, response["ETag"]) == (200, '"v2"')

    def test_c43_a_304_carries_what_the_200_does(self) -> None:
        def page(request: HttpRequest) -> HttpResponse:
            response = HttpResponse("x", headers={"Content-Location": "/here", "X-Custom": "1"})
            response.set_cookie("a", "b")
            return response

        inner = vary_on_headers("Accept-Language")(cache_control(max_age=60)(page))
        view = tagged("v1")(inner)
        full = view(request())
        short = view(request(if_none_match='"v1"'))
        assert short.status_code == 304
        for name in ("ETag", "Vary", "Cache-Control", "Content-Location", "X-Custom"):
            assert short[name] == full[name]
        assert "Content-Type" not in short  # C44
        assert not short.cookies  # C47

    def test_c43_also_where_this_process_has_not_seen_the_200_yet(self) -> None:
        page = Page(Vary="Accept")
        view = page.decorated(tagged("v1"))
        response = view(request(if_none_match='"v1"'))
        assert (response.status_code, response["Vary"], page.runs) == (304, "Accept", 1)
        assert view(request(if_none_match='"v1"'))["Vary"] == "Accept"
        assert page.runs == 1

    def test_c43_expires_is_as_far_ahead_as_in_the_200(self) -> None:
        page = Page(
            Cache_Control="max-age=600", Expires=http_date(datetime.now().timestamp() + 600)
        )
        view = warmed(page, tagged("v1"))
        expires = view(request(if_none_match='"v1"'))["Expires"]
        ahead = datetime.strptime(expires, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        assert 595 <= (ahead - datetime.now(UTC)).total_seconds() <= 605

    def test_c68_variants_by_a_request_field_are_remembered_apart(self) -> None:
        def page(request: HttpRequest) -> HttpResponse:
            language = request.headers["Accept-Language"]
            return HttpResponse(headers={"Vary": "Accept-Language", "X-Language": language})

        view = tagged("v1")(page)
        view(request(accept_language="de"))
        view(request(accept_language="en"))
        for language in ("de", "en"):
            response = view(request(accept_language=language, if_none_match='"v1"'))
            assert response["X-Language"] == language

    def test_c69_vary_asterisk_is_never_answered_from_memory(self) -> None:
        page = Page(Vary="*")
        view = warmed(page, tagged("v1"))
        assert view(request(if_none_match='"v1"')).status_code == 304
        assert page.runs == 1

    def test_each_url_is_remembered_apart(self) -> None:
        page = Page()
        view = warmed(page, tagged("v1"))
        view(request(path="/?page=2", if_none_match='"v1"'))
        assert page.runs == 1

    def test_c74_a_response_that_states_no_freshness_says_no_cache(self) -> None:
        assert Page().decorated(tagged("v1"))(request())["Cache-Control"] == "no-cache"
        page = Page(Cache_Control="max-age=5")
        assert page.decorated(tagged("v1"))(request())["Cache-Control"] == "max-age=5"

    def test_validators_that_the_view_has_set_stay(self) -> None:
        page = Page(ETag='"mine"', Last_Modified=AT_NOON)
        view = page.decorated(condition(lambda request: "v1", lambda request: NOON.replace(hour=1)))
        response = view(request())
        assert (response["ETag"], response["Last-Modified"]) == ('"mine"', AT_NOON)
        assert view(request(if_none_match='"mine"')).status_code == 304
        assert view(request(if_none_match='"mine-gzip"')).status_code == 200


class TestAnswersThatAreNo2xx:
    """C35: preconditions are ignored, and nothing gets a tag."""

    @pytest.mark.parametrize("status", [302, 401, 403, 404, 422, 500])
    @pytest.mark.parametrize("value", ["*", '"v1"'])
    def test_on_get_the_view_answers(self, status: int, value: str) -> None:
        page = Page(status=status)
        view = page.decorated(tagged("v1"))
        for fields in ({"if_none_match": value}, {"if_match": '"old"'}):
            response = view(request(**fields))
            assert response.status_code == status
            assert "ETag" not in response
            assert "Cache-Control" not in response

    def test_a_404_of_the_view_as_an_exception(self) -> None:
        @tagged("v1")
        def view(request: HttpRequest) -> HttpResponse:
            raise Http404

        with pytest.raises(Http404):
            view(request(if_none_match="*"))

    def test_c36_a_view_that_refuses_after_it_has_once_agreed(self) -> None:
        allowed = True

        @tagged("v1")
        def view(request: HttpRequest) -> HttpResponse:
            if not allowed:
                raise PermissionDenied
            return HttpResponse()

        @tagged("v1")
        def redirecting(request: HttpRequest) -> HttpResponse:
            return HttpResponseRedirect("/login/")

        view(request())
        assert redirecting(request(if_none_match='"v1"')).status_code == 302


class TestUnsafeMethods:
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE"])
    def test_c38_a_false_if_match_is_412_and_nothing_is_done(self, method: str) -> None:
        page = Page()
        view = page.decorated(tagged("v2"))
        for value in ('"v1"', 'W/"v2"', "v2", "", '*, "v2"'):
            assert view(request(method, if_match=value)).status_code == 412
        assert page.runs == 0
        assert view(request(method, if_match='"v2"')).status_code == 200

    def test_c39_a_replay_of_a_change_already_applied_is_412(self) -> None:
        current = "v1"

        @etag(lambda request: current)
        def view(request: HttpRequest) -> HttpResponse:
            nonlocal current
            current = "v2"
            return HttpResponse()

        assert view(request("PATCH", if_match='"v1"')).status_code == 200
        assert view(request("PATCH", if_match='"v1"')).status_code == 412

    def test_c24_put_with_if_none_match_asterisk_creates_only(self) -> None:
        assert Page().decorated(tagged("v1"))(request("PUT", if_none_match="*")).status_code == 412
        assert Page().decorated(tagged(None))(request("PUT", if_none_match="*")).status_code == 200

    def test_c25_put_with_if_match_asterisk_changes_only(self) -> None:
        assert Page().decorated(tagged("v1"))(request("PUT", if_match="*")).status_code == 200
        assert Page().decorated(tagged(None))(request("PUT", if_match="*")).status_code == 412

    def test_c21_without_a_tag_a_last_modified_time_is_a_representation_too(self) -> None:
        view = Page().decorated(last_modified(lambda request: NOON))
        assert view(request("PUT", if_match="*")).status_code == 200
        assert view(request("PUT", if_none_match="*")).status_code == 412

    def test_a_validator_says_for_itself_what_exists(self) -> None:
        for version, if_match, if_none_match in (
            (ABSENT, 412, 200),
            (UNKNOWN, 412, 412),
            (Version("v1"), 200, 412),
        ):
            view = Page().decorated(etag(Stated(version)))
            assert view(request("PUT", if_match="*")).status_code == if_match
            assert view(request("PUT", if_none_match="*")).status_code == if_none_match

    def test_the_new_tag_is_sent_after_the_change(self) -> None:
        current = "v1"

        @etag(lambda request: current)
        def view(request: HttpRequest) -> HttpResponse:
            nonlocal current
            current = "v2"
            return HttpResponse()

        assert view(request("PATCH", if_match='"v1"'))["ETag"] == '"v2"'
        assert view(request("POST"))["ETag"] == '"v2"'

    def test_c42_but_after_a_put_only_if_it_was_stored_as_sent(self) -> None:
        assert "ETag" not in Page().decorated(tagged("v1"))(request("PUT"))
        decorator = etag(lambda request: "v1", stored_as_sent=True)
        assert Page().decorated(decorator)(request("PUT"))["ETag"] == '"v1"'

    def test_the_answer_to_a_post_that_created_something_else_has_none(self) -> None:
        assert "ETag" not in Page(status=201).decorated(tagged("v1"))(request("POST"))

    def test_a_failed_change_has_none(self) -> None:
        assert "ETag" not in Page(status=422).decorated(tagged("v1"))(request("PATCH"))

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    def test_c41_a_required_precondition_that_is_missing_is_428(self, method: str) -> None:
        page = Page()
        view = page.decorated(etag(lambda request: "v1", precondition_required=True))
        response = view(request(method))
        assert (response.status_code, response["Cache-Control"], page.runs) == (428, "no-store", 0)
        assert b"If-Match" in response.content
        assert view(request(method, if_match='"v1"')).status_code == 200
        assert view(request("GET")).status_code == 200
        assert view(request("POST")).status_code == 200

    def test_c37_options_ignores_preconditions_and_validators(self) -> None:
        response = Page().decorated(tagged("v1"))(request("OPTIONS", if_match='"v0"'))
        assert response.status_code == 200
        assert "ETag" not in response


class TestWhatCallablesMayReturn:
    @pytest.mark.parametrize(
        ("returned", "sent"),
        [
            ("abc", '"abc"'),
            ('"abc"', '"abc"'),
            ('W/"abc"', 'W/"abc"'),
            (EntityTag("abc", weak=True), 'W/"abc"'),
            ("", '""'),
        ],
    )
    def test_tags(self, returned: Any, sent: str) -> None:
        assert Page().decorated(tagged(returned))(request())["ETag"] == sent

    @pytest.mark.parametrize("returned", ["größe", "a,b", '"a,b"', 'a"b', "a b", "a\\b", "a\r\nb"])
    def test_c2_text_that_is_unsafe_in_a_tag_becomes_its_hash(self, returned: str) -> None:
        tag = Page().decorated(tagged(returned))(request())["ETag"]
        assert EntityTag.parse(tag) is not None
        assert tag.isascii()
        view = warmed(Page(), tagged(returned))
        assert view(request(if_none_match=tag)).status_code == 304

    def test_none_is_no_tag(self) -> None:
        assert "ETag" not in Page().decorated(tagged(None))(request())

    @pytest.mark.parametrize("returned", [7, b"abc", 1.5, object(), ["a"]])
    def test_nonsense_is_an_error_that_names_the_view(self, returned: Any) -> None:
        with pytest.raises(ValidatorError, match=r"ETag callable of tests\.helpers\..*page"):
            Page().decorated(tagged(returned))(request())

    @pytest.mark.parametrize("returned", ["2024-05-01", 7, NOON.date()])
    def test_a_time_that_is_none_is_an_error_that_names_the_view(self, returned: Any) -> None:
        with pytest.raises(ValidatorError, match="page returned"):
            Page().decorated(last_modified(lambda request: returned))(request())

    @pytest.mark.parametrize(
        "said",
        ["v1", None, Version(7), Version("a", NOON), Version("a", 1.5), Version(b"a")],  # type: ignore[arg-type]
    )
    @pytest.mark.parametrize("decorator", [etag, last_modified])
    def test_a_validator_that_says_nonsense_is_an_error_that_names_the_view(
        self, decorator: Any, said: Any
    ) -> None:
        with pytest.raises(ValidatorError, match=r"Stated\.version\(\) returned .*page.*Version"):
            Page().decorated(decorator(Stated(said)))(request())

    def test_a_class_in_place_of_a_validator_is_an_error(self) -> None:
        with pytest.raises(TypeError, match=r"page.*content is a class.*@etag\(content\("):
            Page().decorated(etag(content))

    def test_a_decorator_without_brackets_is_an_error_that_names_the_view(self) -> None:
        def bare(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        with pytest.raises(TypeError, match=r"bare is decorated without brackets"):
            etag(bare)(request())

    def test_zones_of_one_name_or_of_one_offset_are_told_apart(self) -> None:
        """Their pages show other times, or another name."""
        zones = [
            timezone(timedelta(hours=hours), name)
            for hours, name in ((-6, "CST"), (8, "CST"), (1, "CET"), (1, "WAT"))
        ]
        view = Page().decorated(etag(Stated(Version("v1"))))
        tags = set()
        for zone in zones:
            with timezones.override(zone):
                tags.add(view(request())["ETag"])
        assert len(tags) == 4

    def test_an_exception_goes_its_way_with_a_note_that_names_the_view(self) -> None:
        def broken(request: HttpRequest) -> str:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            Page().decorated(etag(broken))(request())
        assert "page" in caught.value.__notes__[0]

    def test_a_naive_time_counts_as_utc_as_in_django(self) -> None:
        view = Page().decorated(last_modified(lambda request: NOON.replace(tzinfo=None)))
        assert view(request())["Last-Modified"] == AT_NOON

    @override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin")
    def test_an_hour_that_the_clocks_go_through_twice_is_no_time(self) -> None:
        twice = datetime(2024, 10, 27, 2, 30)
        assert "Last-Modified" not in Page().decorated(last_modified(lambda r: twice))(request())

    def test_c10_c12_a_second_that_has_not_passed_is_left_out(self) -> None:
        for moment in (datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)):
            view = Page().decorated(last_modified(lambda request, moment=moment: moment))
            assert "Last-Modified" not in view(request())
            later = http_date((moment + timedelta(days=1)).timestamp())
            assert view(request(if_modified_since=later)).status_code == 200

    def test_c16_fractions_of_a_second_are_cut_off(self) -> None:
        moment = NOON.replace(microsecond=999_999)
        view = warmed(Page(), last_modified(lambda request: moment))
        assert view(request())["Last-Modified"] == AT_NOON
        assert view(request(if_modified_since=AT_NOON)).status_code == 304

    def test_callables_get_the_arguments_of_the_view(self) -> None:
        view = Page().decorated(etag(lambda request, pk, *, kind: f"{kind}-{pk}"))
        assert view(request(), 5, kind="x")["ETag"] == '"x-5"'


class TestMisuse:
    @pytest.mark.parametrize("given", ["v1", 7, NOON])
    def test_a_decorator_without_a_callable_says_what_is_needed(self, given: Any) -> None:
        with pytest.raises(TypeError, match="a callable is needed"):
            Page().decorated(etag(given))

    def test_a_decorator_given_the_view_itself(self) -> None:
        with pytest.raises(TypeError, match="decorates a view"):
            condition(lambda request: "v1")("not a view")  # type: ignore[arg-type]

    @pytest.mark.parametrize("inner", [login_required, permission_required("x")])
    def test_c36_a_permission_decorator_inside_is_refused(self, inner: Any) -> None:
        with pytest.raises(ImproperlyConfigured, match="below @login_required"):
            Page().decorated(lambda view: tagged("v1")(inner(view)))

    def test_c36_outside_it_is_right(self) -> None:
        view = Page().decorated(lambda view: login_required(tagged("v1")(view)))
        assert callable(view)


class TestValidators:
    def test_the_language_the_page_is_in_is_part_of_the_tag(self) -> None:
        view = Page().decorated(etag(Stated(Version("v1"))))
        with translation.override("de"):
            german = view(request())["ETag"]
        with translation.override("en"):
            english = view(request())["ETag"]
        assert german != english  # C8

    def test_so_is_the_build(self) -> None:
        view = Page().decorated(etag(Stated(Version("v1"))))
        before = view(request())["ETag"]
        with override_settings(NOTMODIFIED={"BUILD": "2"}):
            assert view(request())["ETag"] != before

    def test_what_moves_while_the_view_runs_gives_no_tag(self) -> None:
        view = Page().decorated(etag(Stated(Version("v1"), Version("v2"))))
        response = view(request())
        assert response.status_code == 200
        assert "ETag" not in response  # C5

    def test_a_validator_in_both_places_is_asked_once_before_the_view(self) -> None:
        asked = []

        class Counting(Validator):
            def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
                asked.append(1)
                return Version("v1", last_modified=int(NOON.timestamp()))

        both = Counting()
        view = warmed(Page(), condition(both, both))
        asked.clear()
        tag = view(request())["ETag"]
        asked.clear()
        assert view(request(if_none_match=tag)).status_code == 304
        assert len(asked) == 1

    def test_http404_in_a_validator_means_that_nothing_exists(self) -> None:
        class Missing(Validator):
            def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
                raise Http404

        view = Page(status=404).decorated(etag(Missing()))
        assert view(request(if_none_match="*")).status_code == 404
        assert view(request("PUT", if_match="*")).status_code == 412

    def test_a_page_rendered_later_is_finished_when_it_is_rendered(self) -> None:
        versions = Stated(Version("v1"), Version("v1"))

        @etag(versions)
        def view(request: HttpRequest) -> TemplateResponse:
            return TemplateResponse(request, [])

        response = view(request())
        assert "ETag" not in response
        versions.versions = [Version("v2")]  # moved between the view and the rendering
        response.resolve_template = lambda name: type("T", (), {"render": lambda s, c, r: "x"})()
        assert "ETag" not in response.render()

    def test_c9_a_stream_gets_a_weak_tag(self) -> None:
        @etag(Stated(Version("v1")))
        def view(request: HttpRequest) -> StreamingHttpResponse:
            return StreamingHttpResponse(iter([b"x"]))

        assert view(request())["ETag"].startswith("W/")


class TestCsrf:
    """C9: a page with a CSRF token has other bytes each time, and is right for one secret."""

    SECRET = "a" * 32
    OTHER = "b" * 32

    def page(self, secret: str, **fields: str) -> tuple[HttpRequest, Any]:
        req = request(cookie=f"csrftoken={secret}", **fields)
        req.META["CSRF_COOKIE"] = secret
        return req, self.view(req)

    @staticmethod
    @tagged("v1")
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(get_token(request))

    def test_its_tag_is_weak_and_bound_to_the_secret(self) -> None:
        _, first = self.page(self.SECRET)
        _, second = self.page(self.SECRET)
        _, other = self.page(self.OTHER)
        assert first["ETag"].startswith("W/")
        assert first["ETag"] == second["ETag"] != other["ETag"]

    def test_it_is_answered_304_for_the_same_secret_only(self) -> None:
        _, first = self.page(self.SECRET)
        _, same = self.page(self.SECRET, if_none_match=first["ETag"])
        _, other = self.page(self.OTHER, if_none_match=first["ETag"])
        assert (same.status_code, other.status_code) == (304, 200)
        assert same["ETag"] == first["ETag"]

    def test_the_unbound_tag_never_matches(self) -> None:
        self.page(self.SECRET)
        _, response = self.page(self.SECRET, if_none_match='"v1"')
        assert response.status_code == 200


class TestAsync:
    def run(self, view: Any, **fields: str) -> Any:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return asyncio.run(view(async_requests.get("/", headers=headers)))

    def test_a_coroutine_function_stays_one(self) -> None:
        @tagged("v1")
        async def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse("x")

        assert iscoroutinefunction(view)
        assert self.run(view)["ETag"] == '"v1"'
        assert self.run(view, if_none_match='"v1"').status_code == 304

    def test_callables_may_be_coroutine_functions_on_both_kinds_of_views(self) -> None:
        async def tag(request: HttpRequest) -> str:
            await asyncio.sleep(0)
            return "v1"

        @etag(tag)
        async def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse("x")

        assert self.run(view)["ETag"] == '"v1"'
        assert Page().decorated(etag(tag))(request())["ETag"] == '"v1"'

    def test_a_callable_that_uses_the_orm_may_be_synchronous(self) -> None:
        from django.utils.asyncio import async_unsafe

        @async_unsafe
        def like_the_orm() -> str:
            return "v1"

        @etag(lambda request: like_the_orm())
        async def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse("x")

        assert self.run(view)["ETag"] == '"v1"'

    def test_a_validator_is_asked_before_and_after(self) -> None:
        @etag(Stated(Version("v1"), Version("v2")))
        async def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse("x")

        assert "ETag" not in self.run(view)

    def test_c38_a_false_if_match_is_412(self) -> None:
        @tagged("v2")
        async def view(request: HttpRequest) -> HttpResponse:
            raise AssertionError("must not run")

        put = async_requests.put("/", headers={"if-match": '"v1"'})
        assert asyncio.run(view(put)).status_code == 412


class TestReasons:
    @override_settings(NOTMODIFIED={"CACHE_STATUS": True})
    def test_every_answer_says_why_where_the_settings_allow_it(self) -> None:
        page = Page()
        view = page.decorated(tagged("v1"))
        assert "the client holds no copy" in view(request())["Cache-Status"]
        assert view(request(if_none_match='"v1"'))["Cache-Status"].startswith("notmodified; hit")
        assert "not current" in view(request(if_none_match='"v0"'))["Cache-Status"]

    def test_and_is_silent_otherwise(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "notmodified")
        response = Page().decorated(tagged("v1"))(request())
        assert "Cache-Status" not in response
        assert "GET /: the client holds no copy" in caplog.text
