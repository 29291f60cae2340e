"""The ledgers in the database, as far as the protocol goes: lines that are committed with the data,
positions and compaction.

Rules of this module:

- Each stands for the one in ``notmodified.ledger.database`` that has its name.
- A question is one statement. It sees what is committed, on the ledger's own connection; the
  position of a reader is asked on the reader's, and sees what that sees.
- What a question compares has a method of its own, so that a defect can be planted there.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.model.world import Database, Line, Reader, Transaction

ORIGIN: Final = Transaction("origin", ())


class Ledger:
    """A log whose lines get their numbers when they are written."""

    name: str

    def born(self) -> Database:
        return Database()

    def number(self, database: Database, transaction: Transaction) -> int | None:
        """The number of the next line of `transaction`; ``None`` while that has to wait."""
        return database.number + 1

    def position(self, database: Database) -> Any:
        raise NotImplementedError

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        """The position that a reader's next query reads from, or one before it."""
        return self.position(reader.snapshot or database.seen_by(reader.own))

    def unmoved(self, database: Database, keys: frozenset[str], position: Any) -> Any | None:
        """The position now, if none of `keys` has moved since `position`."""
        if not self.knows(database, position):
            return None
        if any(line.key in keys and self.is_after(line, position) for line in database.lines()):
            return None
        return self.position(database)

    def knows(self, database: Database, position: Any) -> bool:
        """Whether this is the history of `position`, with all that has moved since."""
        raise NotImplementedError

    def is_after(self, line: Line, position: Any) -> bool:
        raise NotImplementedError

    def compacted(self, database: Database) -> Database:
        """Without what was written before the last compaction."""
        raise NotImplementedError


class LastLine(NamedTuple):
    life: int
    number: int
    stamp: Transaction


class Sqlite(Ledger):
    """One writer at a time: lines are in the order of the commits. The number of a line that was
    rolled back is given again."""

    name = "SQLite"

    def born(self) -> Database:
        return Database(frozenset({ORIGIN}), log=frozenset({Line(0, "", ORIGIN)}))

    def number(self, database: Database, transaction: Transaction) -> int | None:
        if database.open - {transaction}:
            return None
        return max(line.number for line in database.log) + 1

    def position(self, database: Database) -> Any:
        last = max(database.lines())
        return LastLine(database.life, last.number, last.transaction)

    def knows(self, database: Database, position: Any) -> bool:
        return self.same_life(database, position) and any(
            line.number == position.number and line.transaction == position.stamp
            for line in database.lines()
        )

    def same_life(self, database: Database, position: Any) -> bool:
        return bool(position.life == database.life)

    def is_after(self, line: Line, position: Any) -> bool:
        return bool(line.number > position.number)

    def compacted(self, database: Database) -> Database:
        kept = frozenset(line for line in database.log if line.number >= database.next)
        last = max(line.number for line in database.lines())
        return database._replace(log=kept, next=last)


class Snapshot(NamedTuple):
    """What was committed in one life of the server: all before `first`, nothing from `end` on, and
    of those between all that were not `running`."""

    life: int
    first: int
    end: int
    running: frozenset[int]


class Postgresql(Ledger):
    """Lines have the number of their transaction, which it gets when it first writes. In a
    transaction that is under way there is no position."""

    name = "PostgreSQL"

    def number(self, database: Database, transaction: Transaction) -> int | None:
        given = (line.number for line in database.log if line.transaction == transaction)
        return next(given, database.number + 1)

    def position(self, database: Database) -> Any:
        end, running = database.number + 1, self.running(database)
        return Snapshot(database.life, min(running, default=end), end, running)

    def running(self, database: Database) -> frozenset[int]:
        return frozenset(
            line.number for line in database.log if line.transaction not in database.committed
        )

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        if reader.own is not None or reader.snapshot is not None:
            return None
        return self.position(database)

    def knows(self, database: Database, position: Any) -> bool:
        return self.same_life(database, position) and self.reaches(database, position)

    def same_life(self, database: Database, position: Any) -> bool:
        return bool(database.life == position.life)

    def reaches(self, database: Database, position: Any) -> bool:
        return bool(database.horizon <= position.first)

    def is_after(self, line: Line, position: Any) -> bool:
        return line.number >= position.end or line.number in position.running

    def compacted(self, database: Database) -> Database:
        horizon = database.next
        kept = frozenset(line for line in database.log if line.number >= horizon)
        return database._replace(log=kept, horizon=horizon, next=self.position(database).first)


class SumUpTo(NamedTuple):
    life: int
    line: int
    sum: Any


class Mysql(Ledger):
    """A position is the last line that is visible, and the sum of the stamps of all up to it."""

    name = "MariaDB"

    def position(self, database: Database) -> Any:
        last = max((line.number for line in database.lines()), default=0)
        return SumUpTo(database.life, last, self.sum(database, last))

    def sum(self, database: Database, last: int) -> Any:
        """The stamps themselves: no other ones have their sum."""
        lines = (line for line in database.lines() if line.number <= last)
        return database.forgotten.union(lines)

    def knows(self, database: Database, position: Any) -> bool:
        return (
            database.life == position.life
            and self.sum(database, position.line) == position.sum
            and self.reaches(database, position)
        )

    def reaches(self, database: Database, position: Any) -> bool:
        return bool(database.horizon <= position.line)

    def is_after(self, line: Line, position: Any) -> bool:
        return bool(line.number > position.line)

    def compacted(self, database: Database) -> Database:
        gone = frozenset(line for line in database.lines() if line.number <= database.next)
        last = max((line.number for line in database.lines()), default=database.next)
        return database._replace(
            log=database.log - gone,
            forgotten=database.forgotten | gone,
            horizon=max((line.number for line in gone), default=database.horizon),
            next=last,
        )
