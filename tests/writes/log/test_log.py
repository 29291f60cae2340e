"""The log on every database: each row that comes, goes or changes leaves its lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from notmodified.ledger.database import sqlite as sqlite_ledger
from notmodified.ledger.database.names import MOST_LINES
from notmodified.ledger.database.sqlite import SqliteLedger
from notmodified.writes.log import definitions, postgresql
from notmodified.writes.log import install as install_module
from notmodified.writes.log.install import VENDORS, bump, install
from notmodified.writes.triggers.install import vendor_of
from notmodified.writes.triggers.vendor import LOG_PREFIX
from tests.ledger.database.harness import opened
from tests.reads import harness
from tests.site.models import Box, Item, Shelf, Ticket
from tests.site.pages import execute, only_on
from tests.writes.log.harness import moved_by, search

SHELF = {"site_shelf", "site_shelf.id.1"}
SHAPE = "site_shelf.+"


class TestWhatMoves:
    def test_an_insert_an_update_and_a_delete(self) -> None:
        assert moved_by(lambda: Shelf.objects.create(pk=1)) == {*SHELF, SHAPE}
        assert moved_by(lambda: Shelf.objects.update(name="x")) == SHELF
        assert moved_by(lambda: Shelf.objects.all().delete()) >= SHELF

    def test_an_update_moves_the_old_value_and_the_new(self) -> None:
        for pk in (1, 2):
            Shelf.objects.create(pk=pk)
        Ticket.objects.create(pk=1, code=5, shelf_id=1)
        assert moved_by(lambda: Ticket.objects.update(shelf=2)) == {
            "site_ticket",
            "site_ticket.+",
            "site_ticket.id.1",
            "site_ticket.code.5",
            "site_ticket.shelf_id.1",
            "site_ticket.shelf_id.2",
        }

    def test_null_is_no_value(self) -> None:
        moves = moved_by(lambda: Ticket.objects.create(pk=1, code=5))
        assert not any(".shelf_id." in key for key in moves)

    def test_uuids_are_written_as_plans_write_them(self) -> None:
        box = Box.objects.create()
        assert f"site_box.id.{box.pk.hex}" in moved_by(lambda: box.save())
        assert f"site_item.box_id.{box.pk.hex}" in moved_by(lambda: Item.objects.create(box=box))

    def test_a_statement_without_rows_moves_nothing(self) -> None:
        assert moved_by(lambda: Shelf.objects.filter(pk=9).update(name="x")) == set()

    def test_a_rollback_takes_the_lines_back(self) -> None:
        def write() -> None:
            with transaction.atomic():
                Shelf.objects.create(pk=1)
                transaction.set_rollback(True)

        assert moved_by(write) == set()

    def test_a_savepoint_that_is_rolled_back_does_too(self) -> None:
        def write() -> None:
            with transaction.atomic():
                Shelf.objects.create(pk=1)
                with transaction.atomic():
                    Shelf.objects.create(pk=2)
                    transaction.set_rollback(True)

        assert moved_by(write) == {*SHELF, SHAPE}


def installed() -> set[str]:
    return definitions.triggers(connection, LOG_PREFIX)["site_book"]


class TestInstalling:
    def test_it_is_done_once(self) -> None:
        before = installed()
        assert len(before) == {"sqlite": 5, "postgresql": 4, "mysql": 3}[connection.vendor]
        with opened() as ledger:
            position: Any = ledger.position()
            install(connection, harness.schema())
            assert installed() == before
            assert ledger.unmoved(["site_book"], position) is not None

    def test_what_is_missing_is_made(self) -> None:
        names = installed()
        for statement in vendor_of(connection).drop(connection, "site_book", min(names)):
            execute(statement)
        assert installed() != names
        install(connection, harness.schema())
        assert installed() == names


def test_no_result_changes_without_a_line_in_the_log() -> None:
    compared, changed = search(range(4))
    assert compared > 1000
    assert changed > 50


Lines = list[str]
Wrong = Callable[[str, Lines], Lines]
"""What is wrong with the lines of a trigger, by the statement that fires it."""


def _without(row: str) -> Wrong:
    """Leaves out the values that rows had (``OLD``), or that they have (``NEW``)."""
    if connection.vendor == "sqlite":  # where one statement has them all
        values = re.compile(rf'{row}\."\w+"')
        return lambda event, lines: [values.sub("NULL", line) for line in lines]
    return lambda event, lines: [line for line in lines if row not in line.upper()]


def _without_event(which: str) -> Wrong:
    return lambda event, lines: [] if event == which else lines


def _plant(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = VENDORS[connection.vendor]
    nothing = ["'nothing'" if connection.vendor == "mysql" else "SELECT 'nothing' AS line"]
    if connection.vendor == "postgresql":
        lines = vendor._lines

        def wrong_lines(*args: Any) -> Lines:
            return wrong(args[-1], list(lines(*args))) or nothing

        monkeypatch.setattr(vendor, "_lines", wrong_lines)
        return
    trigger = vendor._trigger

    def wrong_trigger(self: Any, table: str, moment: str, lines: Lines, *rest: Any) -> Any:
        event = moment.removeprefix("AFTER ")
        found = [one if isinstance(one, str) else wrong(event, one) for one in (lines, *rest)]
        return trigger(self, table, moment, found[0] or nothing, *found[1:])

    monkeypatch.setattr(vendor, "_trigger", wrong_trigger)


MUTANTS = {
    "old values are not written down": _without("OLD"),
    "new values are not written down": _without("NEW"),
    "inserts are not written down": _without_event("INSERT"),
    "updates are not written down": _without_event("UPDATE"),
    "deletes are not written down": _without_event("DELETE"),
}


@pytest.mark.without_log
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_defect_in_the_triggers_would_be_found(
    mutant: Wrong, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(mutant, monkeypatch)
    install(connection, harness.schema())
    with pytest.raises(harness.Stale):
        search(range(50, 70))


class TestManyRows:
    """A statement on many rows says that every row has moved, which is shorter."""

    @pytest.fixture(autouse=True)
    def few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        only_on("sqlite", "postgresql")
        if connection.vendor == "postgresql":
            monkeypatch.setattr(postgresql, "MOST_ROWS", 1)
            return
        limit = f"id - {MOST_LINES}"
        altered = tuple(sql.replace(limit, "id - 1") for sql in sqlite_ledger.TABLES)
        assert altered != sqlite_ledger.TABLES
        monkeypatch.setitem(install_module._TABLES, "sqlite", altered)

    def test_it_leaves_few_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        install(connection, harness.schema())
        Shelf.objects.bulk_create(Shelf(pk=pk) for pk in range(1, 501))
        execute("DELETE FROM notmodified_log")
        bump(connection)
        execute("UPDATE site_shelf SET name = 'x'")
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM notmodified_log")
            [lines] = cursor.fetchone()
        assert lines < 100
        assert "site_shelf.*" in moved_by(lambda: execute("UPDATE site_shelf SET name = 'y'"))

    @pytest.mark.without_log
    def test_no_result_changes_unannounced(self) -> None:
        install(connection, harness.schema())
        compared, changed = search(range(20, 24))
        assert compared > 1000
        assert changed > 50

    @pytest.mark.without_log
    def test_a_defect_would_be_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if connection.vendor == "sqlite":
            # Positions on open lines, after which nobody writes anything down.
            read = SqliteLedger._read
            monkeypatch.setattr(SqliteLedger, "_read", lambda *args: (read(*args)[0], False))
        else:
            everything = postgresql._everything
            monkeypatch.setattr(postgresql, "_everything", lambda *args: everything(*args)[:1])
        install(connection, harness.schema())
        with pytest.raises(harness.Stale):
            search(range(50, 70))
