"""The ledgers in the database, as far as the protocol goes: lines that commit with the data,
positions, compaction; and the same with a defect planted.

Rules of this module:

- A ledger is asked by one statement on a connection of its own, unless it says that it asks the
  reader's.
- A defect is one thing left out, or one thing in another's place.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.model.world import Database, Line, Reader, Transaction

ORIGIN: Final = Transaction("origin", ())


class Ledger:
    """A log to whose lines the server gives numbers when they are written."""

    asks_reader = True
    """Whether the position of a reader is asked on its own connection."""

    def born(self) -> Database:
        return Database()

    def number(self, database: Database, transaction: Transaction) -> int | None:
        """The number of the next line; ``None`` while somebody else holds the lock."""
        return database.number + 1

    def position(self, database: Database) -> Any:
        raise NotImplementedError

    def unmoved(self, database: Database, keys: frozenset[str], position: Any) -> Any | None:
        """The position now, if none of `keys` has moved since `position`."""
        raise NotImplementedError

    def compacted(self, database: Database) -> Database:
        raise NotImplementedError

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        """The position that a reader's next query reads from, or one before it."""
        if self.asks_reader:
            return self.position(reader.snapshot or database.seen_by(reader.own))
        return self.position(database)


class LastLine(NamedTuple):
    number: int
    stamp: Transaction


class Sqlite(Ledger):
    """One writer at a time, so that lines are in the order of the commits. Numbers of what was
    rolled back are given again."""

    def born(self) -> Database:
        return Database(frozenset({ORIGIN}), log=frozenset({Line(0, "", ORIGIN)}))

    def number(self, database: Database, transaction: Transaction) -> int | None:
        if database.open - {transaction}:
            return None
        return max(line.number for line in database.log) + 1

    def position(self, database: Database) -> LastLine:
        last = max(database.lines())
        return LastLine(last.number, last.transaction)

    def knows(self, database: Database, position: LastLine) -> bool:
        return any((line.number, line.transaction) == position for line in database.lines())

    def unmoved(
        self, database: Database, keys: frozenset[str], position: LastLine
    ) -> LastLine | None:
        if not self.knows(database, position):
            return None
        if any(line.key in keys and line.number > position.number for line in database.lines()):
            return None
        return self.position(database)

    def compacted(self, database: Database) -> Database:
        kept = frozenset(line for line in database.log if line.number >= database.next)
        return database._replace(log=kept, next=self.position(database).number)


class Snapshot(NamedTuple):
    """What was committed: all before `first`, and before `end` what was not `running`."""

    life: int
    first: int
    end: int
    running: frozenset[int]

    def shows(self, number: int) -> bool:
        return number < self.end and number not in self.running


class Postgresql(Ledger):
    """All lines of a transaction have its number, which is given by its first write. A position is
    a snapshot; there is none where a transaction is under way."""

    asks_reader = False

    def number(self, database: Database, transaction: Transaction) -> int | None:
        given = (line.number for line in database.log if line.transaction == transaction)
        return next(given, database.number + 1)

    def position(self, database: Database) -> Snapshot:
        end = database.number + 1
        running = self.running(database)
        return Snapshot(database.life, min(running, default=end), end, running)

    def running(self, database: Database) -> frozenset[int]:
        return frozenset(
            line.number for line in database.log if line.transaction not in database.committed
        )

    def position_of(self, database: Database, reader: Reader) -> Snapshot | None:
        if reader.own is not None or reader.snapshot is not None:
            return None
        return self.position(database)

    def same_history(self, database: Database, position: Snapshot) -> bool:
        return database.life == position.life

    def reaches(self, database: Database, position: Snapshot) -> bool:
        return database.horizon <= position.first

    def unmoved(
        self, database: Database, keys: frozenset[str], position: Snapshot
    ) -> Snapshot | None:
        if not (self.same_history(database, position) and self.reaches(database, position)):
            return None
        if any(line.key in keys and not position.shows(line.number) for line in database.lines()):
            return None
        return self.position(database)

    def compacted(self, database: Database) -> Database:
        horizon = database.next
        kept = frozenset(line for line in database.log if line.number >= horizon)
        return database._replace(log=kept, horizon=horizon, next=self.position(database).first)


class SumUpTo(NamedTuple):
    life: int
    line: int
    sum: Any


class Mysql(Ledger):
    """Numbers are not in the order of the commits. A position is the last visible line and the sum
    of the stamps of all visible lines up to it."""

    def total(self, database: Database, up_to: int) -> Any:
        """The sum of the stamps; no two lines have the same, so it is as good as the set."""
        lines = (line for line in database.lines() if line.number <= up_to)
        return database.forgotten.union(lines)

    def position(self, database: Database) -> SumUpTo:
        last = max((line.number for line in database.lines()), default=0)
        return SumUpTo(database.life, last, self.total(database, last))

    def reaches(self, database: Database, position: SumUpTo) -> bool:
        return database.horizon <= position.line

    def unmoved(
        self, database: Database, keys: frozenset[str], position: SumUpTo
    ) -> SumUpTo | None:
        same = self.total(database, position.line) == position.sum
        if not (same and self.reaches(database, position) and database.life == position.life):
            return None
        if any(line.key in keys and line.number > position.line for line in database.lines()):
            return None
        return self.position(database)

    def compacted(self, database: Database) -> Database:
        gone = frozenset(line for line in database.lines() if line.number <= database.next)
        return database._replace(
            log=database.log - gone,
            forgotten=database.forgotten | gone,
            horizon=max((line.number for line in gone), default=database.horizon),
            next=max((line.number for line in database.lines()), default=database.next),
        )
