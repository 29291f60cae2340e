"""The log's triggers on SQLite, where it differs from others."""

from __future__ import annotations

import pytest
from django.db import connection

from notmodified.sql.schema import Table, schema_of
from notmodified.writes.log.install import install, states
from tests.site.models import Shelf, Ticket
from tests.site.pages import execute, only_on
from tests.writes.log.harness import moved_by


@pytest.fixture(autouse=True)
def here() -> None:
    only_on("sqlite")


def test_uuids_that_others_have_written_are_written_as_plans_write_them() -> None:
    moves = moved_by(lambda: execute("INSERT INTO site_box VALUES ('ABCD-EF', '')"))
    assert "site_box.id.abcdef" in moves


@pytest.mark.parametrize(
    "statement",
    [
        "REPLACE INTO site_ticket (id, code, holder, version) VALUES (2, 5, '', 1)",
        "INSERT OR REPLACE INTO site_ticket (code, holder, version) VALUES (5, '', 1)",
        "UPDATE OR REPLACE site_ticket SET code = 5 WHERE id = 9",
    ],
)
def test_what_a_replace_displaces(statement: str) -> None:
    """It is gone without a DELETE that a trigger would see."""
    Shelf.objects.create(pk=7)
    Ticket.objects.create(pk=1, code=5, shelf_id=7)
    Ticket.objects.create(pk=9, code=6)
    moves = moved_by(lambda: execute(statement))
    assert not Ticket.objects.filter(pk=1).exists()
    assert {"site_ticket.id.1", "site_ticket.shelf_id.7", "site_ticket.code.5"} <= moves


COLUMNS = {
    "a generated column": "id INTEGER PRIMARY KEY, a INTEGER, b INTEGER AS (a) STORED UNIQUE",
    "a virtual column": "id INTEGER PRIMARY KEY, a INTEGER, b INTEGER AS (a) UNIQUE",
    "a column with the name of the rowid": (
        "id INTEGER PRIMARY KEY, a INTEGER UNIQUE, rowid INTEGER DEFAULT 7"
    ),
    "columns with all of its names": (
        "id INTEGER PRIMARY KEY, a INTEGER UNIQUE, "
        "rowid DEFAULT 7, oid DEFAULT 7, _rowid_ DEFAULT 7"
    ),
}


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize(
    "statement",
    [
        "REPLACE INTO odd (id, a) VALUES (3, 1)",
        "UPDATE OR REPLACE odd SET a = 1 WHERE id = 2",
        "UPDATE OR REPLACE odd SET id = 1 WHERE id = 2",
    ],
)
def test_what_a_replace_displaces_in_odd_tables(columns: str, statement: str) -> None:
    execute(f"CREATE TABLE odd ({COLUMNS[columns]})")
    install(connection, {"odd": odd()})
    execute("INSERT INTO odd (id, a) VALUES (1, 1), (2, 2)")
    assert "odd.id.1" in moved_by(lambda: execute(statement))


@pytest.mark.parametrize(
    "columns",
    [
        "id INTEGER, a INTEGER, PRIMARY KEY (id, a)",
        "id INTEGER PRIMARY KEY DESC, a INTEGER",
        "id INTEGER UNIQUE, a INTEGER",
    ],
)
def test_a_rowid_that_stands_beside_the_key(columns: str) -> None:
    execute(f"CREATE TABLE odd ({columns})")
    install(connection, {"odd": odd()})
    execute("INSERT INTO odd (rowid, id, a) VALUES (5, 1, 1)")
    moves = moved_by(lambda: execute("REPLACE INTO odd (rowid, id, a) VALUES (5, 2, 2)"))
    assert "odd.id.1" in moves


def test_a_name_with_capital_letters_that_sqlite_does_not_know() -> None:
    execute('CREATE TABLE "Ähre" (id INTEGER PRIMARY KEY, a INTEGER UNIQUE)')
    try:
        install(connection, {"ähre": Table("Ähre", frozenset({"id"}), odd().narrowing)})
        execute('INSERT INTO "Ähre" VALUES (1, 1), (2, 2)')
        execute("DELETE FROM notmodified_log")
        execute('UPDATE OR REPLACE "Ähre" SET a = 1 WHERE id = 2')
        with connection.cursor() as cursor:
            cursor.execute("SELECT key FROM notmodified_log")
            assert ("ähre\x1fid\x1f1",) in cursor.fetchall()
    finally:
        execute('DROP TABLE "Ähre"')


@pytest.mark.parametrize(
    "index",
    ["CREATE UNIQUE INDEX u ON odd (lower(a))", "CREATE UNIQUE INDEX u ON odd (a) WHERE b"],
)
def test_under_an_index_that_nobody_can_look_up_every_row_moves(index: str) -> None:
    execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
    execute(index)
    install(connection, {"odd": odd()})
    moves = moved_by(lambda: execute("INSERT INTO odd VALUES (1, 'x', 1)"))
    assert {"odd", "odd.*"} <= moves


def test_that_every_row_moves_is_said_once() -> None:
    execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
    execute("CREATE UNIQUE INDEX u ON odd (a) WHERE b")
    install(connection, {"odd": odd()})
    execute("DELETE FROM notmodified_log")
    execute("INSERT INTO odd VALUES (1, 'x', 1), (2, 'y', 1), (3, 'z', 1)")
    execute("UPDATE odd SET b = 2")
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM notmodified_log ORDER BY id")
        assert cursor.fetchall() == [("odd",), ("odd\x1f*",)]


def test_a_table_without_rowid_is_refused() -> None:
    execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT) WITHOUT ROWID")
    assert install(connection, {"odd": odd()}) == []
    [state] = states(connection, {"odd": odd()})
    assert state.problem == "it is WITHOUT ROWID"


def odd() -> Table:
    shape = schema_of([Shelf])["site_shelf"]
    return Table("odd", frozenset({"id", "a", "b"}), shape.narrowing)
