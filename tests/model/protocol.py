"""The model of the commit protocol: who takes which steps, and a search of all their interleavings.

The promise: a 304 equals what the view would have produced in some committed state of the database
no older than the moment the request arrived.

Rules of this module:

- A step is one look or one change that nothing can come between; every order of the steps of all
  writers, readers and requests is tried, with every fault at every moment.
- A reader ends with questions, and records if nothing has moved; a request begins with questions.
- A 304 leaves at the moment of its last question. Later ones could only be more often true.
- Memory of records is not bounded and forgets none: whatever was ever recorded may be found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.model.world import (
    DONE,
    Database,
    Fault,
    Page,
    Reader,
    Record,
    Request,
    Store,
    Transaction,
    World,
    Writer,
    one_query,
    rendered,
)

Step = Callable[[World, int], Iterator[World]]
"""What the writer or reader of that number does next; nothing where it has to wait."""


class Asked(NamedTuple):
    """What the ledger is asked for, and the position at which it was first asked."""

    keys: frozenset[str]
    position: Any
    present: Any


Question = Callable[[World, Asked], Asked | None]
"""One look at the ledger: what is asked next, or ``None`` if something has moved."""


@dataclass(frozen=True)
class Variant:
    """A protocol, and a scenario that is enough to show what it is worth.

    `closing` are the questions at the end of a recording, `asking` those of a request. `faults`
    happen once each, `events` any number of times. A `patient` request waits for all writers.
    """

    name: str
    writer: tuple[Step, ...]
    readers: tuple[tuple[Step, ...], ...]
    closing: tuple[Question, ...]
    asking: tuple[Question, ...]
    writers: tuple[Transaction, ...]
    page: Page = one_query
    faults: tuple[Fault, ...] = ()
    events: tuple[Fault, ...] = ()
    requests: int = 1
    patient: bool = False
    database: Database = field(default_factory=Database)


class Found(NamedTuple):
    """What a search has found: the number of states, and of those in which a 304 leaves after all
    faults; what happened; and the shortest way to a 304 that breaks the promise."""

    states: int
    answers: int
    happened: frozenset[str]
    violation: tuple[str, ...] | None


Moves = Iterator[tuple[str, World]]
Ways = dict[World, tuple[str, World] | None]
"""Each state with what led to it first, and from where."""


def search(variant: Variant) -> Found:
    """Try everything that can happen in `variant`, the shortest ways first."""
    born = World(
        variant.page,
        variant.database,
        Store(),
        tuple(Writer(transaction) for transaction in variant.writers),
        (Reader(),) * len(variant.readers),
        Request(variant.requests),
        variant.faults,
        replica=variant.database.committed,
    )
    ways: Ways = {born: None}
    waiting = deque([born])
    answers = 0
    while waiting:
        world = waiting.popleft()
        if world.request.answered:
            answers += not world.faults
            if not world.request.true:
                return Found(len(ways), answers, _labels(ways), _way_to(world, ways))
        if _is_over(world):
            continue
        for label, following in _moves(world, variant):
            following = _witnessed(following)
            if following not in ways:
                ways[following] = label, world
                waiting.append(following)
    return Found(len(ways), answers, _labels(ways), None)


def _labels(ways: Ways) -> frozenset[str]:
    return frozenset(way[0] for way in ways.values() if way is not None)


def _way_to(world: World, ways: Ways) -> tuple[str, ...]:
    labels = []
    while (step := ways[world]) is not None:
        label, world = step
        labels.append(label)
    return tuple(reversed(labels))


def _is_over(world: World) -> bool:
    """Whether no 304 can follow."""
    request = world.request
    if request.record is not None:
        return False
    return not request.left or not (
        world.records or any(reader.at != DONE for reader in world.readers)
    )


def _witnessed(world: World) -> World:
    """The same, with the state of the database compared to what the request may be answered."""
    request = world.request
    if request.record is None or request.true:
        return world
    if rendered(world.page, world.database.committed) != request.record.contents:
        return world
    return world._replace(request=request._replace(true=True))


def _moves(world: World, variant: Variant) -> Moves:
    if world.request.answered:
        yield "the 304 leaves", world._replace(request=Request(world.request.left))
        return
    for index, writer in enumerate(world.writers):
        if writer.at >= 0:
            step = variant.writer[writer.at]
            for following in step(world, index):
                yield f"{writer.transaction.name}: {name_of(step)}", _settled(following, variant)
    for index, reader in enumerate(world.readers):
        if reader.at >= 0:
            yield from _reader_moves(world, index, variant)
    yield from _request_moves(world, variant)
    for transaction in world.database.sent:
        yield f"{transaction.name} lands", world.ended(transaction, landed=True)
        yield f"{transaction.name} is lost", world.ended(transaction, landed=False)
    for event in variant.events:
        for following in event(world):
            yield name_of(event), following
    for index, fault in enumerate(world.faults):
        if fault not in world.faults[:index]:
            left = (*world.faults[:index], *world.faults[index + 1 :])
            for following in fault(world):
                yield name_of(fault), following._replace(faults=left)


def _settled(world: World, variant: Variant) -> World:
    """The same, with writers that have no step left done."""
    ends = len(variant.writer)
    return world._replace(
        writers=tuple(
            writer._replace(at=DONE) if writer.at == ends else writer for writer in world.writers
        )
    )


def _reader_moves(world: World, index: int, variant: Variant) -> Moves:
    reader, program = world.readers[index], variant.readers[index]
    who = f"reader {index + 1}"
    if reader.at < len(program):
        step = program[reader.at]
        for following in step(world, index):
            if not variant.closing and following.readers[index].at == len(program):
                following = _remembered(following, index)
            yield f"{who}: {name_of(step)}", following
        return
    number = reader.at - len(program)
    question = variant.closing[number]
    keys = frozenset(key for key, _ in reader.contents)
    asked = question(world, Asked(keys, reader.position, reader.present))
    if asked is None:
        yield f"{who}: {name_of(question)}: no record", world.with_reader(index, given_up(reader))
        return
    reader = reader._replace(at=reader.at + 1, position=asked.position, present=asked.present)
    following = world.with_reader(index, reader)
    if number + 1 == len(variant.closing):
        following = _remembered(following, index)
    yield f"{who}: {name_of(question)}", following


def given_up(reader: Reader) -> Reader:
    """A reader that has nothing to do any more; a transaction of its own may still be open."""
    return Reader(DONE, reader.own)


def _remembered(world: World, index: int) -> World:
    reader = world.readers[index]
    position = reader.position if reader.present is None else reader.present
    record = Record(reader.contents, position)
    return world.with_reader(index, given_up(reader))._replace(records=world.records | {record})


def _request_moves(world: World, variant: Variant) -> Moves:
    request = world.request
    if request.at == DONE:
        if request.left and not (variant.patient and _busy(world)):
            for record in world.records:
                arrived = Request(request.left - 1, 0, record)
                yield "a request arrives", world._replace(request=arrived)
        return
    assert request.record is not None
    question = variant.asking[request.at]
    keys = frozenset(key for key, _ in request.record.contents)
    asked = question(world, Asked(keys, request.record.position, request.present))
    if asked is None:
        yield (
            f"request: {name_of(question)}: the view runs",
            world._replace(request=Request(request.left)),
        )
    elif request.at + 1 < len(variant.asking):
        following = request._replace(at=request.at + 1, present=asked.present)
        yield f"request: {name_of(question)}", world._replace(request=following)
    else:
        renewed = request.record
        if asked.present is not None:
            renewed = renewed._replace(position=asked.present)
        yield (
            f"request: {name_of(question)}: 304",
            world._replace(
                request=Request(request.left, DONE, request.record, None, request.true, True),
                records=world.records | {renewed},
            ),
        )


def _busy(world: World) -> bool:
    return bool(world.database.sent) or any(writer.at >= 0 for writer in world.writers)


def name_of(thing: Callable[..., Any]) -> str:
    """What a step, a question, a fault or an event is called in a way."""
    return thing.__name__
