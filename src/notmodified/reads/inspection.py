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
import email.utils
import gc
import importlib.util
import inspect
import os
import random
import re
import secrets
import shutil
import sys
import tempfile
import time
import timeit
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from functools import lru_cache, partial
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from django.utils import lorem_ipsum

from notmodified import conf
from notmodified.reads.places import is_library, short
from notmodified.reasons import logger

try:
    import resource
except ImportError:  # pragma: no cover (Windows)
    resource = None  # type: ignore[assignment]

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
                _HOLDERS.setdefault(holder, set()).add(name)

    add(time, ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"))
    add(time, ("process_time", "localtime", "gmtime", "ctime", "asctime", "strftime"))
    add(time, ("process_time_ns", "thread_time", "thread_time_ns"))
    add(time, ("clock_gettime", "clock_gettime_ns"))
    add(timeit, ("default_timer",))
    add(random, random.__all__)
    add(secrets, secrets.__all__)
    add(uuid, ("uuid1", "uuid4", "uuid6", "uuid7"))
    add(os, ("environ", "environb", "getenv", "getloadavg", "lstat", "stat", "times", "urandom"))
    add(os, ("getrandom", "access", "getxattr", "listxattr", "readlink", "statvfs"))
    add(os.path, ("realpath", "samefile"))
    add(shutil, ("disk_usage",))
    add(email.utils, ("formatdate", "localtime", "make_msgid"))
    add(tempfile, ("mktemp",))
    add(lorem_ipsum, ("words", "sentence", "paragraph", "paragraphs"))
    if resource is not None:
        add(resource, ("getrusage",))
    return found


_OF_CLASSES: Final[dict[Any, frozenset[str]]] = {
    datetime.datetime: frozenset({"now", "utcnow", "today"}),
    datetime.date: frozenset({"today"}),
}
_HOLDERS: Final[dict[Any, set[str]]] = {datetime: {"now", "utcnow", "today"}}
"""Modules that hold what is not seen, and its names."""
_INVISIBLE: Final = _invisible()
_UNKNOWN: Final = object()


def _name(value: Any) -> str | None:
    """What `value` is called, if it is something that is not seen.

    Of no object is anything asked that could run code of its own.
    """
    if id(value) in _INVISIBLE:
        return _INVISIBLE[id(value)]
    class_ = type(value)
    if class_ is partial:
        return _name(value.func)
    if class_ in (BuiltinMethodType, MethodType):
        name = getattr(value, "__name__", "")
        if name in _methods(value.__self__):
            return f"{_class_of(value.__self__).__name__}.{name}()"
        return _name(value.__self__)
    made_by_chance = _class_of(value)
    return made_by_chance.__name__ if random.Random in _bases(made_by_chance) else None


def _methods(value: Any) -> Set[str]:
    """Names of what is not seen, on a class, an instance of one, or a module."""
    if type(value) is ModuleType:
        return _HOLDERS.get(value, frozenset())
    bases = _bases(_class_of(value))
    return next((names for known, names in _OF_CLASSES.items() if known in bases), frozenset())


def _class_of(value: Any) -> type:
    return value if issubclass(type(value), type) else type(value)


def _bases(class_: type) -> tuple[type, ...]:
    return type.__dict__["__mro__"].__get__(class_)  # type: ignore[no-any-return]


def uses(
    code: CodeType, names: Mapping[str, Any], kept: Iterable[tuple[str, Any]] = ()
) -> str | None:
    """The first thing in `code` that is not seen, if there is one. `names` are its globals, `kept`
    the values of its defaults and of its free variables."""
    for _, value in kept:
        found = _name(value)
        if found is not None:
            return found
    reading = _Reading(names, _stores(code))
    for name, value in kept:
        reading.keep(name, value)
    return reading.found_in(code) or reading.found_loosely(code)


def _stores(code: CodeType) -> Counter[str]:
    """How often something is stored to each name, arguments among them."""
    found: Counter[str] = Counter()
    for one in _with_nested(code):
        found.update(_arguments(one))
        for operation, name, _ in _operations(one):
            if operation in _STORES:
                found[str(name)] += 1
    return found


def _arguments(code: CodeType) -> tuple[str, ...]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:count]


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _with_nested(one)


_LOADS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_LOADS_LOCAL: Final = frozenset(
    {
        *("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW", "LOAD_FAST_AND_CLEAR"),
        *("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"),
    }
)
_STORES_LOCAL: Final = frozenset({"STORE_FAST", "STORE_DEREF"})
_STORES: Final = _STORES_LOCAL | {"STORE_GLOBAL", "STORE_NAME"}
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_NOTHING: Final = frozenset({"CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL", "NOP"})
_TWO: Final = re.compile("((?:LOAD|STORE)_FAST(?:_BORROW)?)_((?:LOAD|STORE)_FAST(?:_BORROW)?)")
"""Names of instructions that are two in one, since Python 3.13."""


def _operations(code: CodeType) -> Iterator[tuple[str, Any, bool]]:
    """What `code` does, with what, and whether it may come there from elsewhere."""
    for one in dis.get_instructions(code):
        two = _TWO.fullmatch(one.opname)
        if two is not None:
            yield two[1], one.argval[0], one.is_jump_target
            yield two[2], one.argval[1], False
        elif one.opname not in _NOTHING:
            yield one.opname, one.argval, one.is_jump_target
        elif one.is_jump_target:
            yield "NOP", None, True


class _Reading:
    """Follows what is on top of the stack, as far as the instructions say it.

    What goes elsewhere (into a tuple, a branch, a variable that is stored to twice) is *loose*:
    from then on, any object may be it.
    """

    def __init__(self, names: Mapping[str, Any], stores: Mapping[str, int]) -> None:
        self._names = names
        self._stores = stores
        self._known: dict[str, Any] = {}
        self._early: set[str] = set()
        self._loose: dict[int, Any] = {}
        self._asked: set[str] = set()

    def keep(self, name: str, value: Any) -> None:
        self._known[name] = value
        self._loosen(value)

    def found_in(self, code: CodeType) -> str | None:
        """What is not seen, and is known to be loaded."""
        last: Any = _UNKNOWN
        module: Any = _UNKNOWN
        constants: list[Any] = [0, None]
        certain = False
        for operation, argument, elsewhere in _operations(code):
            if elsewhere:
                self._loosen(last)
                certain = False
            if operation in _ATTRIBUTES:
                name = str(argument)
                if name in _methods(last) and type(last) is not ModuleType:
                    return f"{_class_of(last).__name__}.{name}()"
                if not certain or last is _UNKNOWN:
                    self._asked.add(name)
                last = _of_module(last, name)
            elif operation == "NOP":
                continue
            elif operation in _STORES_LOCAL:
                self._store(str(argument), last)
                last = _UNKNOWN
            else:
                if operation != "IMPORT_FROM":
                    self._loosen(last)
                certain = True
                if operation in _LOADS:
                    last = self._names.get(str(argument), _UNKNOWN)
                    certain = str(argument) not in self._stores
                elif operation in _LOADS_LOCAL:
                    last, certain = self._load(str(argument))
                elif operation == "IMPORT_NAME":
                    last = module = self._imported(str(argument), *constants)
                elif operation == "IMPORT_FROM":
                    last = _of_module(module, str(argument))
                elif operation != "COPY":
                    last = _UNKNOWN
                if operation in ("LOAD_CONST", "LOAD_SMALL_INT"):
                    constants = [constants[1], argument]
            found = _name(last)
            if found is not None:
                return found
        self._loosen(last)
        return None

    def found_loosely(self, code: CodeType) -> str | None:
        """What may be asked of what is loose in `code`, and in what stands inside of it."""
        for one in _with_nested(code):
            if one is not code:
                self.found_in(one)
        for holder in self._loose.values():
            for name in sorted(_methods(holder) & self._asked):
                owner = holder if type(holder) is ModuleType else _class_of(holder)
                return f"{owner.__name__}.{name}()"
        return None

    def _load(self, name: str) -> tuple[Any, bool]:
        if name not in self._known:
            self._early.add(name)
        return self._known.get(name, _UNKNOWN), self._stores.get(name) == 1

    def _store(self, name: str, value: Any) -> None:
        if self._stores.get(name) != 1 or name in self._early:
            self._loosen(value)
        self._known[name] = value

    def _loosen(self, value: Any) -> None:
        # An instance of a date knows the time too; but who has one in a variable does not ask it.
        if issubclass(type(value), type | ModuleType) and _methods(value):
            self._loose[id(value)] = value

    def _imported(self, name: str, level: Any, of_it: Any) -> Any:
        if level:
            name = f"{'.' * int(level)}{name}"
            name = importlib.util.resolve_name(name, str(self._names.get("__package__") or ""))
        return sys.modules.get(name if of_it else name.partition(".")[0], _UNKNOWN)


def _of_module(holder: Any, name: str) -> Any:
    if not issubclass(type(holder), ModuleType):
        return _UNKNOWN
    return vars(holder).get(name, _UNKNOWN)


_KINDS_WITHOUT_DEFAULTS: Final = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>", "<module>")
_AT_MOST: Final = 200
"""Of so many functions with the same code, what they keep is looked at."""


def _kept(code: CodeType) -> Iterator[tuple[str, Any]]:
    """What the functions that have `code` keep: values of defaults and of free variables."""
    if not code.co_freevars and (not _arguments(code) or code.co_name in _KINDS_WITHOUT_DEFAULTS):
        return
    for function in _functions_of(code)[:_AT_MOST]:
        defaults = function.__defaults__ or ()
        last = code.co_varnames[: code.co_argcount][-len(defaults) :] if defaults else ()
        yield from zip(last, defaults, strict=False)
        yield from [*(function.__kwdefaults__ or {}).items()]
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            with suppress(ValueError):  # nothing is in it yet
                yield name, cell.cell_contents


def _functions_of(code: CodeType) -> list[FunctionType]:
    known = _functions(len(sys.modules)).get(code.co_filename, ())
    found = [one for one in known if one.__code__ is code]
    if found or not code.co_freevars:
        return found
    # Never all objects (``gc.get_objects``): to hold a tuple that is being made breaks it.
    referrers = gc.get_referrers(code)
    return [one for one in referrers if type(one) is FunctionType and one.__code__ is code]


@lru_cache(maxsize=1)
def _functions(modules: int) -> dict[str, list[FunctionType]]:
    """Functions of packages and the project, by file: those of modules, and of their classes."""
    found: dict[str, list[FunctionType]] = {}
    for module in [*sys.modules.values()]:
        if type(module) is not ModuleType or is_library(str(vars(module).get("__file__") or "<")):
            continue
        values = [*vars(module).values()]
        classes = [one for one in values if issubclass(type(one), type)]
        values += [
            part
            for class_ in classes
            for part in type.__dict__["__dict__"].__get__(class_).values()
        ]
        for one in values:
            if type(one) is FunctionType:
                found.setdefault(one.__code__.co_filename, []).append(one)
    return found


def is_invisible(value: Any) -> str | None:
    """What a callable gives that is not seen; ``None`` for harmless."""
    found = _name(value)
    while found is None and type(value) in (partial, MethodType):
        value = value.func if type(value) is partial else value.__func__
    if found is None and type(value) is FunctionType:
        return found_in(value.__code__, value.__globals__)
    return found


def is_ours(code: CodeType, names: Mapping[str, Any]) -> bool:
    """Whether `code` is a package's or the project's, also where it was generated for a module."""
    if is_generated(code):
        return not is_library(str(names.get("__file__", "<")))
    return not is_library(code.co_filename)


def is_generated(code: CodeType) -> bool:
    """Whether `code` may be of a data class, the factories of which it keeps."""
    return code.co_filename == "<string>" and bool(code.co_freevars)


def found_in(code: CodeType, names: Mapping[str, Any]) -> str | None:
    """What `code`, whose globals are `names`, uses that is not seen; ``None`` for harmless."""
    if not is_ours(code, names):
        return None
    module = str(names.get("__name__", ""))
    if module.partition(".")[0] in _HARMLESS:
        return None
    name = f"{module}.{code.co_qualname}"
    if name in _SHOW_NOBODY or name in conf.current().HARMLESS or module in conf.current().HARMLESS:
        return None
    try:
        used = uses(code, names, [*_kept(code)])
    except Exception:  # code that is put together by others
        logger.exception("code that could not be inspected: %s", code)
        used = "what could not be inspected"
    if used is None:
        return None
    return f"{used} in {code.co_qualname} ({short(code.co_filename)}:{code.co_firstlineno})"
