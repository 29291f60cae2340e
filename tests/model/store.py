"""Ledgers outside the database: what writers say to them, and what they are asked.

Two kinds. A *token* of a key is another one after each move: a reader notes one for each query, and
a record holds as long as they are the same. The *sequence* is one number for all keys, and each key
has that of its last move: a reader notes one position, and a record holds as long as none of its
keys has moved past it.

Rules of this module:

- Every step is one round trip: what it reads or writes is read or written at once.
- No token is given twice, except by `bump_counters`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.model.protocol import Asked, given_up
from tests.model.steps import advanced, seen_by
from tests.model.world import DEAD, KEYS, State, Store, Transaction, World, rows

FLAG: Final = Transaction("flag", KEYS)
"""A mark that is the same one for all writers."""


def mark(world: World, index: int) -> Iterator[World]:
    """The writer claims its keys."""
    yield _with_marks(advanced(world, index), world.store.marks | _claims(world, index))


def unmark(world: World, index: int) -> Iterator[World]:
    yield _with_marks(advanced(world, index), world.store.marks - _claims(world, index))


def raise_flag(world: World, index: int) -> Iterator[World]:
    yield _with_marks(advanced(world, index), frozenset({FLAG}))


def lower_flag(world: World, index: int) -> Iterator[World]:
    yield _with_marks(advanced(world, index), frozenset())


def _claims(world: World, index: int) -> State:
    return frozenset({world.writers[index].transaction})


def _with_marks(world: World, marks: State) -> World:
    return world._replace(store=world.store._replace(marks=marks))


def bump(world: World, index: int) -> Iterator[World]:
    """The writer's keys have moved: another token, or the next number of the sequence."""
    moved = world.store.moved(world.writers[index].transaction.keys)
    yield advanced(world, index)._replace(store=moved)


def bump_counters(world: World, index: int) -> Iterator[World]:
    """The same, with a counter for each key."""
    keys = world.writers[index].transaction.keys
    counted = world.store.stamped(keys, lambda number: (number or 0) + 1)
    yield advanced(world, index)._replace(store=counted)


def flush_tokens(world: World) -> Iterator[World]:
    """The store loses everything; a token drawn later is still another one."""
    lost = _emptied(world)._replace(sequence=world.store.sequence, stamps=(None,) * len(KEYS))
    yield world._replace(store=lost)


def flush_numbers(world: World) -> Iterator[World]:
    """The store loses everything, and counts from zero."""
    yield world._replace(store=_emptied(world))


def _emptied(world: World) -> Store:
    return Store(epoch=world.store.epoch + 1, awaited=world.database.open)


def mark_expires(world: World) -> Iterator[World]:
    for transaction in world.store.marks:
        yield _with_marks(world, world.store.marks - {transaction})


def dead_are_cleared(world: World) -> Iterator[World]:
    """What a dead writer has claimed is bumped, and no longer claimed."""
    for transaction in _dead(world):
        yield _cleared(world, transaction)


def dead_are_cleared_after_their_sessions(world: World) -> Iterator[World]:
    """The same, once the database says that its session has ended."""
    for transaction in _dead(world) - world.database.open:
        yield _cleared(world, transaction)


def _dead(world: World) -> State:
    dead = frozenset(writer.transaction for writer in world.writers if writer.at == DEAD)
    return dead & world.store.marks


def _cleared(world: World, transaction: Transaction) -> World:
    moved = world._replace(store=world.store.moved(transaction.keys))
    return _with_marks(moved, world.store.marks - {transaction})


def find_no_mark(world: World, index: int) -> Iterator[World]:
    """No record, if what the next query reads is claimed."""
    reader = world.readers[index]
    key = world.page(reader.contents)
    if any(key in claim.keys for claim in world.store.marks):
        yield world.with_reader(index, given_up(reader))
    else:
        yield _noted(world, index, reader.position)


def note_token(world: World, index: int) -> Iterator[World]:
    """The token of what the next query reads; where there is none, the reader draws one."""
    reader = world.readers[index]
    key = world.page(reader.contents)
    assert key is not None
    if world.store.stamp(key) is None:
        world = world._replace(store=world.store.moved((key,)))
    token = key, world.store.stamp(key)
    yield _noted(world, index, (*(reader.position or ()), token))


def note_token_after(world: World, index: int) -> Iterator[World]:
    """The token of what the last query has read."""
    reader = world.readers[index]
    key, _ = reader.contents[-1]
    token = key, world.store.stamp(key)
    yield _noted(world, index, (*(reader.position or ()), token))


def _noted(world: World, index: int, position: Any) -> World:
    reader = world.readers[index]
    return world.with_reader(index, reader._replace(at=reader.at + 1, position=position))


def same_tokens(world: World, asked: Asked) -> Asked | None:
    same = all(world.store.stamp(key) == token for key, token in asked.position)
    return asked if same else None


def note_token_in_database(world: World, index: int) -> Iterator[World]:
    """The token of what the next query reads, by a statement like that query: a row that its
    writers change in their transactions."""
    reader = world.readers[index]
    key = world.page(reader.contents)
    assert key is not None
    token = key, rows(seen_by(world, reader).committed, key)
    yield _noted(world, index, (*(reader.position or ()), token))


def note_token_in_database_after(world: World, index: int) -> Iterator[World]:
    reader = world.readers[index]
    key, _ = reader.contents[-1]
    token = key, rows(seen_by(world, reader).committed, key)
    yield _noted(world, index, (*(reader.position or ()), token))


def same_tokens_in_database(world: World, asked: Asked) -> Asked | None:
    same = all(rows(world.database.committed, key) == token for key, token in asked.position)
    return asked if same else None


def note_position(world: World, index: int) -> Iterator[World]:
    """Where the sequence is, and in which epoch of the store."""
    yield _noted(world, index, (world.store.epoch, world.store.sequence))


def note_position_in_quiet(world: World, index: int) -> Iterator[World]:
    """The same; no record, while a transaction is open that was so when the epoch began."""
    if world.store.awaited & world.database.open:
        yield world.with_reader(index, given_up(world.readers[index]))
    else:
        yield from note_position(world, index)


def read_present(world: World, asked: Asked) -> Asked:
    """Where the sequence is now, which the record takes if nothing has moved."""
    return asked._replace(present=(world.store.epoch, world.store.sequence))


def unmarked(world: World, asked: Asked) -> Asked | None:
    claimed = any(asked.keys.intersection(claim.keys) for claim in world.store.marks)
    return None if claimed else asked


def unmoved(world: World, asked: Asked) -> Asked | None:
    """Whether no key has moved past the position, in the same epoch."""
    epoch, _ = asked.position
    return unmoved_in_any_epoch(world, asked) if epoch == world.store.epoch else None


def unmoved_in_any_epoch(world: World, asked: Asked) -> Asked | None:
    _, sequence = asked.position
    moved = any((world.store.stamp(key) or 0) > sequence for key in asked.keys)
    return None if moved else asked


def ask_nothing(world: World, asked: Asked) -> Asked:
    return asked
