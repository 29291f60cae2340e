"""Decorators for views: Django's ``condition``, ``etag`` and ``last_modified``, and more.

They take what ``django.views.decorators.http`` takes, and in place of a callable also a validator
(:mod:`notmodified.validators`) or a coroutine function; they decorate function views, coroutine
functions, methods (through ``method_decorator``) and what ``as_view()`` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified.exchange.conditions import Conditions
from notmodified.exchange.known import Source
from notmodified.validators.base import name_of
from notmodified.views import conditioned_class_view, conditioned_dispatch, refuse_inner_permissions

View = Callable[..., Any]


def condition(
    etag_func: Source | None = None,
    last_modified_func: Source | None = None,
    *,
    stored_as_sent: bool = False,
    precondition_required: bool = False,
) -> Callable[[View], View]:
    """Answer conditional requests for a view (RFC 9110 §13), without running it where possible.

    `etag_func` and `last_modified_func` are validators, or callables (also coroutine functions)
    called with the view's arguments. The first returns a str, quoted or not, or an EntityTag; the
    second an aware datetime; both ``None`` if the resource does not exist.

    `stored_as_sent` says that the view stores the content of a PUT as it was sent, so that the
    answer may carry the new validators (RFC 9110 §9.3.4). `precondition_required` answers 428 to
    PUT, PATCH and DELETE without a precondition (RFC 6585 §3).

    Raises TypeError for what is neither, and ImproperlyConfigured for a view whose permission
    checks would run after the answer has been given.
    """

    def make(name: str) -> Conditions:
        return Conditions(
            etag_func,
            last_modified_func,
            view=name,
            stored_as_sent=stored_as_sent,
            precondition_required=precondition_required,
        )

    # `method_decorator` decorates anew for each request; what is remembered must outlive that.
    made_once = cache(make)

    def decorator(view: View) -> View:
        if not callable(view):
            bare = isinstance(view, HttpRequest) and callable(etag_func or last_modified_func)
            raise TypeError(
                f"{name_of(etag_func or last_modified_func)} is decorated without brackets: say "
                f"how its version is known, as in @etag(lambda request: ...)."
                if bare
                else f"condition() decorates a view, not {view!r}."
            )
        special: View | None
        special = conditioned_class_view(view, make) or conditioned_dispatch(view, made_once)
        if special is not None:
            return special
        refuse_inner_permissions(view)
        stated = (made_once if isinstance(view, partial) else make)(name_of(view))

        if iscoroutinefunction(view):

            @wraps(view)
            async def ainner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                return await stated.aanswer(request, view, args, kwargs)

            return ainner

        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return stated.answer(request, view, args, kwargs)

        return inner

    return decorator


def etag(etag_func: Source, **options: Any) -> Callable[[View], View]:
    """:func:`condition` with an entity tag alone."""
    return condition(etag_func=etag_func, **options)


def last_modified(last_modified_func: Source, **options: Any) -> Callable[[View], View]:
    """:func:`condition` with a Last-Modified time alone."""
    return condition(last_modified_func=last_modified_func, **options)
