"""The memory of header fields: bounded, and never wrong."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.views.decorators.clickjacking import xframe_options_exempt

from notmodified.decorators import etag
from notmodified.records.headers import MOST_VARIANTS, HeaderMemory, resource_of
from tests.helpers import Page, request

requests = RequestFactory()


def remember(memory: HeaderMemory, path: str, version: Any, **fields: str) -> None:
    made = request(path=path)
    response = HttpResponse(headers={name.replace("_", "-"): v for name, v in fields.items()})
    memory.remember(resource_of("v", made), made, version, response, csrf_masked=False, now=0)


def recall(memory: HeaderMemory, path: str, version: Any) -> Any:
    made = request(path=path)
    return memory.recall(resource_of("v", made), made, version)


def test_the_least_recently_used_resource_goes_first() -> None:
    memory = HeaderMemory(most=2)
    remember(memory, "/a", 1)
    remember(memory, "/b", 1)
    assert recall(memory, "/a", 1)
    remember(memory, "/c", 1)
    assert (recall(memory, "/b", 1), bool(recall(memory, "/a", 1))) == (None, True)


def test_the_oldest_version_of_a_resource_goes_first() -> None:
    memory = HeaderMemory()
    for version in range(MOST_VARIANTS + 1):
        remember(memory, "/a", version)
    assert recall(memory, "/a", 0) is None
    assert recall(memory, "/a", 1)


def test_a_changed_vary_forgets_what_went_before() -> None:
    memory = HeaderMemory()
    remember(memory, "/a", 1)
    remember(memory, "/a", 2, Vary="Accept")
    assert recall(memory, "/a", 1) is None
    assert recall(memory, "/a", 2)


def test_host_scheme_path_and_query_tell_resources_apart() -> None:
    made = [
        requests.get("/a"),
        requests.get("/b"),
        requests.get("/a?x=1"),
        requests.get("/a", headers={"host": "other"}),
        requests.get("/a", secure=True),
    ]
    assert len({resource_of("v", one) for one in made}) == len(made)


def test_two_views_of_one_name_at_one_url_share_nothing() -> None:
    first, second = Page(X_Which="1"), Page(X_Which="2")
    views = [page.decorated(etag(lambda request: "v1")) for page in (first, second)]
    for view in views:
        view(request())
    answers = [view(request(if_none_match='"v1"'))["X-Which"] for view in views]
    assert answers == ["1", "2"]


def test_what_a_view_tells_middleware_by_attributes_is_told_by_its_304_too() -> None:
    @etag(lambda request: "v1")
    @xframe_options_exempt
    def view(request: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        response._csp_config = {"default-src": "x"}  # type: ignore[attr-defined]
        return response

    for _ in range(2):  # after the view, and before it
        short = view(request(if_none_match='"v1"'))
        assert short.status_code == 304
        assert short.xframe_options_exempt
        assert short._csp_config == {"default-src": "x"}


def test_marks_of_one_answer_are_not_those_of_the_next() -> None:
    """Middleware further out may add to what the view has said."""

    @etag(lambda request: "v1")
    def view(request: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        response._csp_update = {"img-src": ["a"]}  # type: ignore[attr-defined]
        return response

    view(request())._csp_update["img-src"].append("evil")
    for _ in range(2):
        short = view(request(if_none_match='"v1"'))
        assert short._csp_update == {"img-src": ["a"]}
        short._csp_update["img-src"].append("evil")


@pytest.mark.parametrize("field", ["X-Forwarded-Host", "X-Forwarded-Port"])
def test_hosts_that_a_proxy_names_are_resources_of_their_own(field: str) -> None:
    page = Page()
    view = page.decorated(etag(lambda request: "v1"))
    view(request())
    view(request(if_none_match='"v1"', **{field: "other"}))
    assert page.runs == 2


def test_threads_may_use_it_at_once() -> None:
    memory = HeaderMemory(most=3)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(300):
                remember(memory, f"/{(number + turn) % 7}", turn % 3)
                recall(memory, f"/{turn % 7}", turn % 3)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
