"""What a view asks of the state of files: each answer is an input, and is asked for again.

Rule of this module: only what is answered by a plain value, at the price of one ``stat``. A file
that is opened is not followed, nor what ``pathlib`` is asked; ``os.stat`` itself is found in code
(``inspection``).
"""

from __future__ import annotations

import genericpath
import os
import pathlib
import posixpath
import sys
from collections.abc import Callable
from typing import Any, Final

from notmodified.causes import Cause
from notmodified.reads.kinds import FILE
from notmodified.reads.patching import Instead, replace_function, replace_method
from notmodified.reads.places import is_importing
from notmodified.reads.recorder import anybody_records, current, unseen

_QUESTIONS: Final[dict[str, Callable[[str], Any]]] = {
    name: getattr(os.path, name)
    for name in (
        *("exists", "lexists", "isfile", "isdir", "islink"),
        *("getsize", "getatime", "getctime", "getmtime"),
    )
}


def install() -> None:
    """Note what Python's own functions are asked."""
    for name, function in _QUESTIONS.items():
        if getattr(function, "__module__", "") in (genericpath.__name__, posixpath.__name__):
            replace_function(function, _noting(name))
    for name in ("stat", "lstat", "readlink", "resolve"):
        replace_method(pathlib.Path, name, _unseen)


def answer(question: str) -> Any:
    """What is answered now."""
    name, _, path = question.partition(" ")
    try:
        return _QUESTIONS[name](path)
    except OSError:
        return None


def _unseen(original: Callable[..., Any], path: Any, /, *args: Any, **kwargs: Any) -> Any:
    if anybody_records() and not is_importing(sys._getframe(1)):
        unseen(Cause.OUTSIDE, "the state of a file")
    return original(path, *args, **kwargs)


def _noting(name: str) -> Instead:
    def noted(original: Callable[..., Any], path: Any) -> Any:
        recorder = current()
        if recorder is None or recorder.reason is not None or not isinstance(path, str):
            return original(path)
        if is_importing(sys._getframe(1)):
            return original(path)
        try:
            found = original(path)
        except OSError:
            recorder.note(FILE, f"{name} {path}", None)
            raise
        recorder.note(FILE, f"{name} {path}", found)
        return found

    return noted
