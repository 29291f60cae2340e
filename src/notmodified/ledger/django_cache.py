"""What the stores have in common that keep their stamps in a Django cache."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.cache import caches

from notmodified.ledger.store import PREFIX, fresh, store_errors


class DjangoCacheStore:
    """The Django cache `alias`, and the operations that are the same on all of them."""

    def __init__(self, alias: str) -> None:
        self._alias = alias

    @property
    def _cache(self) -> Any:
        # Django keeps one connection per thread; `caches` knows which.
        return caches[self._alias]

    def mint(self, keys: Collection[str]) -> None:
        with store_errors(self._alias):
            for key in keys:
                self._cache.add(PREFIX + key, fresh(), timeout=None)

    def note(self, name: str, text: str) -> None:
        with store_errors(self._alias):
            self._cache.set(PREFIX + name, text, timeout=None)

    def noted(self, name: str) -> str | None:
        with store_errors(self._alias):
            text: str | None = self._cache.get(PREFIX + name)
        return text
