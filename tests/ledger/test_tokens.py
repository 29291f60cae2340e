"""Tokens and marks on every cache that Django has a backend for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.cache import caches

from notmodified.ledger import stores
from notmodified.ledger.stores import StoreError, store_for
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
        if alias == "redis":
            other = stores.RedisStore(
                settings.CACHES[alias]["LOCATION"], settings.CACHES[alias]["KEY_PREFIX"], {}
            )
            vars(store).update(vars(other))
    else:
        caches[alias].clear()


def read(tokens: Tokens, *keys: str) -> list[str] | None:
    return tokens.read(keys, "note")[0]


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
        monkeypatch.setattr(stores, "SECONDS_FOR_A_SLOT", 0.02)
        marks = [tokens.mark(["a"]) for _ in range(stores.SLOTS + 2)]
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
        first = read(tokens, "a")
        tokens.mark(["a"])
        with mock.patch.object(
            type(tokens._store), "read", self.without_marks(type(tokens._store).read)
        ):
            assert read(tokens, "a") not in (None, first)

    @staticmethod
    def without_marks(method: Any) -> Any:
        return lambda self, keys: (method(self, keys)[0], False)

    def test_notes_are_kept_beside_tokens(self, tokens: Tokens) -> None:
        assert tokens.read(["a"], "n")[1] is None
        tokens.note("n", '{"some": "text"}')
        assert tokens.read(["a"], "n")[1] == '{"some": "text"}'
        marks = tokens.mark(["a"])
        assert tokens.read(["a"], "n") == (None, '{"some": "text"}')
        tokens.release(marks)

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
        tokens.release(marks)
        later = tokens.mark(["a"])
        assert read(tokens, "a") is None
        tokens.release(later)

    def test_a_mark_lives_for_a_day_and_not_for_the_time_of_the_cache(
        self, tokens: Tokens, alias: str, settings: Any
    ) -> None:
        assert stores.MARK_SECONDS == 24 * 60 * 60
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
        store = tokens._store
        if alias == "redis":
            from redis import Redis

            store._client = Redis.from_url("redis://127.0.0.1:9/0")
        else:
            broken = mock.patch.object(
                type(caches[alias]), "get_many", side_effect=RuntimeError("away")
            )
            also = mock.patch.object(type(caches[alias]), "add", side_effect=RuntimeError("away"))
            with broken, also:
                for call in (lambda: read(tokens, "a"), lambda: tokens.mark(["a"])):
                    with pytest.raises(StoreError, match="away"):
                        call()
            return
        for call in (lambda: read(tokens, "a"), lambda: tokens.mark(["a"])):
            with pytest.raises(StoreError, match="redis"):
                call()


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
