"""Operations of django-ninja: authentication first, then the conditions, then the operation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.decorators import decorate_view

from notmodified import decorators
from notmodified.contrib.ninja import condition, etag, last_modified
from tests.helpers import async_requests, request


def auth(request: HttpRequest) -> str | None:
    return request.headers.get("X-User")


@pytest.fixture
def api() -> NinjaAPI:
    api = NinjaAPI(urls_namespace="tests")
    api.runs = 0  # type: ignore[attr-defined]

    @api.get("/below/{pk}", auth=auth)
    @etag(lambda request, pk: f"v-{pk}")
    def below(request: HttpRequest, pk: int) -> dict[str, int]:
        api.runs += 1  # type: ignore[attr-defined]
        return {"pk": pk}

    @etag(lambda request, pk: f"v-{pk}")
    @api.get("/above/{pk}", auth=auth)
    def above(request: HttpRequest, pk: int) -> dict[str, int]:
        api.runs += 1  # type: ignore[attr-defined]
        return {"pk": pk}

    @api.put("/change/{pk}", auth=auth)
    @condition(lambda request, pk: "v1", precondition_required=True)
    def change(request: HttpRequest, pk: int) -> dict[str, int]:
        api.runs += 1  # type: ignore[attr-defined]
        return {"pk": pk}

    @api.get("/async/{pk}")
    @etag(lambda request, pk: f"v-{pk}")
    async def asynchronous(request: HttpRequest, pk: int) -> dict[str, int]:
        api.runs += 1  # type: ignore[attr-defined]
        return {"pk": pk}

    return api


def call(api: NinjaAPI, name: str, req: HttpRequest) -> Any:
    path_view = next(
        view for path, view in api.default_router.path_operations.items() if name in path
    )
    for operation in path_view.operations:
        operation.api = api
    answer = path_view.get_view()(req, pk="5")
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


@pytest.mark.parametrize("name", ["below", "above"])
def test_an_operation_answers_304_without_running(api: Any, name: str) -> None:
    full = call(api, name, request(x_user="a"))
    assert (full.status_code, full["ETag"], full.content) == (200, '"v-5"', b'{"pk": 5}')
    api.runs = 0
    assert call(api, name, request(x_user="a", if_none_match='"v-5"')).status_code == 304
    assert api.runs == 0


@pytest.mark.parametrize("name", ["below", "above"])
def test_c36_authentication_comes_first(api: Any, name: str) -> None:
    call(api, name, request(x_user="a"))
    assert call(api, name, request(if_none_match='"v-5"')).status_code == 401


def test_c38_c41_writes(api: Any) -> None:
    assert call(api, "change", request("PUT", x_user="a")).status_code == 428
    assert call(api, "change", request("PUT", x_user="a", if_match='"v0"')).status_code == 412
    assert api.runs == 0
    assert call(api, "change", request("PUT", x_user="a", if_match='"v1"')).status_code == 200


def test_async_operations(api: Any) -> None:
    assert call(api, "async", async_requests.get("/"))["ETag"] == '"v-5"'
    again = async_requests.get("/", headers={"if-none-match": '"v-5"'})
    api.runs = 0
    assert call(api, "async", again).status_code == 304
    assert api.runs == 0


def test_the_decorator_for_views_says_which_one_to_use() -> None:
    api = NinjaAPI(urls_namespace="refused")
    with pytest.raises(ImproperlyConfigured, match=r"use notmodified\.contrib\.ninja"):

        @api.get("/x")
        @decorate_view(decorators.etag(lambda request: "v1"))
        def operation(request: HttpRequest) -> str:
            return ""


def test_it_must_be_nearest_to_the_operation() -> None:
    api = NinjaAPI(urls_namespace="nearest")
    with pytest.raises(ImproperlyConfigured, match="nearest to the operation"):

        @last_modified(lambda request: None)
        @api.get("/x")
        @decorate_view(lambda run: lambda request, **kwargs: run(request, **kwargs))
        def operation(request: HttpRequest) -> str:
            return ""
