"""The content hash as a view's own validator (the middleware's tests have the rest)."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from hypothesis import given
from hypothesis import strategies as st

from notmodified.decorators import condition, etag
from notmodified.validators import content
from notmodified.validators.content import version_of_content
from tests.helpers import Page, request

responses = st.builds(
    lambda body, status, kind, language, coding: (body, status, kind, language, coding),
    st.binary(max_size=8),
    st.sampled_from([200, 203]),
    st.sampled_from(["text/html", "text/plain"]),
    st.sampled_from(["", "de", "en"]),
    st.sampled_from(["", "br", "x"]),
)


def built(parts: tuple[bytes, int, str, str, str]) -> HttpResponse:
    body, status, kind, language, coding = parts
    response = HttpResponse(body, status=status, content_type=kind)
    for name, value in (("Content-Language", language), ("Content-Encoding", coding)):
        if value:
            response[name] = value
    return response


@given(responses, responses)
def test_c5_c7_c8_tags_are_equal_only_for_equal_representations(
    one: tuple[bytes, int, str, str, str], other: tuple[bytes, int, str, str, str]
) -> None:
    versions = [version_of_content(request(), built(parts)).text for parts in (one, other)]
    assert (versions[0] == versions[1]) == (one == other)


def test_a_view_that_was_decorated_with_it() -> None:
    page = Page("one")
    view = page.decorated(etag(content()))
    tag = view(request())["ETag"]
    assert view(request(if_none_match=tag)).status_code == 304
    page.content = "two"
    assert view(request(if_none_match=tag)).status_code == 200


def test_a_template_is_hashed_once_it_is_rendered() -> None:
    class Rendered(SimpleTemplateResponse):
        @property
        def rendered_content(self) -> str:
            return "rendered"

    view = etag(content())(lambda request: Rendered([]))
    response = view(request())
    tag = response.render()["ETag"]
    assert view(request(if_none_match=tag)).render().status_code == 304


def test_on_unsafe_methods_every_precondition_is_refused() -> None:
    page = Page()
    view = page.decorated(etag(content()))
    for fields in ({"if_match": "*"}, {"if_match": '"x"'}, {"if_none_match": '"x"'}):
        assert view(request("PUT", **fields)).status_code == 412
    assert page.runs == 0


@pytest.mark.parametrize("status", [404, 302, 500])
def test_c35_other_answers_have_none(status: int) -> None:
    assert "ETag" not in Page(status=status).decorated(etag(content()))(request())


def test_c9_a_page_with_a_csp_nonce_has_none() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request._csp_nonce = "random"  # type: ignore[attr-defined]
        return HttpResponse("<script nonce=random>")

    for decorator in (etag(content()), etag(lambda request: "v1"), condition(lambda r: "v1")):
        assert "ETag" not in decorator(view)(request())
