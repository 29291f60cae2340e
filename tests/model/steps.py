"""The steps of writers and readers, and what may happen to them, whatever ledger there is.

Rules of this module:

- A step that has to wait yields nothing.
- A transaction that ends without a COMMIT leaves nothing in the database.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.protocol import Asked, Question
from tests.model.world import DEAD, DONE, KEYS, Database, Reader, State, World, rows


def advanced(world: World, index: int) -> World:
    """With a writer at its next step."""
    writer = world.writers[index]
    return world.with_writer(index, writer._replace(at=writer.at + 1))


def begin(world: World, index: int) -> Iterator[World]:
    """The writer's transaction begins, with all that it writes."""
    database = world.database
    opened = database._replace(open=database.open | {world.writers[index].transaction})
    yield advanced(world._replace(database=opened), index)


def commit(world: World, index: int) -> Iterator[World]:
    """COMMIT, with its answer."""
    yield advanced(world.ended(world.writers[index].transaction, landed=True), index)


def send_commit(world: World, index: int) -> Iterator[World]:
    """COMMIT goes out; what becomes of it is the server's affair."""
    database = world.database
    sent = database._replace(sent=database.sent | {world.writers[index].transaction})
    yield advanced(world._replace(database=sent), index)


def session_ended(world: World, index: int) -> Iterator[World]:
    """The writer goes on when the database says that the transaction is over."""
    if world.writers[index].transaction not in world.database.open:
        yield advanced(world, index)


def answered(world: World, index: int) -> Iterator[World]:
    """The writer goes on when COMMIT has its answer (`cut_off` is the error)."""
    return session_ended(world, index)


def cut_off(world: World) -> Iterator[World]:
    """COMMIT errs although it may still land: the writer goes on at once."""
    for index, writer in enumerate(world.writers):
        if writer.at >= 0 and writer.transaction in world.database.sent:
            yield advanced(world, index)


def crash(world: World) -> Iterator[World]:
    """The process of a writer dies. A COMMIT that it has sent is under way."""
    for index, writer in enumerate(world.writers):
        if writer.at <= 0:
            continue
        dead = world.with_writer(index, writer._replace(at=DEAD))
        if writer.transaction in world.database.open - world.database.sent:
            dead = dead.ended(writer.transaction, landed=False)
        yield dead


def roll_back(world: World) -> Iterator[World]:
    """A writer rolls back what it has not committed, and is done."""
    for index, writer in enumerate(world.writers):
        if writer.at > 0 and writer.transaction in world.database.open - world.database.sent:
            done = world.with_writer(index, writer._replace(at=DONE))
            yield done.ended(writer.transaction, landed=False)


def take_backup(world: World) -> Iterator[World]:
    if world.backup is None:
        database = world.database
        for transaction in database.open:
            database = database.ended(transaction, landed=False)
        yield world._replace(backup=database)


def restart_from_backup(world: World) -> Iterator[World]:
    """The server starts anew with what there was, as after a crash that loses what it has shown.
    What was open has ended."""
    if world.backup is not None:
        yield _put_back(world, world.backup._replace(life=world.database.life + 1))


def load_backup(world: World) -> Iterator[World]:
    """The same under a server that goes on."""
    if world.backup is not None:
        yield _put_back(world, world.backup._replace(life=world.database.life))


def load_backup_between_pages(world: World) -> Iterator[World]:
    """The same, while no page is being rendered."""
    if all(reader.at in (0, DONE) for reader in world.readers):
        yield from load_backup(world)


def _put_back(world: World, database: Database) -> World:
    writers = tuple(
        writer._replace(at=DEAD) if writer.transaction in world.database.open else writer
        for writer in world.writers
    )
    readers = tuple(
        Reader(DONE) if reader.own is not None or reader.snapshot is not None else reader
        for reader in world.readers
    )
    return world._replace(database=database, writers=writers, readers=readers)


def seen_by(world: World, reader: Reader) -> Database:
    """What the next statement of a reader sees."""
    return reader.snapshot or world.database.seen_by(reader.own)


def pin(world: World, index: int) -> Iterator[World]:
    """The first statement of a transaction in which all statements see the same."""
    reader = world.readers[index]
    pinned = reader._replace(at=reader.at + 1, snapshot=seen_by(world, reader))
    yield world.with_reader(index, pinned)


def query(world: World, index: int) -> Iterator[World]:
    """The next query of the page, if there is one more."""
    yield _queried(world, index, seen_by(world, world.readers[index]).committed)


def query_replica(world: World, index: int) -> Iterator[World]:
    """The same, asked of a replica."""
    yield _queried(world, index, world.replica)


def _queried(world: World, index: int, state: State) -> World:
    reader = world.readers[index]
    key = world.page(reader.contents)
    contents = reader.contents if key is None else (*reader.contents, (key, rows(state, key)))
    return world.with_reader(index, reader._replace(at=reader.at + 1, contents=contents))


def replica_catches_up(world: World) -> Iterator[World]:
    if world.replica != world.database.committed:
        yield world._replace(replica=world.database.committed)


def own_transaction_ends(world: World) -> Iterator[World]:
    """A reader's own transaction is committed or rolled back, once it has been read in."""
    for index, reader in enumerate(world.readers):
        if reader.own is None or reader.own not in world.database.open:
            continue
        if reader.at != DONE and not reader.contents:
            continue
        freed = world.with_reader(index, reader._replace(own=None, snapshot=None))
        yield freed.ended(reader.own, landed=True)
        yield freed.ended(reader.own, landed=False)


def of_first_key(question: Question) -> Question:
    """A question that is asked for the key of the first query alone."""

    def of_first_key(world: World, asked: Asked) -> Asked | None:
        return question(world, asked._replace(keys=frozenset(KEYS[:1])))

    return of_first_key
