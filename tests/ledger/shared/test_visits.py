"""With shared memory in charge, a return visit asks no database at all, until somebody writes."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test import override_settings

from notmodified.ledger.database import mysql, postgresql, sqlite
from notmodified.records import databases
from notmodified.writes import shared
from tests.automatic.visits import Visitor, recorded_site
from tests.site.models import Book, Plain, Shelf
from tests.site.pages import elsewhere, execute, only_on

pytestmark = pytest.mark.usefixtures("site")

QUESTIONS: list[str] = []
"""What the ledger in the database was asked."""

_LEDGERS: Any = (sqlite.SqliteLedger, postgresql.PostgresqlLedger, mysql.MysqlLedger)


@pytest.fixture
def site(log: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """The database of the tests, with shared memory in charge of it, and rows to show."""
    Shelf.objects.bulk_create(Shelf(pk=pk, name=f"shelf {pk}") for pk in (1, 2, 3))
    for class_ in _LEDGERS:
        for name in ("unmoved", "moved_since", "position"):
            monkeypatch.setattr(class_, name, _counted(name, getattr(class_, name)))
    with recorded_site("tests.automatic.visits"):
        ours = {"CACHE_STATUS": True, "LEDGER": "shared", "SHARED_DIRECTORY": str(tmp_path)}
        with override_settings(NOTMODIFIED=ours):
            shared.forget()
            call_command("notmodified", "ledger", "use", "shared")
            yield
            memory = shared.memory_of(connection)
            assert memory is not None
            assert memory.at_rest() is not None, "a mark was left"
            call_command("notmodified", "ledger", "use", "database", "--no-wait")
            databases.forget()
            os.unlink(memory.path)
            shared.forget()


def _counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def asked(self: Any, *args: Any) -> Any:
        QUESTIONS.append(name)
        return original(self, *args)

    return asked


class Regular(Visitor):
    """A visitor whose pages are recorded."""

    def __init__(self, *urls: str) -> None:
        super().__init__()
        for url in urls:
            for _ in range(3):  # the first request of a process may be one that prepares much
                self.get(url)
            assert self.is_answered_without_view(url)

    def asks_nobody(self, url: str) -> bool:
        QUESTIONS.clear()
        return self.is_answered_without_view(url) and not QUESTIONS


def test_nobody_is_asked_until_something_is_written() -> None:
    visitor = Regular("/shelf/1/", "/shelf/2/", "/shelf/3/")
    assert all(visitor.asks_nobody(url) for url in ("/shelf/1/", "/shelf/2/", "/shelf/3/"))
    elsewhere(lambda: Shelf.objects.filter(pk=1).update(name="another"))
    assert not visitor.is_answered_without_view("/shelf/1/")
    assert visitor.is_answered_without_view("/shelf/2/")


def test_one_question_serves_all_pages() -> None:
    urls = [f"/shelf/{pk}/" for pk in (1, 2, 3)]
    visitor = Regular(*urls)
    elsewhere(lambda: Shelf.objects.create(pk=9, name="new"))
    assert visitor.is_answered_without_view("/shelf/1/")
    assert visitor.asks_nobody("/shelf/2/")
    assert visitor.asks_nobody("/shelf/3/")
    assert visitor.asks_nobody("/shelf/1/")


def _autocommit() -> None:
    Shelf.objects.filter(pk=1).update(name="x")


def _save() -> None:
    Shelf(pk=1, name="saved").save()


def _atomic() -> None:
    with transaction.atomic():
        Shelf.objects.update_or_create(pk=7, defaults={"name": "y"})
        Shelf.objects.filter(pk=1).update(name="x")


def _savepoint() -> None:
    with transaction.atomic():
        with transaction.atomic():
            Shelf.objects.filter(pk=1).update(name="x")
        assert Shelf.objects.exists()


def _manually() -> None:
    transaction.set_autocommit(False)
    try:
        Shelf.objects.filter(pk=1).update(name="x")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)


def _by_text() -> None:
    execute("BEGIN")
    execute("UPDATE site_shelf SET name = 'x' WHERE id = 1")
    execute("COMMIT")


def _many() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE site_shelf SET name = %s WHERE id = %s", [("x", 1), ("y", 2)])


def _returning() -> None:
    if connection.features.can_return_rows_from_bulk_insert and connection.vendor != "mysql":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE site_shelf SET name = 'x' WHERE id = 1 RETURNING id")
            cursor.fetchall()
    else:
        _autocommit()


def _cascade() -> None:
    Shelf.objects.filter(pk=1).delete()


def _by_script() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.executescript("UPDATE site_shelf SET name = 'x' WHERE id = 1; SELECT 1;")
    else:
        execute("UPDATE site_shelf SET name = 'x' WHERE id = 1")


def _copied() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM site_shelf WHERE id = 1")
            with cursor.copy("COPY site_shelf (id, name) FROM STDIN") as copy:
                copy.write_row((1, "copied"))
    else:
        _autocommit()


def _in_a_function() -> None:
    if connection.vendor != "postgresql":
        _autocommit()
        return
    execute(
        "CREATE OR REPLACE FUNCTION rename() RETURNS int LANGUAGE sql AS "
        "$$ UPDATE site_shelf SET name = 'x' WHERE id = 1; SELECT 1 $$"
    )
    execute("SELECT rename()")


@pytest.mark.parametrize(
    "write",
    [
        *(_autocommit, _save, _atomic, _savepoint, _manually, _by_text, _many, _returning),
        *(_cascade, _by_script, _copied, _in_a_function),
    ],
)
def test_every_way_to_write_is_seen(write: Callable[[], None]) -> None:
    """Also in the same process, and in another thread."""
    for somewhere in (elsewhere, lambda function: function()):
        Shelf(pk=1, name="before").save()
        visitor = Regular("/shelf/1/")
        assert visitor.asks_nobody("/shelf/1/")
        somewhere(write)
        assert not visitor.is_answered_without_view("/shelf/1/")
    connections.close_all()


def test_a_write_that_is_rolled_back_leaves_every_page() -> None:
    visitor = Regular("/shelf/1/")

    def give_up() -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Shelf.objects.update(name="x")
            raise ZeroDivisionError

    elsewhere(give_up)
    assert visitor.is_answered_without_view("/shelf/1/")
    assert visitor.asks_nobody("/shelf/1/")


def test_while_somebody_writes_the_database_is_asked() -> None:
    if connection.vendor == "sqlite" and not _has_wal():
        pytest.skip("whoever writes there keeps others from reading, and no view can run")
    visitor = Regular("/shelf/1/", "/shelf/2/")

    def write_slowly() -> None:
        with transaction.atomic():
            Shelf.objects.filter(pk=1).update(name="x")
            begun.set()
            assert seen.wait(20)

    begun, seen = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(elsewhere, write_slowly)
        assert begun.wait(20)
        QUESTIONS.clear()
        assert all(visitor.is_answered_without_view(f"/shelf/{pk}/") for pk in (1, 2))
        assert QUESTIONS == ["unmoved", "unmoved"]
        seen.set()
        written.result()
    assert not visitor.is_answered_without_view("/shelf/1/")


def _has_wal() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        return bool(cursor.fetchone()[0] == "wal")


def test_strangers_are_noticed_when_the_database_is_asked_for_its_word_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within a minute, as the guarantees say: nobody has marked what they write."""
    visitor = Regular("/shelf/1/", "/shelf/2/")
    connection.ensure_connection()
    cursor = connection.connection.cursor()
    cursor.execute("UPDATE site_shelf SET name = 'by a stranger' WHERE id = 1")
    cursor.close()
    assert visitor.asks_nobody("/shelf/1/")
    for known in databases._known.values():
        monkeypatch.setattr(known._ledger, "_until", 0.0)
    assert not visitor.is_answered_without_view("/shelf/1/")
    assert visitor.asks_nobody("/shelf/2/")


def test_an_era_that_fails_to_begin_is_none() -> None:
    """What was to be carried in its place, is still to be carried: that was a stale answer."""
    only_on("sqlite")
    visitor = Regular("/shelf/1/", "/shelf/2/")

    def write() -> None:
        execute("CREATE INDEX another ON site_plain (name)")  # the history is another one
        Shelf.objects.filter(pk=1).update(name="new")
        Plain.objects.bulk_create(Plain(name=str(number)) for number in range(300))

    elsewhere(write)
    path = str(connection.settings_dict["NAME"])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # as a compaction does, which nobody marks
        visitor.get("/shelf/2/")
        other.execute("ROLLBACK")
    try:
        assert not visitor.is_answered_without_view("/shelf/1/")
    finally:
        execute("DROP INDEX another")


def test_a_book_on_a_shelf_is_one_page_of_many() -> None:
    Book.objects.create(pk=1, title="one", shelf_id=1)
    visitor = Regular("/books-of/1/", "/shelf/2/")
    elsewhere(lambda: Book.objects.filter(pk=1).update(title="two"))
    assert not visitor.is_answered_without_view("/books-of/1/")
    assert visitor.asks_nobody("/shelf/2/")


def test_it_can_only_be_put_in_charge_where_it_is_used() -> None:
    with override_settings(NOTMODIFIED={}), pytest.raises(CommandError, match="restart every"):
        call_command("notmodified", "ledger", "use", "shared")
