"""Stamps where Django's cache counts atomically: the memory of one process, and memcached."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from django.core.cache import caches
from django.core.cache.backends.base import default_key_func

from notmodified.ledger.django_cache import DjangoCacheStore
from notmodified.ledger.store import (
    MARK_SECONDS,
    MOVE,
    PREFIX,
    WRITERS,
    Claim,
    StoreError,
    fresh,
    is_same_life,
    store_errors,
)

_ATTEMPTS: Final = 3
"""How often a key is made anew that is lost between being made and being counted."""


class CounterStore(DjangoCacheStore):
    """A Django cache with an atomic ``incr``."""

    transactional = False

    def read(self, keys: Sequence[str]) -> list[int | None]:
        names = [PREFIX + key for key in keys]
        with store_errors(self._alias):
            return [*map(self._cache.get_many(names).get, names)]

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        marked: dict[str, int] = {}
        try:
            with store_errors(self._alias):
                for key in keys:
                    marked[key] = stamp = self._count_one_more(PREFIX + key)
                    self._cache.touch(PREFIX + key, MARK_SECONDS)
                    if not stamp & WRITERS:
                        raise StoreError(f"more than {WRITERS:,} writers at a time")
        except StoreError:
            # The statement will not be run, and what it would have written is no longer claimed.
            for key in marked:
                with suppress(StoreError, ValueError), store_errors(self._alias):
                    self._cache.incr(PREFIX + key, MOVE - 1)
            raise
        return Claim({**claim.stamps, **marked})

    def _count_one_more(self, name: str) -> int:
        for _ in range(_ATTEMPTS):
            with suppress(ValueError):  # there is none
                stamp: int = self._cache.incr(name, MOVE + 1)
                return stamp
            self._cache.add(name, fresh(), timeout=MARK_SECONDS)
        raise StoreError("it loses what it is given at once")

    def release(self, claim: Claim) -> None:
        with store_errors(self._alias):
            for key, marked in claim.stamps.items():
                self._count_one_less(PREFIX + key, marked)

    def _count_one_less(self, name: str, marked: int) -> None:
        # What was lost has nothing to take back; it will be minted with another number.
        with suppress(ValueError):
            stamp: int = self._cache.incr(name, MOVE - 1)
            nobody_was_counted = stamp & WRITERS == WRITERS
            if nobody_was_counted or not is_same_life(stamp, marked):
                # It was lost and minted since: the writer taken off was not this one. In between,
                # the stamp was one that nobody has ever been given.
                self._cache.incr(name, 1)


class MemcachedStore(CounterStore):
    """memcached, by whichever client Django's backend holds."""

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self._of_thread = threading.local()
        # Names that somebody else makes may differ from request to request.
        self._static = self._cache.key_func is default_key_func
        self._names = lru_cache(maxsize=8192)(self._names_of)

    def read(self, keys: Sequence[str]) -> list[int | None]:
        # Django finds its client, and makes and checks each name, anew for each reading, which
        # takes half as long as the trip. So both are remembered, and the client is asked.
        with store_errors(self._alias):
            names = self._names(tuple(keys)) if self._static else self._names_of(tuple(keys))
            return [*map(self._client().get_multi(names).get, names)]

    def _client(self) -> Any:
        own = self._of_thread.__dict__
        if own.get("process") != os.getpid():
            if own:
                # A forked child must not speak over its parent's connection.
                with suppress(AttributeError):
                    del caches[self._alias]
            own.update(client=self._cache._cache, process=os.getpid())
        return own["client"]

    def _names_of(self, keys: tuple[str, ...]) -> list[str]:
        return [self._cache.make_and_validate_key(PREFIX + key) for key in keys]
