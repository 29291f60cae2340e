"""What code a response reaches, before Python 3.12: by Python's profiler.

Rules of this module:

- Every recording is profiled: a branch that is taken for the first time is one that nobody has
  looked at.
- A thread has one profiler, which several recordings of its tasks may share. What another task has
  reached meanwhile counts for them too.
- Where somebody else profiles, nothing is recorded.
- Python 3.11 refuses to set a profiler while another thread is setting one, so it is asked again.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache, partial
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from asgiref.sync import AsyncToSync, SyncToAsync

from notmodified.causes import Cause
from notmodified.reads.by_code import ByCode
from notmodified.reads.inspection import found_in, is_generated
from notmodified.reads.patching import replace_method
from notmodified.reads.places import is_library
from notmodified.reads.recorder import Recorder, current

_TRIES: Final = 1_000
"""An audit hook of somebody's that refuses, refuses for ever."""


class _OfThread(threading.local):
    profiler: Any = None
    users: int = 0


_OF_THREAD: Final = _OfThread()


class inspected:
    """Inspect what this thread runs inside, for `recorder`."""

    __slots__ = ("_before", "_profiler", "_recorder")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._profiler: Any = None
        self._before: dict[CodeType, int] = {}

    def __enter__(self) -> None:
        if self._recorder.reason is not None:
            return
        mine = _OF_THREAD
        if mine.users == 0:
            if sys.getprofile() is not None:
                self._recorder.doubt(Cause.INVISIBLE, "another profiler is at work")
                return
            mine.profiler = _new_profiler()
            if not _insist(mine.profiler.enable):
                self._recorder.doubt(Cause.INVISIBLE, "Python refuses to profile")
                return
        else:
            self._before = _harmful(mine.profiler)
        mine.users += 1
        self._profiler = mine.profiler

    def __exit__(self, *ignored: object) -> None:
        profiler, mine = self._profiler, _OF_THREAD
        if profiler is None:
            return
        mine.users -= 1
        still = sys.getprofile() is profiler
        if not still:
            self._recorder.doubt(Cause.INVISIBLE, "another profiler came to work")
        elif mine.users == 0:
            _insist(profiler.disable)
        for code, times in _harmful(profiler).items():
            if times > self._before.get(code, 0):
                self._recorder.doubt(Cause.INVISIBLE, str(_found(code)))


def install() -> None:
    """Inspect also what asynchronous code has run in another thread, and the other way round."""

    replace_method(SyncToAsync, "__call__", partial(_followed, "func", _inspecting))
    replace_method(AsyncToSync, "__call__", partial(_followed, "awaitable", _ainspecting))


def _followed(
    name: str,
    inspecting: Callable[..., Any],
    original: Any,
    self: Any,
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call `original` on something like `self`, the function in which is inspected."""
    recorder = current()
    if recorder is not None:
        self = copy(self)
        setattr(self, name, inspecting(getattr(self, name), recorder))
    return original(self, *args, **kwargs)


def _inspecting(function: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with inspected(recorder):
            return function(*args, **kwargs)

    return call


def _ainspecting(function: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with inspected(recorder):
            return await function(*args, **kwargs)

    return call


def _new_profiler() -> Any:
    from _lsprof import Profiler  # what cProfile is made of

    return Profiler(subcalls=False, builtins=False)


def _insist(call: Callable[[], object]) -> bool:
    """Call until it does not collide with the same in another thread; whether it has gone well."""
    for _ in range(_TRIES):
        try:
            call()
        except RuntimeError:
            continue
        return True
    return False


def _harmful(profiler: Any) -> dict[CodeType, int]:
    """What was reached of code that uses what is not seen, and how often."""
    return {one.code: one.callcount for one in profiler.getstats() if _found(one.code) is not None}


def _find(code: CodeType) -> str | None:
    return None if _is_harmless(code) else found_in(code, _globals_of(code))


_found: Final = ByCode(_find)


def _is_harmless(code: CodeType) -> bool:
    # What runs in a module itself, runs while that is imported.
    if is_generated(code):
        return False
    return is_library(code.co_filename) or code.co_name == "<module>"


def _globals_of(code: CodeType) -> Mapping[str, Any]:
    """What the names in `code` stand for."""
    found = _globals_by_file(len(sys.modules)).get(code.co_filename)
    if found is not None:
        return found
    functions = (one for one in gc.get_referrers(code) if type(one) is FunctionType)
    return next((one.__globals__ for one in functions if one.__code__ is code), {})


@lru_cache(maxsize=1)
def _globals_by_file(modules: int) -> dict[str, dict[str, Any]]:
    found = [vars(one) for one in [*sys.modules.values()] if isinstance(one, ModuleType)]
    return {names["__file__"]: names for names in found if isinstance(names.get("__file__"), str)}
