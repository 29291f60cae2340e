"""The ledger of a SQLite file: positions, and what has not moved since."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import EVERYTHING, LOG
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


def test_nothing_has_moved_where_nothing_was_written(ledger: SqliteLedger) -> None:
    position = ledger.position()
    assert ledger.unmoved(["a", "b"], position) == position


def test_a_key_moves_and_others_do_not(ledger: SqliteLedger, path: Path) -> None:
    position = ledger.position()
    move(path, "a")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b", "a"], position) is None
    later = ledger.unmoved(["b"], position)
    assert later is not None
    assert later == ledger.position() != position
    assert ledger.unmoved(["a"], later) == later


def test_what_is_not_committed_has_not_moved(ledger: SqliteLedger, path: Path) -> None:
    position = ledger.position()
    writer = connect(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute(f"INSERT INTO {LOG} (key) VALUES ('a')")
    assert ledger.unmoved(["a"], position) == position
    writer.execute("COMMIT")
    assert ledger.unmoved(["a"], position) is None
    writer.close()


def test_what_is_rolled_back_has_not_moved(ledger: SqliteLedger, path: Path) -> None:
    position = ledger.position()
    writer = connect(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute(f"INSERT INTO {LOG} (key) VALUES ('a')")
    writer.execute("ROLLBACK")
    writer.close()
    assert ledger.unmoved(["a"], position) is not None


def test_compaction_forgets_what_was_written_before_the_last(
    ledger: SqliteLedger, path: Path
) -> None:
    early = ledger.position()
    move(path, "a")
    late = ledger.position()
    assert ledger.compact(keep=0)
    assert ledger.unmoved(["b"], early) is not None
    assert ledger.compact(keep=0)
    assert ledger.unmoved(["b"], early) is None
    assert ledger.unmoved(["a"], late) == ledger.position() == late


def test_a_short_log_is_not_compacted(ledger: SqliteLedger, path: Path) -> None:
    move(path, "a", "b")
    early = ledger.position()
    assert not ledger.compact(keep=3)
    assert not ledger.compact(keep=3)
    assert ledger.unmoved(["a"], early) == early


def test_a_number_does_not_come_back_after_compaction(ledger: SqliteLedger, path: Path) -> None:
    """Else a record of the second `a` would not see the third."""
    move(path, "a")
    ledger.compact(keep=0)
    ledger.compact(keep=0)
    position = ledger.position()
    move(path, "a")
    assert ledger.position().line > position.line
    assert ledger.unmoved(["a"], position) is None


def test_a_key_that_stands_for_all_moves_all(ledger: SqliteLedger, path: Path) -> None:
    position = ledger.position()
    move(path, EVERYTHING)
    assert ledger.unmoved([], position) is None
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


def test_a_restored_backup_has_another_history(
    ledger: SqliteLedger, path: Path, tmp_path: Path
) -> None:
    """Even though it is the same file, and has come as far by its numbers."""
    move(path, "a")
    early = ledger.position()
    backup = tmp_path / "backup.sqlite3"
    with checkpointed(path):
        shutil.copyfile(path, backup)
    move(path, "b")
    late = ledger.position()
    with checkpointed(path):
        shutil.copyfile(backup, path)
    move(path, "c")
    assert ledger.position().line == late.line
    assert ledger.unmoved(["x"], late) is None
    assert ledger.unmoved(["x"], early) is not None
    assert ledger.unmoved(["c"], early) is None


@contextmanager
def checkpointed(path: Path) -> Iterator[None]:
    """While nothing stands in a write-ahead log beside the file, which another may replace."""
    connection = connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    yield


def test_a_file_in_the_place_of_another_is_opened_anew(
    ledger: SqliteLedger, path: Path, tmp_path: Path
) -> None:
    position = ledger.position()
    backup = tmp_path / "backup.sqlite3"
    source, target = connect(path), connect(backup)
    source.backup(target)
    source.close()
    target.close()
    move(backup, "a")
    for extra in ("-wal", "-shm"):
        Path(f"{path}{extra}").unlink(missing_ok=True)
    os.replace(backup, path)
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) is None


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


def test_a_database_without_a_ledger_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    connect(path).close()
    ledger = SqliteLedger(str(path), lambda: connect(path))
    with pytest.raises(LedgerError, match="notmodified_log"):
        ledger.position()


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
