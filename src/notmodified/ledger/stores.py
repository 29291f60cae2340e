"""Where tokens and marks are kept: a Django cache, or the Redis behind one through a held client.

A *token* is a short text under a key. A *mark* is a writer's claim on a key; a key is marked as
long as any writer's claim stands.

Rules of this module:

- A store does as it is told, and raises :class:`StoreError` when it cannot.
- Where the server counts atomically (memcached, Redis), marks are counters, one per key. Elsewhere
  a counter that is read and then written would lose one of two writers; there each writer takes a
  slot with ``add``, and lists its keys in it.
- What all this is worth on each server is said in ``docs/guarantees.md``.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.cache.backends.redis import RedisCache

MARK_SECONDS: Final = 24 * 60 * 60
"""A mark outlives any sensible transaction. After a crash it costs answers for so long."""

SLOTS: Final = 64
"""How many writers can be under way at a time where each takes a slot."""

SECONDS_FOR_A_SLOT: Final = 2.0
"""How long one more writer waits for a slot; then it claims everything, and leaves it claimed."""

_TOKEN: Final = "notmodified.t."
_MARK: Final = "notmodified.m."


@dataclass(frozen=True, slots=True)
class Claim:
    """One writer's marks: the keys, and the slot in which they are listed, if any."""

    keys: frozenset[str] = frozenset()
    slot: str = ""
    writer: str = ""


NO_CLAIM: Final = Claim()


class StoreError(Exception):
    """The cache did not do what it was asked to."""


class Store(Protocol):
    """The few operations that tokens need; keys and values are short ASCII texts."""

    def read(self, keys: Collection[str]) -> tuple[Mapping[str, str], bool]:
        """The tokens that there are under `keys`, and whether any of the keys is marked."""

    def add(self, key: str, token: str) -> None:
        """Set `key` unless it has a token."""

    def set_many(self, tokens: Mapping[str, str]) -> None: ...

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        """`claim`, with marks on `keys` too."""

    def unmark(self, claim: Claim) -> None: ...


class _DjangoStore:
    """What all Django backends have in common, through their public interface."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    @property
    def _cache(self) -> BaseCache:
        # Django keeps one connection per thread; `caches` knows which.
        return caches[self._alias]

    def add(self, key: str, token: str) -> None:
        with _errors(self._alias):
            self._cache.add(_TOKEN + key, token, timeout=None)

    def set_many(self, tokens: Mapping[str, str]) -> None:
        with _errors(self._alias):
            named = {_TOKEN + key: token for key, token in tokens.items()}
            failed = self._cache.set_many(named, timeout=None)
        if failed:
            raise StoreError(f"the cache {self._alias!r} did not take {len(failed)} tokens")


class MemcachedStore(_DjangoStore):
    """memcached: counters never go below zero, and a missing one stays missing."""

    def read(self, keys: Collection[str]) -> tuple[Mapping[str, str], bool]:
        names = [_TOKEN + key for key in keys]
        marks = [_MARK + key for key in keys]
        with _errors(self._alias):
            found = self._cache.get_many([*names, *marks])
        tokens = {key: found[name] for key, name in zip(keys, names, strict=True) if name in found}
        return tokens, any(int(found.get(mark, 0)) > 0 for mark in marks)

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        with _errors(self._alias):
            for key in keys:
                name = _MARK + key
                self._cache.add(name, 0, timeout=MARK_SECONDS)
                try:
                    self._cache.incr(name)
                except ValueError:  # lost between the two calls
                    self._cache.set(name, 1, timeout=MARK_SECONDS)
                self._cache.touch(name, MARK_SECONDS)
        return Claim(claim.keys.union(keys))

    def unmark(self, claim: Claim) -> None:
        with _errors(self._alias):
            for key in claim.keys:
                # A lost counter has nothing to take back.
                with suppress(ValueError):
                    self._cache.decr(_MARK + key)


class SlotStore(_DjangoStore):
    """Every other Django backend: database, files, the process's own memory."""

    def read(self, keys: Collection[str]) -> tuple[Mapping[str, str], bool]:
        names = {_TOKEN + key: key for key in keys}
        with _errors(self._alias):
            found = self._cache.get_many([*names, *_SLOTS, _EVERYTHING])
        tokens = {names[name]: token for name, token in found.items() if name in names}
        claimed = {key for slot in _SLOTS if slot in found for key in found[slot].split()}
        return tokens, _EVERYTHING in found or not claimed.isdisjoint(keys)

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        claimed = claim.keys.union(keys)
        with _errors(self._alias):
            # After a flush the slot may be another writer's by now.
            if claim.slot and self._cache.get(claim.slot, "").startswith(claim.writer):
                text = " ".join([claim.writer, *claimed])
                self._cache.set(claim.slot, text, timeout=MARK_SECONDS)
                return Claim(claimed, claim.slot, claim.writer)
            return self._claim(claimed)

    def _claim(self, keys: frozenset[str]) -> Claim:
        writer = secrets.token_urlsafe(8)
        text = " ".join([writer, *keys])
        deadline = time.monotonic() + SECONDS_FOR_A_SLOT
        while True:
            for slot in _SLOTS:
                if self._cache.add(slot, text, timeout=MARK_SECONDS):
                    return Claim(keys, slot, writer)
            if time.monotonic() > deadline:
                self._cache.set(_EVERYTHING, writer, timeout=MARK_SECONDS)
                return Claim(keys)
            time.sleep(0.01)

    def unmark(self, claim: Claim) -> None:
        with _errors(self._alias):
            if claim.slot and self._cache.get(claim.slot, "").startswith(claim.writer):
                self._cache.delete(claim.slot)


_SLOTS: Final = [f"{_MARK}{number}" for number in range(SLOTS)]
_EVERYTHING: Final = f"{_MARK}everything"


_COUNT_DOWN: Final = """
for _, key in ipairs(KEYS) do
  local count = redis.call('GET', key)
  if count and tonumber(count) > 0 then redis.call('DECR', key) end
end
"""


class RedisStore:
    """A Redis or Valkey server through one client per process.

    Django's RedisCache makes a client for every call, which costs more than the call. The client
    is safe for threads, and reconnects in a forked child.
    """

    def __init__(self, url: str, key_prefix: str, options: Mapping[str, Any]) -> None:
        from redis import Redis

        self._client: Any = Redis.from_url(url, **options)
        self._token = f"{key_prefix}:{_TOKEN}"
        self._mark = f"{key_prefix}:{_MARK}"

    def read(self, keys: Collection[str]) -> tuple[Mapping[str, str], bool]:
        names = [self._token + key for key in keys]
        names += [self._mark + key for key in keys]
        with _errors("redis"):
            values = self._client.mget(names)
        tokens = {
            key: value.decode()
            for key, value in zip(keys, values, strict=False)
            if value is not None
        }
        return tokens, any(value is not None and int(value) > 0 for value in values[len(keys) :])

    def add(self, key: str, token: str) -> None:
        with _errors("redis"):
            self._client.set(self._token + key, token, nx=True)

    def set_many(self, tokens: Mapping[str, str]) -> None:
        with _errors("redis"):
            self._client.mset({self._token + key: token for key, token in tokens.items()})

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        with _errors("redis"), self._client.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.incr(self._mark + key)
                pipe.expire(self._mark + key, MARK_SECONDS)
            pipe.execute()
        return Claim(claim.keys.union(keys))

    def unmark(self, claim: Claim) -> None:
        names = [self._mark + key for key in claim.keys]
        with _errors("redis"):
            self._client.eval(_COUNT_DOWN, len(names), *names)


@contextmanager
def _errors(alias: str) -> Iterator[None]:
    """Every client has its own exceptions for a server that does not answer."""
    try:
        yield
    except Exception as error:
        raise StoreError(f"the cache {alias!r}: {error or type(error).__name__}") from error


@cache
def store_for(alias: str) -> Store:
    """The store for the Django cache `alias`."""
    backend = caches[alias]
    redis_url = _redis_url(backend)
    if redis_url is not None:
        return RedisStore(redis_url, backend.key_prefix, getattr(backend, "_options", {}))
    if isinstance(backend, BaseMemcachedCache):
        return MemcachedStore(alias)
    return SlotStore(alias)


def _redis_url(backend: BaseCache) -> str | None:
    """The one server of Django's own RedisCache; ``None`` for every other backend."""
    if type(backend) is not RedisCache:
        return None
    servers = getattr(backend, "_servers", [])
    if isinstance(servers, str):
        servers = [servers]
    known = {"db", "username", "password", "socket_timeout", "socket_connect_timeout"}
    if len(servers) != 1 or not known.issuperset(getattr(backend, "_options", {})):
        return None
    return servers[0] if urlsplit(servers[0]).scheme in ("redis", "rediss", "unix") else None
