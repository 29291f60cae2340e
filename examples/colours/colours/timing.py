"""Says in each response what it cost: ``Server-Timing: db;desc="<queries>"``, and who answered.

Rules of this module:

- It stands around the whole application, so that answers that Django never sees are counted too.
- Queries are counted on the connections themselves, whoever makes them: the view, a validator, the
  session, the cache framework.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

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


Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ServerTiming:
    """Puts the number of queries and the worker's process id into each response."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        _thread.queries = 0

        def start(status: str, fields: list[tuple[str, str]], *rest: Any) -> Any:
            cost = [
                ("Server-Timing", f'db;desc="{_thread.queries}"'),
                ("X-Worker", str(os.getpid())),
            ]
            return start_response(status, [*fields, *cost], *rest)

        return self._application(environ, start)
