"""The ledger of a SQLite file, where it differs from others."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import LOG, OPEN
from notmodified.ledger.database.sqlite import TABLES, SqliteLedger


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=5)


@pytest.fixture(params=["DELETE", "WAL"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "site.sqlite3"
    connection = connect(path)
    connection.execute(f"PRAGMA journal_mode = {request.param}")
    for statement in TABLES:
        connection.execute(statement)
    connection.close()
    return path


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(str(path), lambda: connect(path))
    yield found
    found.close()


def move(path: Path, *keys: str) -> None:
    connection = connect(path)
    connection.executemany(f"INSERT INTO {LOG} (key) VALUES (?)", [(key,) for key in keys])
    connection.close()


def test_a_number_does_not_come_back_after_compaction(ledger: SqliteLedger, path: Path) -> None:
    """Else a record of the second `a` would not see the third."""
    move(path, "a")
    ledger.compact(keep=0)
    ledger.compact(keep=0)
    position = ledger.position()
    move(path, "a")
    assert ledger.position().line > position.line
    assert ledger.unmoved(["a"], position) is None


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE t (id)", "CREATE TRIGGER x AFTER INSERT ON notmodified_log BEGIN SELECT 1; END"],
)
def test_every_change_of_the_schema_moves_everything(
    ledger: SqliteLedger, path: Path, statement: str
) -> None:
    position = ledger.position()
    connection = connect(path)
    connection.execute(statement)
    connection.close()
    assert ledger.unmoved(["a"], position) is None


def test_an_open_reader_elsewhere_does_not_pin_what_the_ledger_sees(
    ledger: SqliteLedger, path: Path
) -> None:
    move(path, "x", "y", "z")
    position = ledger.position()
    reader = connect(path)
    rows = reader.execute(f"SELECT * FROM {LOG}")
    rows.fetchone()
    if reader.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        move(path, "a")
        assert ledger.unmoved(["a"], position) is None
    else:  # there a reader keeps writers waiting, and nobody else
        assert ledger.unmoved(["a"], position) == position
    rows.close()
    reader.close()


def test_a_file_that_is_gone_is_an_error_and_comes_back(
    ledger: SqliteLedger, path: Path, tmp_path: Path
) -> None:
    position = ledger.position()
    kept = tmp_path / "kept"
    shutil.move(path, kept)
    with pytest.raises(LedgerError):
        ledger.unmoved(["a"], position)
    shutil.move(kept, path)
    assert ledger.unmoved(["a"], position) is None
    again = ledger.position()
    assert ledger.unmoved(["a"], again) == again


def test_a_position_before_an_open_line_answers_for_its_own_keys_only(
    ledger: SqliteLedger, path: Path
) -> None:
    """Many records share a position: what one depends on has not moved, what another does has."""
    position = ledger.position()
    move(path, "a", OPEN)
    assert ledger.unmoved(["b"], position) == position
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) == position


def test_a_transaction_that_holds_its_own_open_line_has_no_position(
    ledger: SqliteLedger, path: Path
) -> None:
    """What it has written so far may be rolled back, and then nothing has moved."""
    position = ledger.position()
    reader = connect(path)
    reader.execute("BEGIN")
    reader.executemany(f"INSERT INTO {LOG} (key) VALUES (?)", [("a",), (OPEN,)])
    with pytest.raises(LedgerError, match="many rows"):
        ledger.position_of(reader, position)
    reader.execute("ROLLBACK")
    assert ledger.position_of(reader, position) == position
    reader.close()


def test_an_open_line_of_a_file_that_may_only_be_read(path: Path) -> None:
    """It cannot be sealed, so nothing of its table is recorded until somebody writes again; of
    other tables everything is."""
    writer = connect(path)  # without one, a log of writes in front of the file cannot be read
    writer.execute(f"SELECT 1 FROM {LOG}").fetchall()
    only_read = f"file:{path}?mode=ro"
    ledger = SqliteLedger(
        str(path), lambda: sqlite3.connect(only_read, uri=True, isolation_level=None)
    )
    reader = sqlite3.connect(only_read, uri=True, isolation_level=None)
    before = ledger.position()
    move(path, "a", OPEN)
    assert ledger.position_of(reader, before) == before
    assert ledger.unmoved(["a"], before) is None
    assert ledger.unmoved(["b"], before) == before
    with pytest.raises(LedgerError, match="many rows"):
        ledger.position()
    move(path, "b")
    after = ledger.position_of(reader, before)
    assert after is not None
    assert after != before
    assert ledger.unmoved(["a"], after) == after
    for each in (reader, writer, ledger):
        each.close()
