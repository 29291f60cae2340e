"""The ledger of a MariaDB or MySQL database.

The numbers of the log's lines are not in the order of the commits, and nothing tells a snapshot. So
a position is the *last visible line and the sum of the stamps of all visible lines up to it*: a
line below it that is committed later changes the sum, and so does a backup that is put back. Then
everything has moved.

Rules of this module:

- It asks on a connection of its own, in autocommit, one statement at a time: one read view each.
- Stamps come from ``UUID_SHORT()``, which gives no number twice. Those of forgotten lines are in
  the ledger's `forgotten`, so that compaction leaves all sums as they are.
- A server that is read-only is a replica, or about to be one: it has no positions.
- Positions end with the held connection: after a crash the server may have lost what it has shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import CHARGE, EVERYTHING, LEDGER, LOG

KEEPS: Final = 1_000
"""A log of fewer lines is not compacted. It is small because every question reads all of it."""

_AT_ONCE: Final = 10_000

NEW_LEDGER: Final = (
    f"INSERT INTO {LEDGER} SELECT UUID(), 0, 0, 0 FROM DUAL "
    f"WHERE NOT EXISTS (SELECT 1 FROM {LEDGER})"
)
TABLES: Final = (
    (
        f"CREATE TABLE IF NOT EXISTS {LEDGER} (id CHAR(36) NOT NULL PRIMARY KEY, "
        f"forgotten DECIMAL(65) NOT NULL, horizon BIGINT UNSIGNED NOT NULL, "
        f"next BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB"
    ),
    NEW_LEDGER,
    f"CREATE TABLE IF NOT EXISTS {CHARGE} (ledger VARCHAR(200) NOT NULL) ENGINE=InnoDB",
    (
        f"CREATE TABLE IF NOT EXISTS {LOG} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY "
        f"KEY, `key` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, "
        f"stamp BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB"
    ),
)
"""The statements that make a ledger where there is none. The log has no index on its keys, which
writers would pay for: each question reads all of it anyway."""

_POSITION: Final = (
    f"SELECT UNIX_TIMESTAMP(SYSDATE(6)), ledger.id, "
    f"COALESCE((SELECT MAX(id) FROM {LOG}), ledger.horizon), "
    f"ledger.forgotten + COALESCE((SELECT SUM(stamp) FROM {LOG}), 0)"
)
_FROM: Final = f" FROM {LEDGER} AS ledger WHERE NOT @@GLOBAL.read_only"

_SAME: Final = (
    f"ledger.forgotten + COALESCE((SELECT SUM(stamp) FROM {LOG} WHERE id <= %s), 0) = %s "
    f"AND ledger.horizon <= %s"
)
"""Whether all up to a line is what it was at a position there."""

_LINES: Final = (
    f"{_POSITION}, {_SAME}, later.`key` FROM {LEDGER} AS ledger "
    f"LEFT JOIN {LOG} AS later ON later.id > %s WHERE NOT @@GLOBAL.read_only"
)
_SESSION: Final = "SELECT EXISTS (SELECT 1 FROM information_schema.processlist WHERE id = %s)"


class Position(NamedTuple):
    """A point in the history of one database, during one life of the held connection."""

    life: int
    ledger: str
    line: int
    sum: int


class MysqlLedger:
    """Reads the log of one database. `connect` makes a MySQLdb connection in autocommit.

    Not for several threads at once.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._held: Any = None
        self._life = 0
        self.clock = 0.0

    def position(self) -> Position:
        """The position now. Raises LedgerError."""
        return self._position_of(self._ask(_POSITION + _FROM, ()))

    def position_of(self, reader: Any, since: Position) -> Position | None:
        """A position before the next statement on `reader`, if nothing has moved everything since
        `since`. Raises LedgerError.

        In a transaction that is under way, the next statement may see an older state, and what
        that transaction itself has written. What is asked of `reader` reads no table: that would
        fix what its transaction sees, or lock the log.
        """
        import MySQLdb

        try:
            cursor = reader.cursor()
            cursor.execute("SELECT @@in_transaction")
            [(under_way,)] = cursor.fetchall()
        except MySQLdb.Error as error:  # MySQL does not know the word
            raise LedgerError(str(error)) from error
        if under_way:
            raise LedgerError("a transaction was under way already")
        return self.unmoved((), since)

    def unmoved(self, keys: Collection[str], position: Position) -> Position | None:
        """The position now, if none of `keys` has moved since `position`. Raises LedgerError."""
        line = position.line
        found = self._ask(_question(len(keys)), (line, position.sum, line, *keys, line))
        now = self._position_of(found)
        if not found[4] or now[:2] != position[:2]:
            return None
        return now

    def moved_since(self, position: Position) -> tuple[list[str], Position] | None:
        """The keys that have moved since `position`, and the position now; ``None`` in another
        history, or where an earlier line has come late. Raises LedgerError."""
        line = position.line
        found = self._rows(_LINES, (line, position.sum, line, line))
        if not found:
            raise LedgerError(f"no ledger here: no line in {LEDGER}, or a replica")
        now = self._position_of(found[0])
        if not found[0][4] or now[:2] != position[:2]:
            return None
        return [key for *_, key in found if key is not None], now

    def charge(self) -> str | None:
        """The ledger in charge. Raises LedgerError."""
        rows = self._rows(f"SELECT ledger FROM {CHARGE}", ())
        return rows[0][0] if rows else None

    def has_ended(self, session: int) -> bool:
        """Whether the server has no such connection any more. Raises LedgerError."""
        [(there,)] = self._rows(_SESSION, (session,))
        return not there

    def compact(self, keep: int = KEEPS) -> bool:
        """Forget what was written before the last compaction; positions from before it are judged
        no more. Nothing, and ``False``, where the log has no more lines than `keep`, or another
        compaction is under way."""
        import MySQLdb

        try:
            connection = self._connection()
            connection.begin()
            try:
                compacted = self._compact(connection.cursor(), keep)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
        except MySQLdb.Error as error:
            self.close()
            raise LedgerError(str(error)) from error
        return compacted

    @staticmethod
    def _compact(cursor: Any, keep: int) -> bool:
        cursor.execute(f"SELECT next FROM {LEDGER} FOR UPDATE SKIP LOCKED")
        due = cursor.fetchall()
        cursor.execute(f"SELECT COUNT(*), MAX(id) FROM {LOG}")
        [(lines, last)] = cursor.fetchall()
        if not due or lines <= keep:
            return False
        # A line that its writer has not committed is locked, and stays: it counts once it is there.
        cursor.execute(
            f"SELECT id, stamp FROM {LOG} WHERE id <= %s ORDER BY id LIMIT {_AT_ONCE} "
            f"FOR UPDATE SKIP LOCKED",
            due[0],
        )
        gone = cursor.fetchall()
        if gone:
            cursor.executemany(f"DELETE FROM {LOG} WHERE id = %s", [(id_,) for id_, _ in gone])
        cursor.execute(
            f"UPDATE {LEDGER} SET forgotten = forgotten + %s, "
            f"horizon = GREATEST(horizon, %s), next = %s",
            (sum(stamp for _, stamp in gone), max((id_ for id_, _ in gone), default=0), last),
        )
        return True

    def close(self) -> None:
        """Close the held connection; the next question makes another."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _position_of(self, row: tuple[Any, ...]) -> Position:
        clock, ledger, line, total, *_ = row
        self.clock = float(clock)
        return Position(self._life, ledger, int(line), int(total))

    def _ask(self, sql: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        rows = self._rows(sql, parameters)
        if len(rows) != 1:
            raise LedgerError(f"no ledger here: {len(rows)} lines in {LEDGER}, or a replica")
        return rows[0]

    def _rows(self, sql: str, parameters: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
        import MySQLdb

        try:
            cursor = self._connection().cursor()
            cursor.execute(sql, parameters)
            rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        except MySQLdb.Error as error:
            self.close()
            raise LedgerError(str(error)) from error
        return rows

    def _connection(self) -> Any:
        if self._held is None:
            self._held = self._connect()
            self._life += 1
        return self._held


@lru_cache(maxsize=512)
def _question(keys: int) -> str:
    """Where the ledger is now, and whether none of so many keys has moved, in one statement."""
    names = ", ".join(["%s"] * keys + [f"'{EVERYTHING}'"])
    moved = f"EXISTS (SELECT 1 FROM {LOG} WHERE `key` IN ({names}) AND id > %s)"
    return f"{_POSITION}, {_SAME} AND NOT {moved}{_FROM}"
