"""Whether a query is made for a helper that keeps what it returns, such as one under ``lru_cache``.

What such a helper read for one response, it goes on to show in others, which have not asked for it;
and when whoever writes the rows empties it, those pages change. So its rows count for all of them.

Rules of this module:

- A helper is known by its wrapper: that of ``functools`` stands in its module, or its class, under
  its name; those of packages for it are on the way to it. One that is made within a function, and
  one that keeps things by itself, nobody knows.
- Each piece of code is looked at once.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final

from django.core.handlers.base import BaseHandler

from notmodified.reads.by_code import ByCode
from notmodified.reads.places import is_library

_PACKAGES: Final = frozenset({"cachetools", "methodtools", "memoization", "ring"})
"""Packages whose business is to keep what functions return."""
_WRAPPER: Final = type(lru_cache(maxsize=1)(len))
_HANDLES_REQUESTS: Final = (
    BaseHandler.get_response.__code__,
    BaseHandler.get_response_async.__code__,
)


def is_memoised() -> bool:
    """Whether what runs now is kept by a function that is still to return."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if _is_kept(code, frame.f_globals):
            return True
        if code in _HANDLES_REQUESTS:
            return False  # what is around it has begun before
        frame = frame.f_back
    return False


def _find(code: CodeType, names: dict[str, Any]) -> bool:
    if str(names.get("__name__")).partition(".")[0] in _PACKAGES:
        return True
    if is_library(code.co_filename):
        return False
    holder: Any = names
    for name in code.co_qualname.split("."):
        found = holder.get(name) if isinstance(holder, dict) else vars(holder).get(name)
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
        if isinstance(found, type):
            holder = found
            continue
        while found is not None:
            if type(found) is _WRAPPER:
                return _leads_to(found, code)
            found = getattr(found, "__wrapped__", None)
        return False
    return False


_is_kept: Final = ByCode(_find)


def _leads_to(wrapper: Any, code: CodeType) -> bool:
    """Whether `code` is what a wrapper wraps, behind others."""
    found: Any = wrapper
    while found is not None:
        if getattr(found, "__code__", None) is code:
            return True
        found = getattr(found, "__wrapped__", None)
    return False
