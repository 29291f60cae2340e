"""Where in somebody's code something happens.

Rules of this module:

- The innermost place counts that is the project's own, or a template; where there is none, the
  innermost of a package other than Django and this one.
- It is looked for only when there is something to say.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from enum import Enum
from functools import lru_cache
from types import FrameType
from typing import Final

import django
from django.template.base import Node

import notmodified

_MIDDLEWARE: Final = os.path.join(os.path.dirname(notmodified.__file__ or ""), "middleware.py")
_RENDERS: Final = Node.render_annotated.__code__


class _Whose(Enum):
    NOBODY_S = 0
    A_PACKAGE_S = 1
    THE_PROJECT_S = 2


def place() -> str | None:
    """The place that is running now, as ``file:line``; relative to the working directory, if it is
    below that."""
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == _MIDDLEWARE:
            break  # what is around it has read nothing
        if code is _RENDERS:
            template = _template(frame.f_locals.get("self"))
            if template is not None:
                return template
        whose = _whose(code.co_filename)
        if whose is _Whose.THE_PROJECT_S:
            return f"{short(code.co_filename)}:{frame.f_lineno}"
        if whose is _Whose.A_PACKAGE_S and found is None:
            found = f"{short(code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return found


def _template(node: object) -> str | None:
    """The place of a node of a template."""
    origin, token = getattr(node, "origin", None), getattr(node, "token", None)
    name = getattr(origin, "template_name", None) or getattr(origin, "name", None)
    line = getattr(token, "lineno", None)
    return f"{name}:{line}" if name and line else None


_DIRECTORIES: Final = [
    (os.path.dirname(package.__file__ or "") + os.sep, _Whose.NOBODY_S)
    for package in (django, notmodified)
] + [
    (sysconfig.get_path(name) + os.sep, whose)
    for name, whose in (
        *(("purelib", _Whose.A_PACKAGE_S), ("platlib", _Whose.A_PACKAGE_S)),
        *(("stdlib", _Whose.NOBODY_S), ("platstdlib", _Whose.NOBODY_S)),
    )
]
"""The first that a file is in says whose it is: those of packages are in that of Python."""


def is_library(filename: str) -> bool:
    """Whether a file is Python's own, Django's, or this package's."""
    return _whose(filename) is _Whose.NOBODY_S


_IMPORTS: Final = ("<frozen importlib", "<frozen zipimport")


def is_importing(frame: FrameType | None) -> bool:
    """Whether `frame` runs because a module is being imported."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_IMPORTS) and code.co_name == "_find_and_load":
            return True
        frame = frame.f_back
    return False


@lru_cache(maxsize=4096)
def _whose(filename: str) -> _Whose:
    if filename.startswith("<"):
        return _Whose.NOBODY_S
    for directory, whose in _DIRECTORIES:
        if filename.startswith(directory):
            return whose
    return _Whose.THE_PROJECT_S


@lru_cache(maxsize=4096)
def short(filename: str) -> str:
    """The name of a file, below the working directory or that of packages."""
    for directory, whose in _DIRECTORIES:
        if whose is _Whose.A_PACKAGE_S and filename.startswith(directory):
            return filename.removeprefix(directory)
    below = os.getcwd() + os.sep
    return filename.removeprefix(below)
