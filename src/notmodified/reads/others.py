"""What responses are made from besides rows, requests, caches and the time, as far as it can be
seen: random values, files and the network, rows that Django keeps in memory.

Rule of this module: whoever uses it while a response is recorded, makes that unprovable. What it
does not see (``datetime.now()`` in a view, random numbers, connections that are open already) is
listed in the guarantees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.db import connections, router
from django.db.models import Field
from django.dispatch import Signal
from django.forms import BaseForm
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.template import defaultfilters, defaulttags
from django.template.loaders import cached, filesystem
from django.utils import crypto, http

from notmodified.causes import Cause
from notmodified.reads import caches, clock, files, watching
from notmodified.reads.inspection import is_invisible
from notmodified.reads.patching import Instead, replace_function, replace_method
from notmodified.reads.places import is_importing, is_library, place
from notmodified.reads.recorder import anybody_records, current, unrecorded, unseen
from notmodified.reads.sessions import note_uses_of_sessions


def _set_cookie(
    original: Callable[..., Any], response: Any, /, key: str, *args: Any, **kwargs: Any
) -> Any:
    recorder = current()
    if recorder is not None and recorder.reason is None:
        recorder.cookies.setdefault(key, place())
    return original(response, key, *args, **kwargs)


def install() -> None:
    """Notice caches, the time and random values as Django's own helpers give them."""
    if hasattr(crypto, "_notmodified_noted"):
        return
    clock.install()
    watching.install()
    replace_function(crypto.get_random_string, _noting(Cause.CHANCE, "a random value"))
    replace_function(defaultfilters.random, _noting(Cause.CHANCE, "a random value"))
    replace_method(defaulttags.LoremNode, "render", _noting(Cause.CHANCE, "a random value"))
    replace_function(http.http_date, _http_date)
    replace_method(Field, "get_default", _default)
    replace_method(BaseForm, "get_initial_for_field", _initial)
    replace_method(HttpResponseBase, "set_cookie", _set_cookie)
    files.install()
    for known in ("_mask_cipher_secret", "_add_new_csrf_cookie"):
        replace_function(getattr(csrf, known), _within_unrecorded)
    note_uses_of_sessions()
    caches.install()
    _note_rows_in_memory()
    _note_files_and_network()
    crypto._notmodified_noted = True  # type: ignore[attr-defined]


def _within_unrecorded(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    with unrecorded():
        return original(*args, **kwargs)


def _noting(cause: Cause, what: str) -> Instead:
    def noted(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        unseen(cause, what)
        return original(*args, **kwargs)

    return noted


def _http_date(original: Callable[..., str], epoch_seconds: float | None = None) -> str:
    if epoch_seconds is None:
        unseen(Cause.INVISIBLE, "the time, by http_date()")
    return original(epoch_seconds)


def _default(original: Callable[..., Any], field: Any) -> Any:
    _note_callable(field.default, "a default of a model field")
    return original(field)


def _initial(original: Callable[..., Any], form: Any, field: Any, field_name: str) -> Any:
    _note_callable(form.initial.get(field_name, field.initial), "an initial of a form field")
    return original(form, field, field_name)


def _note_callable(value: Any, what: str) -> None:
    """What is in C is not noticed when it is called."""
    if callable(value) and anybody_records():
        found = _given_by(value) if isinstance(value, Hashable) else is_invisible(value)
        if found is not None:
            unseen(Cause.INVISIBLE, f"{found}, {what}")


_given_by: Final = lru_cache(maxsize=1024)(is_invisible)


_IN_MEMORY: Final = {
    "django.contrib.sites": ("Site", ("_get_site_by_id", "_get_site_by_request")),
    "django.contrib.contenttypes": (
        "ContentType",
        ("get_by_natural_key", "get_for_id", "get_for_model", "get_for_models"),
    ),
}
"""Models of Django that keep rows in the process, and the methods of their managers that give them:
a page may show a row that another page has read."""


rows_dropped: Final = Signal()
"""What Django keeps of such rows was dropped: pages may change that have not asked for it since."""


def _note_rows_in_memory() -> None:
    for app, (name, methods) in _IN_MEMORY.items():
        if apps.is_installed(app):
            model = apps.get_model(app.rpartition(".")[2], name)
            manager_class: Any = type(model._default_manager)
            for method in methods:
                _note_rows_of(model, manager_class, method)
            manager_class.clear_cache = _telling(manager_class.clear_cache)


def _telling(clear_cache: Callable[[Any], None]) -> Callable[[Any], None]:
    def told(self: Any) -> None:
        clear_cache(self)
        rows_dropped.send(type(self))

    return told


def _note_rows_of(model: Any, manager_class: type, name: str) -> None:
    original = getattr(manager_class, name)

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        recorder = current()
        if recorder is not None and recorder.reason is None:
            connection = connections[router.db_for_read(model)]
            connection.ensure_connection()
            recorder.depend(connection, [model._meta.db_table])
        return original(self, *args, **kwargs)

    setattr(manager_class, name, noted)


_EVENTS: Final[dict[str, str | None]] = {
    **dict.fromkeys(("open", "os.listdir", "os.scandir", "glob.glob"), "a file"),
    **dict.fromkeys(("socket.connect", "socket.sendto", "socket.sendmsg"), "the network"),
    **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname"), "the network"),
    **dict.fromkeys(("socket.gethostbyaddr", "socket.getnameinfo"), "the network"),
    "sqlite3.connect": "a connection of its own to a database",
    # They ask nobody anything yet.
    **dict.fromkeys(("socket.__new__", "socket.bind"), None),
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork"), "another program"
    ),
}
_OF_PYTHON: Final = frozenset(
    {
        *("_thread", "array", "builtins", "code", "compile", "cpython", "exec", "function", "gc"),
        *("import", "marshal", "object", "pickle", "signal", "sqlite3", "sys", "threading", "time"),
    }
)
"""Beginnings of the names of events that tell of nothing outside of Python."""


_CHANGES: Final = frozenset(
    {
        *("os.chflags", "os.chmod", "os.chown", "os.link", "os.lockf", "os.mkdir", "os.putenv"),
        *("os.remove", "os.removexattr", "os.rename", "os.rmdir", "os.setxattr", "os.symlink"),
        *("os.truncate", "os.unsetenv", "os.utime", "shutil.chown", "shutil.copyfile"),
        *("shutil.copymode", "shutil.copystat", "shutil.copytree", "shutil.move", "shutil.rmtree"),
        *("tempfile.mkdtemp", "tempfile.mkstemp"),
    }
)
"""Events that tell of files being changed: a page may do so, and then needs its view. In another
thread it is the server's business, such as to show that it lives."""


class _Known(dict[str, str | None]):
    """Events, and what they tell of; ``None`` for nothing that matters. One that nobody knows tells
    of something outside."""

    def __init__(self) -> None:
        super().__init__(_EVENTS)
        self._of_python = _OF_PYTHON  # the names of a module are gone when Python ends

    def __missing__(self, event: str) -> str | None:
        what = None if event.partition(".")[0] in self._of_python else event
        self[event] = what
        return what


_CODE: Final = (".mo", ".pyc")
"""Endings of files that are part of the program, and are read once."""


def _note_files_and_network() -> None:
    """By audit hooks of Python (PEP 578)."""
    known = _Known()

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        what = known[event]
        if what is None or not anybody_records():
            return
        if is_importing(sys._getframe(1)):
            return
        if event == "open" and (str(arguments[0]).endswith(_CODE) or is_library(str(arguments[0]))):
            return
        if event in _CHANGES and current() is None:
            return
        unseen(Cause.OUTSIDE, what)

    sys.addaudithook(audit)
    read_template = filesystem.Loader.get_contents

    def read_as_code(self: Any, origin: Any) -> str:
        if isinstance(self.engine.template_loaders[0], cached.Loader):
            with unrecorded():
                return read_template(self, origin)
        return read_template(self, origin)

    filesystem.Loader.get_contents = read_as_code  # type: ignore[method-assign]
