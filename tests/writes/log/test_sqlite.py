"""The log's triggers on SQLite: every row that comes, goes or changes, by whatever statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from notmodified.ledger.database.sqlite import LEDGER, LOG, SqliteLedger
from notmodified.reads.plans import Planner
from notmodified.sql.dependencies import Dependency
from notmodified.sql.schema import Table, schema_of
from notmodified.writes.log import sqlite as module
from tests.reads import harness
from tests.site.models import Box, Item, Shelf, Ticket
from tests.site.pages import execute, only_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def log(request: Any) -> Iterator[None]:
    only_on("sqlite")
    if "without_log" not in request.keywords:
        module.install(connection, harness.schema())
    yield
    module.uninstall(connection, harness.schema())
    for table in (LOG, LEDGER, "odd"):
        execute(f"DROP TABLE IF EXISTS {table}")


def ledger() -> SqliteLedger:
    path = str(connection.settings_dict["NAME"])
    return SqliteLedger(path, lambda: sqlite3.connect(path, isolation_level=None, timeout=20))


def moved_by(write: Callable[[], Any]) -> set[str]:
    """The keys that a write moves, with the separators as dots."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {LOG}")
        [last] = cursor.fetchone()
        write()
        cursor.execute(f"SELECT key FROM {LOG} WHERE id > %s", [last])
        return {key.replace("\x1f", ".") for (key,) in cursor.fetchall()}


SHELF = {"site_shelf", "site_shelf.id.1"}


class TestWhatMoves:
    def test_an_insert_an_update_and_a_delete(self) -> None:
        assert moved_by(lambda: Shelf.objects.create(pk=1)) == SHELF
        assert moved_by(lambda: Shelf.objects.update(name="x")) == SHELF
        assert moved_by(lambda: Shelf.objects.all().delete()) >= SHELF

    def test_an_update_moves_the_old_value_and_the_new(self) -> None:
        for pk in (1, 2):
            Shelf.objects.create(pk=pk)
        Ticket.objects.create(pk=1, code=5, shelf_id=1)
        assert moved_by(lambda: Ticket.objects.update(shelf=2)) == {
            "site_ticket",
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
        moves = moved_by(lambda: execute("INSERT INTO site_box VALUES ('ABCD-EF', '')"))
        assert "site_box.id.abcdef" in moves
        assert f"site_item.box_id.{box.pk.hex}" in moved_by(lambda: Item.objects.create(box=box))

    @pytest.mark.parametrize(
        "statement",
        [
            "REPLACE INTO site_ticket (id, code, holder, version) VALUES (2, 5, '', 1)",
            "INSERT OR REPLACE INTO site_ticket (code, holder, version) VALUES (5, '', 1)",
            "UPDATE OR REPLACE site_ticket SET code = 5 WHERE id = 9",
        ],
    )
    def test_what_a_replace_displaces(self, statement: str) -> None:
        """It is gone without a DELETE that a trigger would see."""
        Shelf.objects.create(pk=7)
        Ticket.objects.create(pk=1, code=5, shelf_id=7)
        Ticket.objects.create(pk=9, code=6)
        moves = moved_by(lambda: execute(statement))
        assert not Ticket.objects.filter(pk=1).exists()
        assert {"site_ticket.id.1", "site_ticket.shelf_id.7", "site_ticket.code.5"} <= moves

    def test_a_rollback_takes_the_lines_back(self) -> None:
        from django.db import transaction

        def write() -> None:
            with transaction.atomic():
                Shelf.objects.create(pk=1)
                transaction.set_rollback(True)

        assert moved_by(write) == set()

    @pytest.mark.parametrize(
        "index",
        ["CREATE UNIQUE INDEX u ON odd (lower(a))", "CREATE UNIQUE INDEX u ON odd (a) WHERE b"],
    )
    def test_under_an_index_that_nobody_can_look_up_every_row_moves(self, index: str) -> None:
        execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
        execute(index)
        module.install(connection, {"odd": odd()})
        moves = moved_by(lambda: execute("INSERT INTO odd VALUES (1, 'x', 1)"))
        assert {"odd", "odd.id.1", "odd.id.*"} <= moves

    def test_a_table_without_rowid_is_refused(self) -> None:
        execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, a TEXT) WITHOUT ROWID")
        with pytest.raises(module.UncoveredTableError, match="odd is WITHOUT ROWID"):
            module.install(connection, {"odd": odd()})


def odd() -> Table:
    shape = schema_of([Shelf])["site_shelf"]
    return Table(frozenset({"id", "a", "b"}), shape.narrowing)


class TestInstalling:
    def test_it_is_done_once(self) -> None:
        before = module.installed(connection, "site_book")
        position = ledger().position()
        module.install(connection, harness.schema())
        assert module.installed(connection, "site_book") == before
        assert ledger().position() == position

    def test_what_is_missing_is_made_and_what_is_too_much_is_dropped(self) -> None:
        names = module.installed(connection, "site_book")
        execute(f"DROP TRIGGER {min(names)}")
        execute(f"CREATE TRIGGER {module.PREFIX}old AFTER INSERT ON site_book BEGIN SELECT 1; END")
        module.install(connection, harness.schema())
        assert module.installed(connection, "site_book") == names


def judge() -> Callable[[], harness.HasMoved]:
    """As a checker asks: a position before, and whether the keys are unmoved since."""
    found = ledger()
    position = found.position()

    def has_moved(needed: set[Dependency]) -> bool:
        return found.unmoved([one.key for one in needed], position) is None

    return lambda: has_moved


def search(seeds: range) -> tuple[int, int]:
    planner = Planner("sqlite", harness.schema())
    found = [harness.search(planner, seed, rounds=25, queries=20, judge=judge) for seed in seeds]
    return sum(compared for compared, _ in found), sum(changed for _, changed in found)


def test_no_result_changes_without_a_line_in_the_log() -> None:
    compared, changed = search(range(4))
    assert compared > 1000
    assert changed > 50


def _without(row: str) -> Any:
    def rows(*args: Any) -> list[str]:
        return [] if args[-1] == row else _rows(*args)

    return rows


def _only_the_table(*args: Any) -> list[str]:
    return []


def _without_event(event: str) -> Any:
    def trigger(connection: Any, table: str, moment: str, lines: Any) -> Any:
        lines = ["SELECT 'nothing'"] if moment == event else lines
        return _trigger(connection, table, moment, lines)

    return trigger


_rows, _trigger = module._rows, module._trigger
MUTANTS: dict[str, tuple[str, Any]] = {
    "old values are not written down": ("_rows", _without("OLD")),
    "new values are not written down": ("_rows", _without("NEW")),
    "only the table is written down": ("_rows", _only_the_table),
    "inserts are not written down": ("_trigger", _without_event("AFTER INSERT")),
    "updates are not written down": ("_trigger", _without_event("AFTER UPDATE")),
    "deletes are not written down": ("_trigger", _without_event("AFTER DELETE")),
}


@pytest.mark.without_log
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_defect_in_the_triggers_would_be_found(
    mutant: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, *mutant)
    module.install(connection, harness.schema())
    with pytest.raises(harness.Stale):
        search(range(50, 70))
