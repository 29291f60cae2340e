"""Conditional requests for class-based views.

Rule: the conditions stand around the *handler* (``get``, ``put`` …), never around ``dispatch``. So
they are judged after Django's access mixins, and after the authentication, permissions, throttles
and content negotiation of Django REST framework, and before the method is performed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from notmodified.exchange.conditions import Conditions, preconditions_of
from notmodified.exchange.known import Source
from notmodified.validators.base import name_of

_CONDITIONAL_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete"})

MakeConditions = Callable[[str], Conditions]


class ConditionalMixin:
    """Conditional requests for a class-based view, or a view or viewset of REST framework.

    ::

        class ColourView(ConditionalMixin, DetailView):
            etag = field(lambda request, pk: Colour.objects.filter(pk=pk), single=True)

    The attributes are those of :func:`notmodified.decorators.condition`, and can be given to
    ``as_view()`` too. Callables are called with the request and the URL's arguments.
    """

    etag: Source | None = None
    last_modified: Source | None = None
    stored_as_sent: bool = False
    precondition_required: bool = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        cls: Any = type(self)
        conditions = _stated_conditions(
            cls,
            _unbound(self, "etag"),
            _unbound(self, "last_modified"),
            self.stored_as_sent,
            self.precondition_required,
        )
        condition_handler(self, request, conditions, kwargs)
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return answer


@cache
def _stated_conditions(
    cls: Any,
    etag: Source | None,
    last_modified: Source | None,
    stored_as_sent: bool,
    precondition_required: bool,
) -> Conditions:
    """One for all instances of a view, which live for one request each."""
    return Conditions(
        etag,
        last_modified,
        view=name_of(cls),
        stored_as_sent=stored_as_sent,
        precondition_required=precondition_required,
    )


def _unbound(view: object, name: str) -> Source | None:
    """An attribute as it was written: a function in a class body is not meant as a method."""
    value: Source | None = getattr(view, name)
    if getattr(value, "__self__", None) is view:
        return getattr(value, "__func__", value)
    return value


def condition_handler(
    view: Any, request: HttpRequest, conditions: Conditions, kwargs: Mapping[str, Any]
) -> None:
    """Put `conditions` around the handler with which `view` will answer `request`; `kwargs` are
    the URL's."""
    name = (request.method or "").lower()
    handler = getattr(view, name, None)
    if name not in _CONDITIONAL_METHODS or name not in view.http_method_names or handler is None:
        return
    checks_objects = bool(kwargs) and _checks_objects(view)
    if iscoroutinefunction(handler):

        @wraps(handler)
        async def aconditioned(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return await conditions.aanswer(
                request, handler, args, kwargs, variant=_variant(view, request)
            )

        setattr(view, name, aconditioned)
        return

    @wraps(handler)
    def conditioned(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if checks_objects and preconditions_of(request):
            view.get_object()
        return conditions.answer(request, handler, args, kwargs, variant=_variant(view, request))

    setattr(view, name, conditioned)


def _checks_objects(view: Any) -> bool:
    """Whether a view of REST framework has permissions for single objects.

    It checks them when its handler fetches the object; a 304 or 412 must not come before.
    """
    if not (hasattr(view, "get_object") and hasattr(view, "get_permissions")):
        return False
    return any(
        type(permission).has_object_permission.__qualname__
        != "BasePermission.has_object_permission"
        for permission in view.get_permissions()
    )


def _variant(view: Any, request: Any) -> str:
    """The negotiated media type, if it is not the one that the view prefers.

    REST framework's pages for people show who is logged in, and forms for what they may do.
    """
    renderers = getattr(view, "renderer_classes", ())
    renderer = getattr(request, "accepted_renderer", None)
    if renderer is None:
        return ""
    if getattr(renderer, "format", None) == "api":
        return f"{request.accepted_media_type} for {request.user.pk}"
    if not renderers or type(renderer) is renderers[0]:
        return ""
    return str(request.accepted_media_type)


def conditioned_class_view(view: Any, conditions: MakeConditions) -> Any:
    """For what ``as_view()`` returned: the same view with conditions around its handlers.

    ``None`` for other views.
    """
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, View)):
        return None
    if not _is_bare(view):
        raise ImproperlyConfigured(
            f"condition() must be applied to {cls.__name__}.as_view() directly, before any other "
            f"decorator, so that it can stand behind the view's own permission checks."
        )
    stated = conditions(name_of(cls))

    def dispatch(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        condition_handler(self, request, stated, kwargs)
        answer: HttpResponseBase = cls.dispatch(self, request, *args, **kwargs)
        return answer

    # REST framework shows its class's own docstring to people.
    names = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    names["dispatch"] = wraps(cls.dispatch)(dispatch)
    conditional: Any = type(cls.__name__, (cls,), names)
    initkwargs = getattr(view, "view_initkwargs", None) or getattr(view, "initkwargs", {})
    actions = getattr(view, "actions", None)
    made = conditional.as_view(*([actions] if actions else []), **initkwargs)
    for attribute in ("view_class", "cls"):
        if hasattr(made, attribute):
            setattr(made, attribute, cls)
    return made


def _is_bare(view: Any) -> bool:
    """Whether nothing but the exemption from CSRF checks stands around the class's own view."""
    while view.__code__.co_name != "view":
        if not view.__code__.co_filename.endswith("django/views/decorators/csrf.py"):
            return False
        view = view.__wrapped__
    return True


def conditioned_dispatch(view: Any, conditions: MakeConditions) -> Any:
    """For a bound ``dispatch``, as ``method_decorator`` hands it over: the same, with conditions
    around the handler that it will choose. ``None`` for other callables."""
    method = view.func if isinstance(view, partial) else view
    instance = getattr(method, "__self__", None)
    if not isinstance(instance, View) or method.__name__ != "dispatch":
        return None

    @wraps(method)
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        condition_handler(instance, request, conditions(name_of(type(instance))), kwargs)
        return view(request, *args, **kwargs)

    return dispatch


def refuse_inner_permissions(view: Any) -> None:
    """Raise ImproperlyConfigured if permissions are checked inside `view`: by a decorator of
    ``django.contrib.auth``, or by an operation of django-ninja."""
    if hasattr(getattr(view, "__self__", None), "_run_checks"):
        raise ImproperlyConfigured(
            f"{name_of(view)}: use notmodified.contrib.ninja.condition for operations of "
            f"django-ninja, so that their authentication comes before a 304."
        )
    inner = view
    while inner is not None:
        code = getattr(inner, "__code__", None)
        if code is not None and code.co_filename.endswith("contrib/auth/decorators.py"):
            raise ImproperlyConfigured(
                f"{name_of(view)}: put the decorators of conditional requests below "
                f"@login_required, @permission_required and @user_passes_test. Above them, a 304 "
                f"would be sent before the permission is checked."
            )
        inner = getattr(inner, "__wrapped__", None)
