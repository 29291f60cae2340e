"""Code that uses what cannot be seen while it runs (the clock, chance, the environment, the state
of files) is known by what is written in it.

Rules of this module:

- Each piece of code is looked at when a response first reaches it, by what its names stand for. If
  it uses such a thing, whatever reaches it is not recorded, whether it comes to that line or not.
- How it is noticed that code is reached depends on the version of Python (``reads.watching``).
- Python's own library, Django and drivers of databases are taken to be harmless: what they give of
  such things is noticed where it is asked for.
- What runs while a module is imported is part of starting the program.
- What comes as an argument or an attribute of an object is not seen; that is the audit's.
"""

from __future__ import annotations

import datetime
import dis
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Mapping
from types import CodeType, ModuleType
from typing import Any, Final

from notmodified import conf
from notmodified.reads.places import is_library, short
from notmodified.reasons import logger

_HARMLESS: Final = frozenset(
    {
        *(
            "asgiref",
            "psycopg",
            "psycopg_binary",
            "psycopg_pool",
            "psycopg_c",
            "MySQLdb",
            "sqlglot",
        ),
        *("sqlparse", "redis", "valkey", "gunicorn", "uvicorn", "granian", "whitenoise"),
        *("hypothesis", "_pytest", "coverage"),
    }
)
"""Packages that measure time, and show it to nobody."""

_SHOW_NOBODY: Final = frozenset(
    {
        "haystack.backends.log_query.<locals>.wrapper",  # how long a search takes
        "wagtail.log_actions.LogContext.__init__",  # a number for what is written while it is open
    }
)
"""Functions of packages that people use, which take such a thing and show it to nobody."""


def _invisible() -> dict[int, str]:
    """What is not seen, by identity, and its name."""
    found: dict[int, str] = {}

    def add(holder: Any, names: Any) -> None:
        for name in names:
            if hasattr(holder, name):
                found[id(getattr(holder, name))] = f"{holder.__name__}.{name}"

    add(time, ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"))
    add(time, ("process_time", "localtime", "gmtime", "ctime", "asctime", "strftime"))
    add(random, (name for name in random.__all__ if not isinstance(getattr(random, name), type)))
    add(secrets, secrets.__all__)
    add(uuid, ("uuid1", "uuid4", "uuid6", "uuid7"))
    add(os, ("environ", "environb", "getenv", "getloadavg", "lstat", "stat", "times", "urandom"))
    return found


_INVISIBLE: Final = _invisible()
_OF_CLASSES: Final[dict[Any, frozenset[str]]] = {
    datetime.datetime: frozenset({"now", "utcnow", "today"}),
    datetime.date: frozenset({"today"}),
}
_UNKNOWN: Final = object()
_LOADS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_LOADS_LOCAL: Final = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_DEREF"})
_STORES_LOCAL: Final = frozenset({"STORE_FAST", "STORE_DEREF"})
_KEEPS: Final = frozenset({"CACHE", "COPY", "EXTENDED_ARG", "PRECALL", "PUSH_NULL"})


def uses(code: CodeType, names: Mapping[str, Any]) -> str | None:
    """The first thing in `code` that is not seen, if there is one. `names` are its globals."""
    known: dict[str, Any] = {}
    last: Any = _UNKNOWN
    module: Any = _UNKNOWN
    for one in dis.get_instructions(code):
        if one.opname in _LOADS:
            last = names.get(str(one.argval), _UNKNOWN)
        elif one.opname in _LOADS_LOCAL:
            last = known.get(str(one.argval), _UNKNOWN)
        elif one.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            methods = _OF_CLASSES.get(last) if isinstance(last, type) else None
            if methods is not None and one.argval in methods:
                return f"{last.__name__}.{one.argval}()"
            last = _of_module(last, str(one.argval))
        elif one.opname == "IMPORT_NAME":
            last = module = sys.modules.get(str(one.argval), _UNKNOWN)
        elif one.opname == "IMPORT_FROM":
            last = _of_module(module, str(one.argval))
        elif one.opname in _STORES_LOCAL:
            known[str(one.argval)] = last
            last = _UNKNOWN
        elif one.opname not in _KEEPS:
            last = _UNKNOWN
        if id(last) in _INVISIBLE:
            return _INVISIBLE[id(last)]
    return None


def _of_module(holder: Any, name: str) -> Any:
    return vars(holder).get(name, _UNKNOWN) if isinstance(holder, ModuleType) else _UNKNOWN


def found_in(code: CodeType, names: Mapping[str, Any]) -> str | None:
    """What `code`, whose globals are `names`, uses that is not seen; ``None`` for harmless."""
    if is_library(code.co_filename):
        return None
    module = str(names.get("__name__", ""))
    if module.partition(".")[0] in _HARMLESS:
        return None
    name = f"{module}.{code.co_qualname}"
    if name in _SHOW_NOBODY or name in conf.current().HARMLESS or module in conf.current().HARMLESS:
        return None
    try:
        used = uses(code, names)
    except Exception:  # code that is put together by others
        logger.exception("code that could not be inspected: %s", code)
        used = "what could not be inspected"
    if used is None:
        return None
    return f"{used} in {code.co_qualname} ({short(code.co_filename)}:{code.co_firstlineno})"
