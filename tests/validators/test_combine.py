"""Several validators as one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from notmodified.decorators import etag
from notmodified.validators import ABSENT, UNKNOWN, Validator, Version, combine, content
from tests.helpers import Page, request


class Stated(Validator):
    def __init__(self, version: Version) -> None:
        self.stated = version

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return self.stated


def of(*versions: Version) -> Version:
    return combine(*map(Stated, versions)).version(request())


def test_it_moves_when_any_part_moves() -> None:
    texts = {of(Version(a), Version(b)).text for a in "xy" for b in "xy"}
    assert len(texts) == 4
    assert of(Version("ab"), Version("c")).text != of(Version("a"), Version("bc")).text


def test_it_is_known_when_all_are_weak_when_one_is_and_as_late_as_the_latest() -> None:
    assert of(Version("a"), UNKNOWN).text is None
    assert of(Version("a"), Version("b", weak=True)).weak
    assert of(Version("a", last_modified=5), Version("b", last_modified=7)).last_modified == 7
    assert of(Version("a", last_modified=5), Version("b")).last_modified is None


def test_it_exists_if_every_part_does() -> None:
    assert of(Version("a"), ABSENT).exists is False
    assert of(Version("a"), UNKNOWN).exists is None
    assert of(Version("a"), Version("b")).exists is True


def test_a_callable_says_what_else_the_page_varies_by() -> None:
    both = combine(Stated(Version("a")), lambda request, **kwargs: kwargs["user"])
    assert both.version(request(), user="x") != both.version(request(), user="y")
    assert both.version(request(), user=None).text is None
    assert asyncio.run(both.aversion(request(), user="x")) == both.version(request(), user="x")


@pytest.mark.parametrize("nonsense", [7, b"x", object()])
def test_a_callable_that_returns_nonsense_is_named(nonsense: Any) -> None:
    def owner(request: HttpRequest) -> Any:
        return nonsense

    with pytest.raises(TypeError, match=r"owner returned .* to combine\(\)"):
        combine(owner).version(request())


def test_misuse() -> None:
    with pytest.raises(TypeError, match="at least one"):
        combine()
    with pytest.raises(TypeError, match="validators and callables"):
        combine("v1")  # type: ignore[arg-type]


def test_with_content_it_is_known_after_the_render() -> None:
    page = Page("one")
    user = "x"
    view = page.decorated(etag(combine(content(), lambda request: user)))
    first = view(request())["ETag"]
    assert view(request())["ETag"] == first
    assert view(request(if_none_match=first)).status_code == 304
    user = "y"
    assert view(request())["ETag"] != first
    page.content, user = "two", "x"
    assert view(request())["ETag"] != first


def test_what_a_part_refuses_the_whole_refuses() -> None:
    view = Page(Cache_Control="no-store").decorated(etag(combine(content(), lambda request: "x")))
    response: HttpResponse = view(request())
    assert "ETag" not in response
