"""The ledger of a SQLite file.

There is one writer at a time, so the lines of the log are in the order of the commits. A position
is the last line, by its number and by a random *stamp* that no other line has: as long as that line
is there, this is the history in which the position was taken, and nothing after it is forgotten.

Rules of this module:

- Every reading is one statement, fetched to its end: an open one would pin the past.
- It runs on a connection of its own, in autocommit, so that it sees what is committed by now.
- Every change of the schema counts as a move of everything: it may have dropped a trigger.
- A file in the place of another is opened anew, and positions end with the held connection: a view
  may have read from the other one. A backup that is copied over the same file has no line with the
  stamp of a position that it does not know. (To do so with a write-ahead log beside it corrupts it,
  says SQLite.)
- The log is never empty, so that there is always a position.
- After an *open* line writes need not leave lines, so no position may be on it. Whoever needs one
  writes a line behind it first: a *seal*.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import (
    CHARGE,
    EVERYTHING,
    KEEPS,
    LEDGER,
    LOG,
    MOST_LINES,
    OPEN,
    ROWS,
)

COLUMNS_AT_ONCE: Final = 4
"""How many columns of a row go into one line of :data:`ROWS`: of each its name, the value that it
had, and the value that it has."""
_PLACES: Final = range(1, COLUMNS_AT_ONCE + 1)


def _written_down() -> str:
    """What becomes of a row in the log: its keys, old and new; that the shape of its table has
    changed; and last, where the trigger for many rows looks, its table."""
    table = f"NEW.place||'{OPEN[0]}'"
    keys = [
        f"({table}||NEW.name{n}||'{OPEN[0]}'||{value})"
        for n in _PLACES
        for value in (f"NEW.old{n}", f"nullif(NEW.new{n},NEW.old{n})")
    ]
    same = " AND ".join(f"NEW.new{n} IS NEW.old{n}" for n in _PLACES)
    shape = f"(CASE WHEN {same} THEN NULL ELSE {table}||'+' END)"
    return ", ".join([*keys, shape, "(NEW.place)"])


TABLES: Final = (
    f"CREATE TABLE IF NOT EXISTS {LEDGER} (next INTEGER NOT NULL)",
    f"CREATE TABLE IF NOT EXISTS {CHARGE} (ledger TEXT NOT NULL)",
    f"INSERT INTO {LEDGER} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {LEDGER})",
    (
        f"CREATE TABLE IF NOT EXISTS {LOG} (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        f"key TEXT NOT NULL, stamp INTEGER NOT NULL DEFAULT (random()), "
        f"at REAL NOT NULL DEFAULT (julianday('now')))"
    ),
    f"INSERT INTO {LOG} (key) SELECT '{EVERYTHING}' WHERE NOT EXISTS (SELECT 1 FROM {LOG})",
    f"CREATE INDEX IF NOT EXISTS {LOG}_key ON {LOG} (key, id)",
    (
        f"CREATE VIEW IF NOT EXISTS {ROWS} AS SELECT NULL AS place, "
        + ", ".join(f"NULL AS name{n}, NULL AS old{n}, NULL AS new{n}" for n in _PLACES)
    ),
    (
        f"CREATE TRIGGER IF NOT EXISTS into_{LOG} INSTEAD OF INSERT ON {ROWS} WHEN (SELECT key "
        f"FROM {LOG} ORDER BY id DESC LIMIT 1) IS NOT NEW.place || '{OPEN}' BEGIN INSERT INTO "
        f"{LOG} (key) SELECT * FROM (VALUES {_written_down()}) WHERE column1 NOT NULL; END"
    ),
    (
        f"CREATE TRIGGER IF NOT EXISTS many_in_{LOG} AFTER INSERT ON {LOG} "
        f"WHEN NEW.at = (SELECT at FROM {LOG} WHERE id = NEW.id - {MOST_LINES}) "
        f"AND instr(NEW.key, '{OPEN[0]}') = 0 "
        f"BEGIN INSERT INTO {LOG} (key) VALUES (NEW.key || '{OPEN}'); END"
    ),
)
"""The statements that make a ledger where there is none.

The first trigger writes down what those of tables say, which are short because of it: every
connection that is opened reads them all. The second leaves open lines: one for a table of which
rows were written in the same moment as many lines before. ``'now'`` is the same in all of a
statement; a wrong guess only moves too much.
"""

_SCHEMA: Final = "PRAGMA schema_version"
"""Asked before the rest, in a statement of its own: what is not a table's, SQLite parses anew each
time. A change of the schema in between is seen by the next question."""

_POSITION: Final = f"SELECT id, stamp, substr(key, -2) = '{OPEN}'"
_FROM: Final = f" FROM {LOG} ORDER BY id DESC LIMIT 1"
_LINES: Final = f"SELECT id, stamp, key FROM {LOG} WHERE id >= ? ORDER BY id"
_IN_CHARGE: Final = f"SELECT ledger FROM {CHARGE}"
_SEAL: Final = f"INSERT INTO {LOG} (key) VALUES ('')"


class Position(NamedTuple):
    """A point in the history of one database file, during one life of the held connection."""

    life: int
    line: int
    stamp: int
    schema: int


class SqliteLedger:
    """Reads the log of one file. `connect` makes a connection in autocommit to `path`.

    Not for several threads at once.
    """

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._held: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._written = 0
        self._life = 0
        self.clock = 0.0
        self._seen: tuple[Any, Position | None] = (None, None)
        self._last = Position(0, 0, 0, 0)

    def position(self) -> Position:
        """The position now. Raises LedgerError."""
        now, is_open = self._read(None)
        if is_open:
            self._seal()
            now, is_open = self._read(None)
        if is_open:
            raise LedgerError("many rows are being written")
        return now

    def position_of(self, reader: sqlite3.Connection, since: Position) -> Position | None:
        """The position that the next statement on `reader` reads from, or one before it, if nothing
        has moved everything since `since`. Raises LedgerError.

        It is asked on `reader` itself: whatever pins what that sees, pins the position too.
        """
        return self._unmoved((), since, reader)

    def unmoved(self, keys: Collection[str], position: Position) -> Position | None:
        """The position now, if none of `keys` has moved since `position`. Raises LedgerError."""
        version = self._version()
        if version == self._seen[0] and position == self._seen[1]:
            return position  # nobody has committed anything
        now = self._unmoved(keys, position, None)
        if now is not None and now == self._last:  # not one before an open line
            self._seen = version, now
        return now

    def _version(self) -> Any:
        """What changes with every commit of others, as this connection and the file system see
        it."""
        try:
            connection = self._connection()
            version = connection.execute("PRAGMA data_version").fetchall()
            return self._life, self._written, version
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise LedgerError(f"{self._path}: {error}") from error

    def _unmoved(
        self, keys: Collection[str], position: Position, reader: sqlite3.Connection | None
    ) -> Position | None:
        now, is_open = self._read(reader)
        if is_open and reader is not None:
            self._seal()
            now, is_open = self._read(reader)
            if is_open and reader.in_transaction:  # in which it may be, and be rolled back
                raise LedgerError("many rows are being written")
        if now == position:
            return now
        if (now.life, now.schema) != (position.life, position.schema):
            return None
        found = self._ask(
            _question(len(keys)), (*keys, position.line, position.line, position.stamp), reader
        )
        now = self._position_of(found)
        if not found[4] or (now.life, now.schema) != (position.life, position.schema):
            return None
        return position if found[3] else now

    def _read(self, reader: sqlite3.Connection | None) -> tuple[Position, bool]:
        """The end of the log, and whether it is an open line."""
        row = self._ask(_POSITION + _FROM, (), reader)
        return self._position_of(row), bool(row[3])

    def _seal(self) -> None:
        """Write a line, unless somebody else is writing; nobody has to wait for it."""
        with suppress(sqlite3.Error, OSError):
            connection = self._connection()
            [(patience,)] = connection.execute("PRAGMA busy_timeout").fetchall()
            connection.execute("PRAGMA busy_timeout = 0").fetchall()
            try:
                connection.execute(_SEAL)
            finally:
                connection.execute(f"PRAGMA busy_timeout = {patience}").fetchall()

    def _position_of(self, row: tuple[Any, ...]) -> Position:
        self.clock = time.time()  # a file is on one machine
        schema, line, stamp, *_ = row
        now = Position(self._life, line, stamp, schema)
        if now != self._last:  # equal positions share their memory
            self._last = now
        return self._last

    def moved_since(self, position: Position) -> tuple[list[str], Position] | None:
        """The keys that have moved since `position`, and the position now; or `position` again,
        where that is an open line. ``None`` in another history. Raises LedgerError."""
        schema, *lines = self._rows(_LINES, (position.line,), None)
        known = lines[:1] == [(position.line, position.stamp, lines[0][2])] if lines else False
        if not known or (self._life, *schema) != (position.life, position.schema):
            return None
        line, stamp, last = lines[-1]
        keys = [key for *_, key in lines[1:]]
        if last.endswith(OPEN):
            return keys, position
        return keys, self._position_of((*schema, line, stamp))

    def charge(self) -> str | None:
        """The ledger in charge. Raises LedgerError."""
        _, *rows = self._rows(_IN_CHARGE, (), None)
        return rows[0][0] if rows else None

    def has_ended(self, session: int) -> bool:
        """Whether a process that is no more has nothing under way: its locks on the file are
        gone."""
        return True

    def compact(self, keep: int = KEEPS) -> bool:
        """Forget what was written before the last compaction; positions from before it are judged
        no more. Nothing, and ``False``, where the log has no more lines than `keep`."""
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                [(due, last)] = connection.execute(
                    f"SELECT next, (SELECT max(id) FROM {LOG}) FROM {LEDGER} "
                    f"WHERE (SELECT max(id) - min(id) FROM {LOG}) >= ?",
                    (keep,),
                ).fetchall() or [(None, None)]
                if last is not None:
                    connection.execute(f"DELETE FROM {LOG} WHERE id < ?", (due,))
                    connection.execute(f"UPDATE {LEDGER} SET next = ?", (last,))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"{self._path}: {error}") from error
        return last is not None

    def _ask(
        self,
        sql: str,
        parameters: tuple[str | int, ...],
        reader: sqlite3.Connection | None = None,
    ) -> tuple[Any, ...]:
        """The schema's version, and then the one row of a question."""
        schema, *rows = self._rows(sql, parameters, reader)
        if len(rows) != 1:
            raise LedgerError(f"{self._path} has no ledger: {LOG} is empty")
        return schema + rows[0]

    def _rows(
        self,
        sql: str,
        parameters: tuple[str | int, ...],
        reader: sqlite3.Connection | None,
    ) -> list[tuple[Any, ...]]:
        """The schema's version, and then all rows of a question."""
        try:
            connection = reader or self._connection()
            schema = connection.execute(_SCHEMA).fetchall()
            return schema + connection.execute(sql, parameters).fetchall()
        except (sqlite3.Error, OSError) as error:
            if reader is None:
                self.close()
            raise LedgerError(f"{self._path}: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        """The held connection, made anew when another file has taken the place of its own.

        SQLite keeps pages for as long as a counter in the file stays the same. It may do so when
        a backup was copied over the file, so what it keeps goes when the file was written.
        """
        status = os.stat(self._path)
        file = status.st_dev, status.st_ino
        if file != self._file:
            self.close()
        if self._held is None:
            self._held, self._file = self._connect(), file
            self._life += 1
        elif status.st_mtime_ns != self._written:
            self._held.execute("PRAGMA shrink_memory").fetchall()
        self._written = status.st_mtime_ns
        return self._held

    def close(self) -> None:
        """Close the held connection; the next question makes another."""
        held, self._held = self._held, None
        if held is not None:
            held.close()


@lru_cache(maxsize=512)
def _question(keys: int) -> str:
    """Where the ledger is now, and whether none of so many keys has moved, in one statement."""
    names = ", ".join(["?"] * keys + [f"'{EVERYTHING}'"])
    moved = f"EXISTS (SELECT 1 FROM {LOG} WHERE key IN ({names}) AND id > ?)"
    known = f"EXISTS (SELECT 1 FROM {LOG} WHERE id = ? AND stamp = ?)"
    return f"{_POSITION}, NOT {moved} AND {known}{_FROM}"
