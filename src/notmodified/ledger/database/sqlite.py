"""The ledger of a SQLite file.

There is one writer at a time, so the numbers of the log's lines are in the order of the commits,
and ``AUTOINCREMENT`` keeps a number from coming back after compaction.

Rules of this module:

- Every reading is one statement, fetched to its end: an open one would pin the past.
- It runs on a connection of its own, in autocommit, so that it sees what is committed by now.
- Every change of the schema counts as a move of everything: it may have dropped a trigger.
- A file that was replaced by another (a restored backup) is another ledger, whatever is in it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final, NamedTuple

from notmodified.ledger.database.errors import LedgerError

LOG: Final = "notmodified_log"
LEDGER: Final = "notmodified_ledger"

TABLES: Final = (
    f"CREATE TABLE IF NOT EXISTS {LEDGER} (id TEXT NOT NULL, horizon INTEGER NOT NULL)",
    (
        f"INSERT INTO {LEDGER} SELECT lower(hex(randomblob(16))), 0 "
        f"WHERE NOT EXISTS (SELECT 1 FROM {LEDGER})"
    ),
    f"CREATE TABLE IF NOT EXISTS {LOG} (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {LOG}_key ON {LOG} (key, id)",
)
"""The statements that make a ledger where there is none."""

_POSITION: Final = (
    "SELECT ledger.id, ledger.horizon, schema.schema_version, "
    f"COALESCE((SELECT seq FROM sqlite_sequence WHERE name = '{LOG}'), 0)"
)
_FROM: Final = f" FROM {LEDGER} AS ledger, pragma_schema_version AS schema"


class Position(NamedTuple):
    """A point in the history of one database file."""

    file: tuple[int, int]
    ledger: str
    schema: int
    line: int


class SqliteLedger:
    """Reads the log of one file. `connect` makes a connection in autocommit to `path`.

    Not for several threads at once: each has its own.
    """

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._held: sqlite3.Connection | None = None
        self._file = (0, 0)

    def position(self) -> Position:
        """The position now. Raises LedgerError."""
        ledger, _, schema, line = self._ask(_POSITION + _FROM, ())
        return Position(self._file, ledger, schema, line)

    def unmoved(self, keys: Collection[str], position: Position) -> Position | None:
        """The position now, if none of `keys` has moved since `position`. Raises LedgerError."""
        ledger, horizon, schema, line, moved = self._ask(
            _question(len(keys)), (*keys, position.line)
        )
        now = Position(self._file, ledger, schema, line)
        if moved or horizon > position.line or now[:3] != position[:3] or line < position.line:
            return None
        return now

    def compact(self, line: int) -> None:
        """Forget the log up to `line`: positions before it are judged no more."""
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(f"UPDATE {LEDGER} SET horizon = max(horizon, ?)", (line,))
                connection.execute(f"DELETE FROM {LOG} WHERE id <= ?", (line,))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LedgerError(f"{self._path}: {error}") from error

    def _ask(self, sql: str, parameters: tuple[str | int, ...]) -> tuple[Any, ...]:
        try:
            rows = self._connection().execute(sql, parameters).fetchall()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise LedgerError(f"{self._path}: {error}") from error
        if len(rows) != 1:
            raise LedgerError(f"{self._path} has no ledger: {len(rows)} lines in {LEDGER}")
        row: tuple[Any, ...] = rows[0]
        return row

    def _connection(self) -> sqlite3.Connection:
        """The held connection, made anew when another file has taken the place of its own."""
        status = os.stat(self._path)
        file = status.st_dev, status.st_ino
        if file != self._file:
            self.close()
        if self._held is None:
            self._held, self._file = self._connect(), file
        return self._held

    def close(self) -> None:
        """Close the held connection; the next question makes another."""
        held, self._held = self._held, None
        if held is not None:
            held.close()


@lru_cache(maxsize=512)
def _question(keys: int) -> str:
    """Whether any of so many keys has moved, and where the ledger is now, in one statement."""
    names = ", ".join("?" * keys)
    moved = f"EXISTS (SELECT 1 FROM {LOG} WHERE key IN ({names}) AND id > ?)"
    return f"{_POSITION}, {moved}{_FROM}"
