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


def test_a_table_without_rowid_is_refused() -> None:
    execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT) WITHOUT ROWID")
    assert install(connection, {"odd": odd()}) == []
    [state] = states(connection, {"odd": odd()})
    assert state.problem == "it is WITHOUT ROWID"


def odd() -> Table:
    shape = schema_of([Shelf])["site_shelf"]
    return Table("odd", frozenset({"id", "a", "b"}), shape.narrowing)
