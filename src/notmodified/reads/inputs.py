"""What a view reads of its request: headers, cookies and the rest of ``request.META``, by name.

Rules of this module:

- What selects the resource (method, scheme, host, path, query) is in a record's key already, and is
  not noted.
- What the package itself reads shapes no content; nor do the eager reads of Django's own middleware
  that are listed here, each with its reason.
- What cannot be compared later (a socket, all headers at once) makes the response unprovable.
- The CSRF secret is what its cookie says, or the session.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType, FrameType
from typing import Any, Final, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.http.request import HttpHeaders

from notmodified.causes import Cause
from notmodified.reads import files, sessions
from notmodified.reads.kinds import COOKIE, FILE, META, NO_COOKIES, SESSION
from notmodified.reads.recorder import Recorder

_IN_KEY: Final = frozenset(
    {
        *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.url_scheme"),
        *("HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "CONTENT_TYPE"),
    }
)
_SECRET: Final = "CSRF_COOKIE"
"""Where Django's middleware leaves what it has read of a cookie."""

_COMPARABLE: Final = (str, bytes, int, float, type(None))

T = TypeVar("T")


@cache
def _eager() -> dict[CodeType, frozenset[str]]:
    """What Django's own middleware reads without shaping any content by it, by the code that reads.

    - CommonMiddleware compares the browser's name with DISALLOWED_USER_AGENTS, if there are any.
    - CsrfViewMiddleware takes the secret out of its cookie; a page that asks for a token is known
      by that.
    - SessionMiddleware takes the session's key out of its cookie; see ``sessions``.
    - ``get_conditional_response`` judges preconditions, as we do.
    """
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.middleware.common import CommonMiddleware
    from django.middleware.csrf import CsrfViewMiddleware
    from django.utils.cache import get_conditional_response

    found: dict[Any, frozenset[str]] = {
        CsrfViewMiddleware._get_secret: frozenset({settings.CSRF_COOKIE_NAME}),  # type: ignore[attr-defined]
        CsrfViewMiddleware.process_response: frozenset({"CSRF_COOKIE_NEEDS_UPDATE"}),
        SessionMiddleware.process_request: frozenset({settings.SESSION_COOKIE_NAME}),
        SessionMiddleware.process_response: frozenset({settings.SESSION_COOKIE_NAME}),
        get_conditional_response: frozenset(
            {
                *("HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"),
                *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"),
            }
        ),
    }
    if not settings.DISALLOWED_USER_AGENTS:
        found[CommonMiddleware.process_request] = frozenset({"HTTP_USER_AGENT"})
    return {function.__code__: names for function, names in found.items()}


def _shapes_nothing(frame: FrameType, name: str) -> bool:
    names = _eager().get(frame.f_code)
    if names is not None and name in names:
        return True
    return str(frame.f_globals.get("__name__", "")).startswith("notmodified.")


def _is_comparable(value: object) -> bool:
    """Whether another request can be asked for the same value; tuples are those of WSGI."""
    if isinstance(value, tuple):
        return all(map(_is_comparable, value))
    return isinstance(value, _COMPARABLE)


class _Noted(dict[str, T]):
    """A dict that notes which of its values are read; those put in by the view itself are not."""

    kind = META
    csrf_cookie: str | None = None

    def __init__(self, values: dict[str, T], recorder: Recorder) -> None:
        super().__init__(values)
        self._recorder = recorder
        self._own: set[str] = set()
        # Servers look there for what the application has left for them.
        self._original = values

    in_key = _IN_KEY

    def _note(self, name: str) -> None:
        recorder = self._recorder
        if name in self.in_key or recorder.closed or recorder.reason is not None:
            return
        if name in self._own and name != _SECRET:
            return
        if not _shapes_nothing(sys._getframe(2), name):
            self.note_value(name)

    def note_value(self, name: str) -> None:
        """Note that a value shapes the response, whoever has read it."""
        value = dict.get(self, name)
        if name == _SECRET:
            if not settings.CSRF_USE_SESSIONS:
                self._recorder.note(COOKIE, settings.CSRF_COOKIE_NAME, self.csrf_cookie)
        elif _is_comparable(value):
            self._recorder.note(self.kind, name, value)
        else:
            self._recorder.spoil(Cause.REQUEST, f"request.META[{name!r}]")

    def _note_all(self) -> None:
        if not _shapes_nothing(sys._getframe(2), ""):
            self.note_all()

    def note_all(self) -> None:
        """Note that any value may shape the response."""
        self._recorder.spoil(Cause.REQUEST, f"every {self.kind} value at once")

    def __getitem__(self, name: str) -> T:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return dict.get(self, name, default)

    def __contains__(self, name: object) -> bool:
        self._note(str(name))
        return super().__contains__(name)

    def __setitem__(self, name: str, value: T) -> None:
        self._own.add(name)
        self._original[name] = value
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self._note(name)
        self._own.add(name)
        self._original.pop(name, None)
        super().__delitem__(name)

    def pop(self, name: str, *default: Any) -> Any:
        self._note(name)
        self._own.add(name)
        self._original.pop(name, None)
        return super().pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        self._note(name)
        if not super().__contains__(name):
            self[name] = default
        return super().__getitem__(name)

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def popitem(self) -> tuple[str, T]:
        self._note_all()
        return super().popitem()

    def __iter__(self) -> Iterator[str]:
        self._note_all()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._note_all()
        return super().__reversed__()

    def __len__(self) -> int:
        self._note_all()
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self._note_all()
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        self._note_all()
        return super().__ne__(other)

    def __reduce__(self) -> Any:
        """Copies and pickles are plain dicts."""
        self._note_all()
        return dict, (dict(dict.items(self)),)

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        self._note_all()
        return super().__or__(other)

    def __repr__(self) -> str:
        self._note_all()
        return super().__repr__()

    def copy(self) -> dict[str, T]:
        self._note_all()
        return super().copy()

    def keys(self) -> Any:
        self._note_all()
        return super().keys()

    def values(self) -> Any:
        self._note_all()
        return super().values()

    def items(self) -> Any:
        self._note_all()
        return super().items()


class _NotedCookies(_Noted[str]):
    kind = COOKIE
    in_key = frozenset()

    def __bool__(self) -> bool:
        self._note_all()
        return super().__len__() > 0


class _NotedHeaders(HttpHeaders):
    """``request.headers`` over a noted META."""

    def __init__(self, meta: _Noted[Any]) -> None:
        self._meta = meta

    def __getitem__(self, name: str) -> str:
        field = name.upper().replace("-", "_")
        if field not in self.UNPREFIXED_HEADERS:
            field = f"{self.HTTP_PREFIX}{field}"
        if field not in _IN_KEY:
            self._meta.note_value(field)
        value: str = dict.__getitem__(self._meta, field)
        return value

    @property
    def _store(self) -> dict[str, tuple[str, str]]:  # type: ignore[override]
        self._meta.note_all()
        return HttpHeaders(dict(dict.items(self._meta)))._store

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._store.values()])

    def __len__(self) -> int:
        return len(self._store)


_SCOPE_IN_KEY: Final = frozenset(
    {
        *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string"),
        *("root_path", "server"),
    }
)


class _NotedScope(_Noted[Any]):
    """``request.scope`` of ASGI: the same values again, in other forms."""

    kind = "scope"

    def _note(self, name: str) -> None:
        if name not in _SCOPE_IN_KEY and not _shapes_nothing(sys._getframe(2), name):
            self._recorder.spoil(Cause.REQUEST, f"request.scope[{name!r}]")


def noting(request: HttpRequest, recorder: Recorder) -> None:
    """Have `recorder` note what is read of `request` from now on."""
    cookies = request.COOKIES
    meta = _Noted[Any](request.META, recorder)
    request.META = meta
    if hasattr(request, "environ"):
        request.environ = meta
    if not cookies:
        recorder.note(*NO_COOKIES, True)
    meta.csrf_cookie = cookies.get(settings.CSRF_COOKIE_NAME)
    request.COOKIES = _NotedCookies(cookies, recorder)
    if hasattr(request, "scope"):
        request.scope = _NotedScope(request.scope, recorder)
    request.__dict__["headers"] = _NotedHeaders(meta)


Cookies = Callable[[], Mapping[str, str]]
"""Reads the cookies of a request, which takes time that most records can do without."""


def values_now(
    names: Iterable[tuple[str, str]], meta: Mapping[str, Any], cookies: Cookies
) -> tuple[Any, ...]:
    """The values that another request has for the inputs of a record."""
    return tuple([_value_now(kind, name, meta, cookies) for kind, name in names])


def _value_now(kind: str, name: str, meta: Mapping[str, Any], cookies: Cookies) -> Any:
    if kind == META:
        return meta.get(name)
    if kind == COOKIE:
        return cookies().get(name)
    if kind == FILE:
        return files.answer(name)
    return sessions.is_kept(cookies().get(name)) if kind == SESSION else not cookies()
