"""The steps of those who use a ledger in the database, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.ledgers import Ledger
from tests.model.protocol import Asked, Question, Step, given_up
from tests.model.world import Database, Fault, Line, Transaction, World


def write_to(ledger: Ledger) -> Step:
    """The writer's next statement, and its line in the log."""

    def write(world: World, index: int) -> Iterator[World]:
        writer = world.writers[index]
        written = _written(world.database, ledger, writer.transaction)
        if written is None:
            return
        done = sum(line.transaction == writer.transaction for line in written.log)
        at = writer.at + (done == len(writer.transaction.keys))
        yield world._replace(database=written).with_writer(index, writer._replace(at=at))

    return write


def write_own_to(ledger: Ledger, own: Transaction) -> Step:
    """The reader writes in a transaction of its own, which it leaves open."""

    def write_own(world: World, index: int) -> Iterator[World]:
        reader = world.readers[index]
        written = _written(world.database, ledger, own)
        if written is not None:
            following = reader._replace(at=reader.at + 1, own=own)
            yield world._replace(database=written).with_reader(index, following)

    return write_own


def _written(database: Database, ledger: Ledger, transaction: Transaction) -> Database | None:
    """With one more statement of `transaction`, unless that has to wait."""
    number = ledger.number(database, transaction)
    if number is None:
        return None
    done = sum(line.transaction == transaction for line in database.log)
    line = Line(number, transaction.keys[done], transaction)
    return database._replace(
        open=database.open | {transaction},
        log=database.log | {line},
        number=max(number, database.number),
    )


def position_in(ledger: Ledger) -> Step:
    """The reader asks from where it reads; no record, if that cannot be said."""

    def position(world: World, index: int) -> Iterator[World]:
        reader = world.readers[index]
        found = ledger.position_of(world.database, reader)
        following = (
            given_up(reader) if found is None else reader._replace(at=reader.at + 1, position=found)
        )
        yield world.with_reader(index, following)

    return position


def unmoved_in(ledger: Ledger) -> Question:
    """Whether nothing has moved, and where the ledger is now."""

    def unmoved(world: World, asked: Asked) -> Asked | None:
        present = ledger.unmoved(world.database, asked.keys, asked.position)
        return None if present is None else asked._replace(present=present)

    return unmoved


def unmoved_alone_in(ledger: Ledger) -> Question:
    """The same, without where it is now."""

    def unmoved_alone(world: World, asked: Asked) -> Asked | None:
        present = ledger.unmoved(world.database, asked.keys, asked.position)
        return None if present is None else asked

    return unmoved_alone


def present_in(ledger: Ledger) -> Question:
    """Where the ledger is now, whatever has moved."""

    def present(world: World, asked: Asked) -> Asked:
        return asked._replace(present=ledger.position(world.database))

    return present


def compact_in(ledger: Ledger) -> Fault:
    def compact(world: World) -> Iterator[World]:
        compacted = ledger.compacted(world.database)
        if compacted != world.database:
            yield world._replace(database=compacted)

    return compact
