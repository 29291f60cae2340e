"""Conditional requests for operations of django-ninja.

::

    @api.get("/colours/{pk}")
    @condition(field(lambda request, pk: Colour.objects.filter(pk=pk), single=True))
    def colour(request, pk: int): ...

The conditions are judged after the operation's authentication and throttles, and before the
operation; they see the response that ninja makes of its result. Callables are called with the
request and the path's parameters as they stand in the URL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja.decorators import decorate_view
from ninja.operation import Operation

from notmodified.exchange.conditions import Conditions
from notmodified.exchange.known import Source
from notmodified.validators.base import name_of

_TURN = "_notmodified_turn"

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def condition(
    etag_func: Source | None = None,
    last_modified_func: Source | None = None,
    *,
    stored_as_sent: bool = False,
    precondition_required: bool = False,
) -> Decorator:
    """:func:`notmodified.decorators.condition` for an operation, above or below ``@api.get``."""

    def conditioned(run: Callable[..., Any]) -> Callable[..., Any]:
        operation = getattr(run, "__self__", None)
        if not isinstance(operation, Operation):
            raise ImproperlyConfigured(
                "notmodified.contrib.ninja: put condition() nearest to the operation, below every "
                "decorate_view()."
            )
        conditions = Conditions(
            etag_func,
            last_modified_func,
            view=name_of(operation.view_func),
            stored_as_sent=stored_as_sent,
            precondition_required=precondition_required,
        )
        around = _around_async if iscoroutinefunction(run) else _around
        return around(operation, run, conditions)

    decorator: Decorator = decorate_view(conditioned)
    return decorator


def etag(etag_func: Source, **options: Any) -> Decorator:
    """:func:`condition` with an entity tag alone."""
    return condition(etag_func=etag_func, **options)


def last_modified(last_modified_func: Source, **options: Any) -> Decorator:
    """:func:`condition` with a Last-Modified time alone."""
    return condition(last_modified_func=last_modified_func, **options)


def _around(operation: Any, run: Callable[..., Any], conditions: Conditions) -> Callable[..., Any]:
    checks = operation._run_checks

    def run_checks(request: HttpRequest) -> HttpResponseBase | None:
        refusal: HttpResponseBase | None = checks(request)
        return refusal if refusal is not None else getattr(request, _TURN).before()

    @wraps(run)
    def conditioned(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        turn = conditions.turn(request, kwargs=kwargs)
        setattr(request, _TURN, turn)
        return turn.after(run(request, **kwargs))

    operation._run_checks = run_checks
    return conditioned


def _around_async(
    operation: Any, run: Callable[..., Any], conditions: Conditions
) -> Callable[..., Any]:
    checks = operation._run_checks

    async def run_checks(request: HttpRequest) -> HttpResponseBase | None:
        refusal: HttpResponseBase | None = await checks(request)
        return refusal if refusal is not None else await getattr(request, _TURN).abefore()

    @wraps(run)
    async def conditioned(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        turn = conditions.turn(request, kwargs=kwargs)
        setattr(request, _TURN, turn)
        return await turn.aafter(await run(request, **kwargs))

    operation._run_checks = run_checks
    return conditioned
