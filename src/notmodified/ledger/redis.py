"""Stamps in Redis or Valkey, through one client per process, and one connection per thread to read.

Django's RedisCache makes a client for every call, which costs more than the call. The client held
here is safe for threads; a forked child makes connections of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from notmodified.ledger.store import (
    FAR,
    MARK_SECONDS,
    MOVE,
    PREFIX,
    WRITERS,
    Claim,
    StoreError,
    fresh,
    store_errors,
)

# Lua's numbers are doubles: differences of large counters are right to a few hundred, which is why
# the bound is far away from both. A counter that was lost meanwhile, or counts nobody, is moved and
# not taken back. (10^12 is a multiple of 2^12, so the last digits tell the count exactly.)
_RELEASE: Final = """
for index, key in ipairs(KEYS) do
  local stamp = redis.call('GET', key)
  if stamp then
    local apart = tonumber(stamp) - tonumber(ARGV[index + 2])
    local nobody = tonumber(string.sub(stamp, -12)) % (ARGV[1] + 1) == 0
    local other = apart < -1000000 or apart > tonumber(ARGV[2])
    redis.call('INCRBY', key, (other or nobody) and ARGV[1] + 1 or ARGV[1])
  end
end
"""


class RedisStore:
    """One Redis or Valkey server, given by its URL and the options of its client."""

    transactional = False

    def __init__(self, url: str, key_prefix: str, options: Mapping[str, Any]) -> None:
        from redis import Redis, exceptions
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._lost = exceptions.ConnectionError, exceptions.TimeoutError
        self._client: Any = Redis.from_url(url, **options)
        # Counting twice is worse than failing: what was sent is never sent again, whatever the URL
        # asks for.
        self._client.connection_pool.connection_kwargs.update(
            retry=Retry(NoBackoff(), 0), retry_on_timeout=False, retry_on_error=[]
        )
        self._prefix = f"{key_prefix}:{PREFIX}"
        self._of_thread = threading.local()
        self._question = lru_cache(maxsize=8192)(self._packed)

    def read(self, keys: Sequence[str]) -> list[int | None]:
        with store_errors("redis"):
            values = self._asked(tuple(keys)) if keys else []
        return [None if value is None else int(value) for value in values]

    def _asked(self, keys: tuple[str, ...]) -> Any:
        """An MGET. The client's own way round a question that is the same each time takes longer
        than the trip itself; so the question is packed once, and goes over a connection that this
        thread keeps. If that fails, the client asks, with its patience and its errors.
        """
        connection = self._own_connection()
        names, packed = self._question(keys)
        try:
            connection.send_packed_command(packed)
            return connection.read_response()
        except self._lost:
            connection.disconnect()
        return self._client.mget(names)

    def _own_connection(self) -> Any:
        own = self._of_thread.__dict__
        if own.get("process") != os.getpid():
            # A forked child must not speak over its parent's connection.
            own.update(
                connection=self._client.connection_pool.make_connection(), process=os.getpid()
            )
        return own["connection"]

    def _packed(self, keys: tuple[str, ...]) -> tuple[list[str], Any]:
        names = [self._prefix + key for key in keys]
        return names, self._own_connection().pack_command("MGET", *names)

    def mint(self, keys: Collection[str]) -> None:
        with store_errors("redis"), self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.set(self._prefix + key, fresh(), nx=True)
            pipe.execute()

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        names = [self._prefix + key for key in keys]
        with store_errors("redis"), self._client.pipeline(transaction=True) as pipe:
            for name in names:
                pipe.set(name, fresh(), nx=True)
                pipe.incrby(name, MOVE + 1)
                pipe.expire(name, MARK_SECONDS)
            stamps = pipe.execute()[1::3]
        marked = dict(zip(keys, stamps, strict=True))
        if not all(stamp & WRITERS for stamp in stamps):
            with store_errors("redis"), self._client.pipeline(transaction=True) as pipe:
                for name in names:
                    pipe.incrby(name, MOVE - 1)
                pipe.execute()
            raise StoreError(f"more than {WRITERS:,} writers at a time")
        return Claim({**claim.stamps, **marked})

    def release(self, claim: Claim) -> None:
        names = [self._prefix + key for key in claim.stamps]
        with store_errors("redis"):
            self._client.eval(_RELEASE, len(names), *names, MOVE - 1, FAR, *claim.stamps.values())

    def note(self, name: str, text: str) -> None:
        with store_errors("redis"):
            self._client.set(self._prefix + name, text)

    def noted(self, name: str) -> str | None:
        with store_errors("redis"):
            text = self._client.get(self._prefix + name)
        return None if text is None else text.decode()
