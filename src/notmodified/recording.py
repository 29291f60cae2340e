"""What a view says itself of how its responses are recorded.

Three decorators, for function views, coroutine functions, and methods through
``method_decorator``. Without any of them everything is found out while the view runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.apps import apps
from django.db import connections, models, router

from notmodified.causes import Cause
from notmodified.reads.recorder import Recorder, current

View = TypeVar("View", bound=Callable[..., Any])
Say = Callable[[Recorder], None]


def never_recorded(view: View) -> View:
    """Run `view` for every request: its responses are not recorded."""
    cause = Cause.NOT_ASKED_FOR
    return _saying(lambda recorder: recorder.spoil(cause, cause.value), view)


def depends_on(*models_: type[models.Model] | str) -> Callable[[View], View]:
    """Say that every row of some models counts, by whatever way the view comes to know them: a
    cursor of the driver itself, a file that is made from them.

    `models_` are classes, or names such as ``"app.Model"``. Raises LookupError for a name that is
    no installed model's when the view is first run.
    """
    if not models_ or any(callable(one) and not _is_model(one) for one in models_):
        raise TypeError("depends_on() takes models, as in @depends_on(Book) or ('app.Book').")

    def say(recorder: Recorder) -> None:
        for one in models_:
            model = apps.get_model(one) if isinstance(one, str) else one
            connection = connections[router.db_for_read(model)]
            connection.ensure_connection()
            recorder.depend(connection, [model._meta.db_table])

    return lambda view: _saying(say, view)


def fresh_for(seconds: float) -> Callable[[View], View]:
    """Say that whatever nobody can see, or that is not understood, is right for so many seconds:
    the time, a cache, a file, another server.

    Writes to the tables that the view reads are noticed all the same, at once.
    """
    if callable(seconds) or not seconds > 0:
        raise TypeError("fresh_for() takes a number of seconds above zero, as in @fresh_for(60).")

    def say(recorder: Recorder) -> None:
        recorder.fresh_for = min(seconds, recorder.fresh_for or seconds)

    return lambda view: _saying(say, view)


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, models.Model)


def _saying(say: Say, view: View) -> View:
    if iscoroutinefunction(view):

        @wraps(view)
        async def ainner(*args: Any, **kwargs: Any) -> Any:
            recorder = current()
            if recorder is not None:
                await sync_to_async(say)(recorder)
            return await view(*args, **kwargs)

        return ainner  # type: ignore[return-value]

    @wraps(view)
    def inner(*args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is not None:
            say(recorder)
        return view(*args, **kwargs)

    return inner  # type: ignore[return-value]
