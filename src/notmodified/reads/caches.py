"""What a view reads from Django's caches: each value is an input, and is read again to see whether
it is still the same.

So nobody has to tell of a write to a cache: not another process, not a stranger, nor time that runs
out.

Rules of this module:

- A value counts by a digest of its pickle; what has none makes the response unprovable.
- Whoever writes to a cache, or counts in it, has to run each time; but for who puts there what is
  there, for the time that the cache gives to all: it only stays longer. Once it is gone, it is not
  there. Who says for how long may mean to say it again.
- What a backend does for an answer is its own business: it counts by what it answers.
- A method that is not of Django's own interface is not understood.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import FrameType
from typing import Any, Final, NamedTuple

from django.core.cache import CacheHandler, caches
from django.core.cache.backends.base import BaseCache, default_key_func

from notmodified.causes import Cause
from notmodified.reads.recorder import (
    Recorder,
    anybody_records,
    current,
    elsewhere,
    unrecorded,
    unseen,
)

_WRITES: Final = frozenset(
    {
        *("add", "clear", "decr", "delete", "delete_many", "incr", "set", "set_many", "touch"),
        *("aadd", "aclear", "adecr", "adelete", "adelete_many", "aincr", "aset", "aset_many"),
        "atouch",
    }
)
_BY_OTHERS: Final = frozenset(
    {
        *("close", "get_backend_timeout", "get_or_set", "incr_version", "decr_version"),
        *("key_func", "make_and_validate_key", "make_key", "validate_key"),
    }
)
"""What backends do by the methods that are noted, or without asking anybody."""

MOST: Final = 100
"""A response that reads more values is not recorded."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Nor is one that reads a longer value."""

_MISSING: Final = object()


class Asked(NamedTuple):
    """A question to a cache: for the value of a key, or (`only_whether`) whether there is one. Keys
    and versions are texts, as which they become part of what the cache calls it."""

    alias: str
    key: str
    version: str | None
    only_whether: bool = False

    @classmethod
    def of(cls, alias: str, key: Any, version: Any, *, only_whether: bool = False) -> Asked:
        return cls(alias, str(key), None if version is None else str(version), only_whether)


def install() -> None:
    """On each backend itself: whoever holds one, has it from the handler, and asks for its type."""
    original = CacheHandler.create_connection

    def create_connection(self: Any, alias: str) -> Any:
        with unrecorded():  # what it takes to make one, shapes no response
            backend = original(self, alias)
        _note_uses_of(alias, backend)
        return backend

    CacheHandler.create_connection = create_connection  # type: ignore[method-assign]
    kept: Any = caches
    for alias in kept:
        if hasattr(kept._connections, alias):  # made while models were imported
            _note_uses_of(alias, kept[alias])


def _note_uses_of(alias: str, backend: Any) -> None:
    for name, method in _methods(alias, backend).items():
        setattr(backend, name, method)


def are_same(values: Mapping[Asked, bytes | None]) -> bool:
    """Whether every question has the answer that it had."""
    groups: dict[tuple[str, str | None], list[Asked]] = {}
    for asked in values:
        groups.setdefault((asked.alias, asked.version), []).append(asked)
    try:
        with unrecorded():
            for (alias, version), group in groups.items():
                backend: Any = caches[alias]
                found = backend.get_many(
                    [asked.key for asked in group if not asked.only_whether], version=version
                )
                for asked in group:
                    now: bytes | None
                    if asked.only_whether:
                        now = _whether(backend.has_key(asked.key, version=version))
                    else:
                        now = _digest(found.get(asked.key, _MISSING))
                    if now != values[asked]:
                        return False
    except Exception:  # of whatever backend: it has not answered
        return False
    return True


def _methods(alias: str, backend: Any) -> dict[str, Callable[..., Any]]:
    """What is to stand in the place of the methods of `backend`."""
    class_: Any = type(backend)
    found: dict[str, Callable[..., Any]] = {}
    ours = _ours(alias, backend)
    for name in dir(class_):
        method = getattr(class_, name)
        if name.startswith("_") or not callable(method):
            continue
        if name in ours and backend.key_func is not default_key_func:
            what = "a cache whose keys are made by the site"
            found[name] = _for_views(_late(backend, name), _saying(what, backend, name))
        elif name in ours:
            found[name] = _for_views(_late(backend, name), ours[name])
        elif name in _WRITES and not _is_async_of_django(name, method):
            found[name] = _for_views(
                _late(backend, name), _saying("a write to a cache", backend, name)
            )
        elif method is not getattr(BaseCache, name, None) and not (
            name in _BY_OTHERS and _is_of_django(method)
        ):
            what = f"a cache's {name}()"
            found[name] = _for_views(_late(backend, name), _saying(what, backend, name))
    return found


def _is_of_django(method: Any) -> bool:
    return str(getattr(method, "__module__", "")).startswith("django.core.cache.")


def _late(backend: Any, name: str) -> Callable[..., Any]:
    """A method of `backend` as its class has it when it is called."""
    return lambda *args, **kwargs: getattr(type(backend), name)(backend, *args, **kwargs)


def _is_async_of_django(name: str, method: Any) -> bool:
    """Whether a method calls another that is noted."""
    return name.startswith("a") and method is getattr(BaseCache, name, None)


def _for_views(original: Callable[..., Any], noted: Callable[..., Any]) -> Callable[..., Any]:
    """`noted` where a response is recorded, unless it is this package that asks."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if not anybody_records():
            return original(*args, **kwargs)
        if _is_ours(sys._getframe(1)):
            with unrecorded():
                return original(*args, **kwargs)
        recorder = current()
        if recorder is None:
            elsewhere(Cause.CACHE, "a cache")
            return original(*args, **kwargs)
        if recorder.reason is not None:
            return original(*args, **kwargs)
        return noted(*args, **kwargs)

    return call


def _is_ours(caller: FrameType) -> bool:
    name = str(caller.f_globals.get("__name__", ""))
    return name.startswith("notmodified.") and name != _PASSES_ON


_PASSES_ON: Final = "notmodified.reads.profiling"
"""Stands between asynchronous code and what that calls."""


def _saying(what: str, backend: Any, name: str) -> Callable[..., Any]:
    method = _late(backend, name)

    def noted(*args: Any, **kwargs: Any) -> Any:
        unseen(Cause.CACHE, what)
        with unrecorded():
            return method(*args, **kwargs)

    return noted


def _ours(alias: str, backend: Any) -> dict[str, Callable[..., Any]]:
    get, get_many, has_key = (_late(backend, name) for name in ("get", "get_many", "has_key"))
    write = _saying("a write to a cache", backend, "set")
    write_again, write_many_again = _late(backend, "set"), _late(backend, "set_many")
    write_many = _saying("a write to a cache", backend, "set_many")

    def noted_get(key: Any, default: Any = None, version: int | None = None) -> Any:
        with unrecorded():
            value = get(key, _MISSING, version=version)
        _note(Asked.of(alias, key, version), _digest(value))
        return default if value is _MISSING else value

    def noted_get_many(keys: Any, version: int | None = None) -> Any:
        keys = list(keys)
        with unrecorded():
            found = get_many(keys, version=version)
        for key in keys:
            _note(Asked.of(alias, key, version), _digest(found.get(key, _MISSING)))
        return found

    def noted_has_key(key: Any, version: int | None = None) -> bool:
        with unrecorded():
            found = bool(has_key(key, version=version))
        _note(Asked.of(alias, key, version, only_whether=True), _whether(found))
        return found

    def is_there(key: Any, value: Any, version: int | None) -> bool:
        """Whether a value is in the cache already, as it was when this response first looked."""
        recorder = current()
        if recorder is None:
            return False
        asked = Asked.of(alias, key, version)
        if asked not in recorder.cached:
            with unrecorded():
                found = _digest(get(key, _MISSING, version=version))
        else:
            found = recorder.cached[asked]
        if found is None or found != _digest_once_kept(value):
            return False
        _note(asked, found)
        return True

    def noted_set(key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not args and "timeout" not in kwargs and is_there(key, value, kwargs.get("version")):
            with unrecorded():
                return write_again(key, value, *args, **kwargs)
        return write(key, value, *args, **kwargs)

    def noted_set_many(data: Mapping[Any, Any], *args: Any, **kwargs: Any) -> Any:
        version = kwargs.get("version")
        if not (args or "timeout" in kwargs) and all(
            is_there(key, value, version) for key, value in data.items()
        ):
            with unrecorded():
                return write_many_again(data, *args, **kwargs)
        return write_many(data, *args, **kwargs)

    return {
        "get": noted_get,
        "get_many": noted_get_many,
        "has_key": noted_has_key,
        "set": noted_set,
        "set_many": noted_set_many,
    }


def _note(asked: Asked, digest: bytes | None) -> None:
    recorder: Recorder | None = current()
    if recorder is None:
        return
    recorder.located(asked)
    known = recorder.cached.setdefault(asked, digest)
    if known != digest or digest == _UNKNOWN:
        recorder.doubt(Cause.CACHE, "a cached value that is not the same each time")
    elif len(recorder.cached) > MOST:
        recorder.doubt(Cause.CACHE, f"more than {MOST} cached values")


def _whether(found: bool) -> bytes:
    return b"yes" if found else b"no"


_UNKNOWN: Final = b"?"


def _digest_once_kept(value: Any) -> bytes | None:
    """The digest that `value` will have when it comes out of a cache: models come out with a mark
    of Django's version."""
    try:
        return _digest(pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL)))
    except Exception:  # whatever its class says
        return _UNKNOWN


def _digest(value: Any) -> bytes | None:
    """What tells values apart; ``None`` for none."""
    if value is _MISSING:
        return None
    for pickler_of in (_fast, _Thorough):
        hashing = _Hashing()
        try:
            pickler_of(hashing).dump(value)
        except Exception:  # whatever its class says
            continue
        return hashing.digest()
    return _UNKNOWN


def _fast(file: _Hashing) -> pickle.Pickler:
    """A pickler that remembers no object. Else two equal texts would be written otherwise than one
    that stands in two places, which is the same to everybody but comes and goes as values are
    kept. Objects that hold one another are an error."""
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.fast = True
    return pickler


_InPython: Any = vars(pickle)["_Pickler"]
"""Private, but documented as what a pickler in C stands for."""


class _Thorough(_InPython):  # type: ignore[misc]
    """One that remembers all but texts: it takes ten times as long."""

    def __init__(self, file: _Hashing) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)

    def memoize(self, obj: object) -> None:
        if type(obj) not in (str, bytes):
            super().memoize(obj)


class _Hashing:
    """A file that only remembers its digest."""

    def __init__(self) -> None:
        self._hash, self._size = blake2b(digest_size=16), 0

    def write(self, data: Any) -> None:
        self._size += len(data)
        if self._size > MOST_BYTES:
            raise ValueError("too long to be compared at each request")
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.digest()
