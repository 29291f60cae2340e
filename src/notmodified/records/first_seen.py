"""When a version was first seen, kept in a cache that all processes share: a Last-Modified for
what has no time of its own.

Rules of this module:

- The time is compared with the previous entry of the *same shared* cache only. A version that
  returns after another (A → B → A) gets a new time, because B's entry stands in between.
- A new entry's time is later than the one it replaces, whatever the clocks of two machines say,
  and lies at the end of the second in which it was first seen.
- It is settled for requests that began after that second: what they read is that version still.
  So whoever holds the time, holds a version that was current after it, and a later version has a
  later time. Without a shared cache this does not hold, and there is no time at all.
"""

from __future__ import annotations

import time
from hashlib import blake2b

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache

from notmodified import conf
from notmodified.reasons import logger


def first_seen(key: str, version: str) -> int | None:
    """The second since which `version` has been what stands under `key`.

    ``None`` where the cache ``NOTMODIFIED["CACHE"]`` is not shared between processes, or does
    not answer.
    """
    cache = caches[conf.current().CACHE]
    if isinstance(cache, LocMemCache | DummyCache):
        return None
    name = "notmodified.first_seen." + blake2b(key.encode(), digest_size=16).hexdigest()
    try:
        entry = cache.get(name)
        if entry is not None and entry[0] == version:
            return int(entry[1])
        after = int(entry[1]) if entry is not None else 0
        seen = max(int(time.time()), after) + 1
        cache.set(name, (version, seen), timeout=None)
    except Exception as error:
        # Each client has its own exceptions; a page without a time is no reason for a 500.
        logger.warning("no Last-Modified, the cache did not answer: %s", error)
        return None
    return seen
