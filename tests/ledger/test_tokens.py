"""Tokens and marks on every cache that Django has a backend for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.cache import caches

from notmodified.ledger import slots, store
from notmodified.ledger.redis import RedisStore
from notmodified.ledger.store import MOVE, WRITERS, StoreError, is_same_life
from notmodified.ledger.stores import store_for
from notmodified.ledger.tokens import Tokens, key_of
from tests.site.pages import service

CACHES = [
    "default",
    "database",
    "files",
    pytest.param("memcached", marks=pytest.mark.services),
    pytest.param("redis", marks=pytest.mark.services),
]
SHARED = CACHES[1:]
COUNTING = [cache for cache in CACHES if cache != "files"]
"""Django's files are refused by a system check: their `add` is not atomic."""
SERVERS = {"memcached": "NOTMODIFIED_MEMCACHED", "redis": "NOTMODIFIED_REDIS_URL"}


@pytest.fixture
def alias(request: Any, settings: Any, tmp_path: Any, db: None) -> Iterator[str]:
    alias: str = request.param
    caches_: dict[str, Any] = {name: dict(value) for name, value in settings.CACHES.items()}
    caches_["files"] = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(tmp_path),
    }
    if alias in SERVERS:
        location = service(SERVERS[alias])
        caches_[alias] |= {"LOCATION": location}
    # A prefix of our own: others may be at work on the same server.
    caches_[alias]["KEY_PREFIX"] = uuid4().hex
    settings.CACHES = caches_
    store_for.cache_clear()
    yield alias
    store_for.cache_clear()


@pytest.fixture
def tokens(alias: str) -> Tokens:
    return Tokens(store_for(alias))


def forget(alias: str) -> None:
    """As after a flush or a restart: every key is gone."""
    if alias in ("memcached", "redis"):
        from django.conf import settings

        settings.CACHES[alias]["KEY_PREFIX"] = uuid4().hex
        caches[alias].key_prefix = settings.CACHES[alias]["KEY_PREFIX"]
        store: Any = store_for(alias)
        if alias == "memcached":
            store._names.cache_clear()
        if alias == "redis":
            other = RedisStore(
                settings.CACHES[alias]["LOCATION"], settings.CACHES[alias]["KEY_PREFIX"], {}
            )
            vars(store).update(vars(other))
    else:
        caches[alias].clear()


def read(tokens: Tokens, *keys: str) -> list[int] | None:
    return tokens.read(keys)


every_cache = pytest.mark.parametrize("alias", CACHES, indirect=True)


@every_cache
class TestTokens:
    def test_a_key_gets_a_token_and_keeps_it(self, tokens: Tokens) -> None:
        first = read(tokens, "a", "b")
        assert first is not None
        assert len(set(first)) == 2
        assert read(tokens, "a", "b") == first
        assert read(tokens, "b", "a") == first[::-1]
        assert read(tokens) == []

    def test_while_a_key_is_marked_it_has_none(self, tokens: Tokens) -> None:
        first = read(tokens, "a", "b")
        marks = tokens.mark(["a"])
        assert read(tokens, "a") is None
        assert read(tokens, "a", "b") is None
        assert read(tokens, "b") == first[1:]  # type: ignore[index]
        tokens.release(marks)
        assert read(tokens, "a") not in (None, first[:1])  # type: ignore[index]

    def test_every_writer_has_a_mark_of_its_own(self, tokens: Tokens) -> None:
        marks = [tokens.mark(["a"]) for _ in range(3)]
        for mark in marks:
            assert read(tokens, "a") is None
            tokens.release(mark)
        assert read(tokens, "a") is not None

    def test_more_writers_than_there_are_slots_never_unmark_one_another(
        self, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slots, "SECONDS_FOR_A_SLOT", 0.02)
        marks = [tokens.mark(["a"]) for _ in range(slots.SLOTS + 2)]
        for mark in marks:
            assert read(tokens, "a") is None
            tokens.release(mark)

    def test_a_writer_adds_to_its_claim(self, tokens: Tokens) -> None:
        first = read(tokens, "a", "b")
        claim = tokens.mark(["b"], tokens.mark(["a"]))
        assert read(tokens, "a") is None
        assert read(tokens, "b") is None
        tokens.release(claim)
        after = read(tokens, "a", "b")
        assert after is not None
        assert not set(after) & set(first or ())

    def test_a_key_marked_before_it_had_a_token_has_none(self, tokens: Tokens) -> None:
        marks = tokens.mark(["new"])
        assert read(tokens, "new") is None
        tokens.release(marks)
        assert read(tokens, "new") is not None

    def test_a_mark_replaces_the_token_at_once(self, tokens: Tokens) -> None:
        """A writer that dies leaves nothing by which the old is current."""
        [first] = read(tokens, "a") or []
        tokens.mark(["a"])
        [stamp] = tokens._store.read(["a"])
        assert stamp is not None
        assert stamp & WRITERS
        assert stamp - (stamp & WRITERS) != first

    def test_a_mark_that_would_be_one_too_many_is_refused(self, tokens: Tokens, alias: str) -> None:
        """Beyond, the count would be zero, as if nobody were at work."""
        if isinstance(tokens._store, slots.SlotStore):
            pytest.skip("counts nothing")
        full = store.fresh() + WRITERS
        if isinstance(tokens._store, RedisStore):
            tokens._store._client.set(f"{tokens._store._prefix}a", full)
        else:
            caches[alias].set(f"{store.PREFIX}a", full)
        assert read(tokens, "a") is None
        with pytest.raises(StoreError, match="4,095 writers"):
            tokens.mark(["b", "a"])
        assert read(tokens, "a") is None
        assert read(tokens, "b") is not None

    def test_notes_are_kept_beside_tokens(self, tokens: Tokens) -> None:
        assert tokens.noted("n") is None
        tokens.note("n", '{"some": "text"}')
        assert tokens.noted("n") == '{"some": "text"}'

    def test_stamps_are_what_they_were_until_a_key_moves(self, tokens: Tokens) -> None:
        stamps = read(tokens, "a", "b")
        assert stamps is not None
        assert tokens.are(["a", "b"], stamps)
        assert not tokens.are(["b", "a"], stamps)
        marks = tokens.mark(["b"])
        assert not tokens.are(["a", "b"], stamps)
        tokens.release(marks)
        assert not tokens.are(["a", "b"], stamps)

    def test_no_token_is_the_same_after_a_flush(self, tokens: Tokens, alias: str) -> None:
        first = read(tokens, "a")
        forget(alias)
        assert read(tokens, "a") not in (None, first)

    def test_a_release_after_a_flush_moves_and_frees(self, tokens: Tokens, alias: str) -> None:
        marks = tokens.mark(["a"])
        forget(alias)
        between = read(tokens, "a")
        tokens.release(marks)
        assert read(tokens, "a") not in (None, between)

    def test_a_release_after_a_flush_spends_no_later_mark(self, tokens: Tokens, alias: str) -> None:
        marks = tokens.mark(["a"])
        forget(alias)
        later = tokens.mark(["a"])
        tokens.release(marks)
        assert read(tokens, "a") is None
        tokens.release(later)
        assert read(tokens, "a") is not None

    def test_a_release_that_happens_twice_leaves_the_key_usable(self, tokens: Tokens) -> None:
        marks = tokens.mark(["a"])
        tokens.release(marks)
        tokens.release(marks)
        assert read(tokens, "a") is not None
        marks = tokens.mark(["a"])
        assert read(tokens, "a") is None
        tokens.release(marks)

    def test_a_mark_lives_for_a_day_and_not_for_the_time_of_the_cache(
        self, tokens: Tokens, alias: str, settings: Any
    ) -> None:
        assert store.MARK_SECONDS == 24 * 60 * 60
        if alias in ("memcached", "redis"):
            pytest.skip("nobody can move the clock of a server")
        tokens.mark(["a"])
        import time

        now = time.time()
        with mock.patch("time.time", lambda: now + 23 * 60 * 60):
            if alias == "database":
                self.check_expiry()
            else:
                assert read(tokens, "a") is None

    def check_expiry(self) -> None:
        from datetime import UTC, datetime, timedelta

        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT MIN(expires) FROM cache WHERE cache_key LIKE '%notmodified.m.%'")
            [expires] = cursor.fetchone()
        expires = expires if isinstance(expires, datetime) else datetime.fromisoformat(expires)
        left = expires.replace(tzinfo=UTC) - datetime.now(UTC)
        assert left > timedelta(hours=23)

    def test_a_server_that_does_not_answer_is_a_store_error(self, alias: str, tokens: Any) -> None:
        if alias == "redis":
            from redis import Redis

            tokens._store._client = Redis.from_url("redis://127.0.0.1:9/0")
        elif alias == "memcached":
            away = mock.patch.object(type(caches[alias]), "_cache", property(self.away))
        else:
            methods = dict.fromkeys(["get_many", "add", "incr"], self.away)
            away = mock.patch.multiple(type(caches[alias]), **methods)
        with nullcontext() if alias == "redis" else away:
            for call in (lambda: read(tokens, "a"), lambda: tokens.mark(["a"])):
                with pytest.raises(StoreError, match=r"away|redis"):
                    call()

    @staticmethod
    def away(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("away")


@pytest.mark.services
@pytest.mark.parametrize("alias", ["redis"], indirect=True)
class TestRedis:
    def test_a_lost_connection_is_made_anew(self, tokens: Tokens) -> None:
        """As after a restart of the server, or its time limit for idle clients."""
        first = read(tokens, "a")
        store: Any = tokens._store
        store._own_connection()._sock.shutdown(socket.SHUT_RDWR)
        assert read(tokens, "a") == first
        assert read(tokens, "a") == first

    def test_nothing_is_sent_twice_whatever_the_url_says(self, alias: str, settings: Any) -> None:
        """Another reader would take one writer's second release for another one's."""
        url = settings.CACHES[alias]["LOCATION"]
        store = RedisStore(f"{url}?retry_on_timeout=yes", "", {})
        connection = store._client.connection_pool.make_connection()
        assert connection.retry.get_retries() == 0

    def test_a_forked_child_has_a_connection_of_its_own(
        self, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store: Any = tokens._store
        read(tokens, "a")
        ours = store._own_connection()
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert store._own_connection() is not ours


def tenants_key(key: str, prefix: str, version: int) -> str:
    return f"{TENANT[0]}:{key}"


TENANT = ["one"]


@pytest.mark.services
@pytest.mark.parametrize("alias", ["memcached"], indirect=True)
def test_names_that_the_site_makes_are_made_anew_each_time(alias: str) -> None:
    """One tenant's stamps are not another's."""
    caches[alias].key_func = tenants_key
    tokens, run = Tokens(store_for(alias)), uuid4().hex
    seen = []
    for tenant in ("one", "other", "one"):
        TENANT[0] = run + tenant
        seen.append(read(tokens, "a"))
    assert seen[0] == seen[2] != seen[1]


class TestLives:
    """Whether a counter is the one that was marked, or another under the same key."""

    @pytest.mark.parametrize("moves", [0, 1, 1000, (1 << 16) - 1])
    def test_a_few_moves_are_the_same_life(self, moves: int) -> None:
        assert is_same_life(5000 * MOVE + 3 + moves * MOVE, 5000 * MOVE + 3)

    @pytest.mark.parametrize("moves", [-5000, -1, 1 << 16, 1 << 40])
    def test_what_no_writer_can_have_done_is_another(self, moves: int) -> None:
        assert not is_same_life(5000 * MOVE + 3 + moves * MOVE, 5000 * MOVE + 3)


def test_keys_delimit_what_they_are_made_of() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("a", "") != key_of("a")
    assert key_of("é") == key_of("é")


@pytest.mark.parametrize("alias", COUNTING, indirect=True)
@pytest.mark.django_db(transaction=True)
def test_marks_of_many_threads_are_all_taken_back(alias: str) -> None:
    """Counters that are read and then written would lose some."""
    tokens, failures = Tokens(store_for(alias)), []
    start = threading.Barrier(4)

    def write() -> None:
        from django.db import connections

        start.wait()
        try:
            for _ in range(10):
                marks = tokens.mark(["a"])
                if read(tokens, "a") is not None:
                    failures.append("a mark was not seen")
                tokens.release(marks)
        except BaseException as error:
            failures.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert read(tokens, "a") is not None


OTHER_PROCESS = """
import sys
import django
from django.conf import settings
settings.CACHES["files"] = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": sys.argv[3],
}
settings.CACHES[sys.argv[1]]["KEY_PREFIX"] = sys.argv[2]
settings.DATABASES["default"]["NAME"] = sys.argv[4]
django.setup()
from notmodified.ledger.stores import store_for
from notmodified.ledger.tokens import Tokens
tokens = Tokens(store_for(sys.argv[1]))
marks = tokens.mark(["a"])
if sys.argv[5] == "lives":
    tokens.release(marks)
"""


@pytest.mark.parametrize("alias", SHARED, indirect=True)
@pytest.mark.parametrize("end", ["lives", "dies"])
@pytest.mark.django_db(transaction=True)
def test_another_process_moves_what_it_writes(
    alias: str, end: str, settings: Any, tmp_path: Any
) -> None:
    from django.db import connection

    tokens = Tokens(store_for(alias))
    first = read(tokens, "a")
    name = str(connection.settings_dict["NAME"])
    arguments = [alias, settings.CACHES[alias]["KEY_PREFIX"], str(tmp_path), name, end]
    subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, *arguments],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": "src:."},
        check=True,
    )
    after = read(tokens, "a")
    assert after != first
    assert (after is None) == (end == "dies")
