"""Says in each response what it cost: ``Server-Timing: db;desc="<queries>"``, and who answered.

Rule: queries are counted on the connections themselves, whoever makes them: the view, a validator,
the session, the cache framework.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_thread = threading.local()


def count_queries(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Count the statements of `connection`: a receiver of ``connection_created``.

    Not by ``with connection.execute_wrapper(…)`` in the middleware: leaving it takes the wrapper
    away that came last, which is another's if a connection was first opened inside.
    """
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _counted)


def _counted(execute: Callable[..., Any], *args: Any) -> Any:
    _thread.queries = getattr(_thread, "queries", 0) + 1
    return execute(*args)


class ServerTimingMiddleware:
    """Puts the number of queries and the worker's process id into each response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _thread.queries = 0
        response = self._get_response(request)
        response.headers["Server-Timing"] = f'db;desc="{_thread.queries}"'
        response.headers["X-Worker"] = str(os.getpid())
        return response
