"""Which store keeps the stamps for a Django cache."""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.cache.backends.redis import RedisCache

from notmodified.ledger.counters import CounterStore, MemcachedStore
from notmodified.ledger.redis import RedisStore
from notmodified.ledger.slots import SlotStore
from notmodified.ledger.store import Store


@cache
def store_for(alias: str) -> Store:
    """The store for the Django cache `alias`."""
    backend = caches[alias]
    redis_url = _redis_url(backend)
    if redis_url is not None:
        return RedisStore(redis_url, backend.key_prefix, getattr(backend, "_options", {}))
    if isinstance(backend, BaseMemcachedCache):
        return MemcachedStore(alias)
    if type(backend) is LocMemCache:
        return CounterStore(alias)
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
