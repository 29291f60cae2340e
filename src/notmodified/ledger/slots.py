"""Stamps in Django caches that cannot count atomically, such as the database cache.

A counter that is read and then written would lose one of two writers. So each writer takes a slot
with ``add``, and lists its keys in it; a stamp is marked if any slot lists its key. A key moves by
getting another random number.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache

from notmodified.ledger.django_cache import DjangoCacheStore
from notmodified.ledger.store import (
    MARK_SECONDS,
    PREFIX,
    Claim,
    StoreError,
    fresh,
    store_errors,
)

SLOTS: Final = 64
"""How many writers can be under way at a time."""

SECONDS_FOR_A_SLOT: Final = 2.0
"""How long one more writer waits for a slot; then it claims everything, and leaves it claimed."""

_SLOTS: Final = [f"notmodified.m.{number}" for number in range(SLOTS)]
_EVERYTHING: Final = "notmodified.m.everything"


class SlotStore(DjangoCacheStore):
    """Any Django cache whose ``add`` is atomic."""

    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self.transactional = isinstance(caches[alias], BaseDatabaseCache)

    def read(self, keys: Sequence[str]) -> list[int | None]:
        names = [PREFIX + key for key in keys]
        with store_errors(self._alias):
            found = self._cache.get_many([*names, *_SLOTS, _EVERYTHING])
        claimed = {key for slot in _SLOTS if slot in found for key in found[slot].split()}
        if _EVERYTHING in found:
            claimed.update(keys)
        stamps: list[int | None] = []
        for key, name in zip(keys, names, strict=True):
            stamp = found.get(name)
            stamps.append(stamp + 1 if stamp is not None and key in claimed else stamp)
        return stamps

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        stamps = {**claim.stamps, **dict.fromkeys(keys, 0)}
        with store_errors(self._alias):
            marked = self._renewed(stamps, claim) or self._claimed(stamps)
        try:
            self._move(keys)
        except StoreError:
            # The statement will not be run, and what it would have written is no longer claimed. A
            # claim from before stays: its stamps have moved.
            if not claim.stamps:
                self._give_up(marked)
            raise
        return marked

    def release(self, claim: Claim) -> None:
        self._move(claim.stamps)
        self._give_up(claim)

    def _move(self, keys: Iterable[str]) -> None:
        with store_errors(self._alias):
            # In one order, so that two writers of one database wait for each other and no more.
            stamps = {PREFIX + key: fresh() for key in sorted(keys)}
            failed = self._cache.set_many(stamps, timeout=None)
        if failed:
            raise StoreError(f"the cache {self._alias!r} did not take {len(failed)} stamps")

    def _renewed(self, stamps: dict[str, int], claim: Claim) -> Claim | None:
        """The writer's slot with more keys in it, if it is still its own: it may have been lost."""
        if not claim.slot or not self._cache.get(claim.slot, "").startswith(claim.writer):
            return None
        self._cache.set(claim.slot, " ".join([claim.writer, *stamps]), timeout=MARK_SECONDS)
        return Claim(stamps, claim.slot, claim.writer)

    def _claimed(self, stamps: dict[str, int]) -> Claim:
        writer = secrets.token_urlsafe(8)
        text = " ".join([writer, *stamps])
        deadline = time.monotonic() + SECONDS_FOR_A_SLOT
        while True:
            for slot in _SLOTS:
                if self._cache.add(slot, text, timeout=MARK_SECONDS):
                    return Claim(stamps, slot, writer)
            if time.monotonic() > deadline:
                self._cache.set(_EVERYTHING, writer, timeout=MARK_SECONDS)
                return Claim(stamps)
            time.sleep(0.01)

    def _give_up(self, claim: Claim) -> None:
        with store_errors(self._alias):
            if claim.slot and self._cache.get(claim.slot, "").startswith(claim.writer):
                self._cache.delete(claim.slot)
