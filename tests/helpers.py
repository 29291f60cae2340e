"""What several test modules need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

requests = RequestFactory()
async_requests = AsyncRequestFactory()

FIELDS = {
    "if_match": "If-Match",
    "if_none_match": "If-None-Match",
    "if_modified_since": "If-Modified-Since",
    "if_unmodified_since": "If-Unmodified-Since",
}


def request(method: str = "GET", path: str = "/", **fields: str) -> HttpRequest:
    """A request; keyword arguments are header fields, ``if_none_match='"x"'``."""
    headers = {FIELDS.get(name, name.replace("_", "-")): value for name, value in fields.items()}
    return requests.generic(method, path, headers=headers)


class Page:
    """A view that counts how often it ran, and answers what it is told to."""

    def __init__(self, content: str = "page", *, status: int = 200, **headers: str) -> None:
        self.content = content
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.runs = 0
        self.__name__ = self.__qualname__ = "page"
        self.__module__ = "tests.pages"

    def __call__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.runs += 1
        return HttpResponse(self.content, status=self.status, headers=self.headers)

    def decorated(self, decorator: Callable[[Any], Any]) -> Any:
        """This view under `decorator`, as a plain function."""

        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return self(request, *args, **kwargs)

        return decorator(page)
