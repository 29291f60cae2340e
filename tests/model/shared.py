"""The ledger in shared memory: a sequence that counts writes, marks of those who write, and what
one process has carried from the log of the database.

Rules of this module:

- Each stands for ``notmodified.ledger.shared``, in front of one of the ledgers in the database.
- The process carries at any moment, which is more often than it does.
- To look at the marks, at the sequence, and at the database are steps of their own; what a process
  holds itself is looked at in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.model import log, steps, store
from tests.model.ledgers import Ledger, Mysql, Postgresql, Sqlite
from tests.model.protocol import Asked, Question, Variant
from tests.model.steps import pin, query
from tests.model.variants import BOTH, OTHER
from tests.model.world import KEYS, Fault, World, key_from_a_row, two_queries


class Place(NamedTuple):
    """From where a record holds: by the sequence, by what was carried, and by the database."""

    sequence: int
    carried: int
    position: Any


class Tail(NamedTuple):
    """What a process has carried: each key with the number of its question, and how far it is.

    `before` is where the sequence was when a question began that is still to be asked.
    """

    moved: tuple[tuple[str, int], ...]
    questions: int
    position: Any
    carried: int
    before: int | None = None

    def is_free_of(self, keys: frozenset[str], carried: int) -> bool:
        return not any(key in keys and number > carried for key, number in self.moved)


# What a process carries


def begin_to_carry(world: World) -> Iterator[World]:
    tail = world.tail or Tail((), 0, None, -1)
    if tail.before is None and tail.carried < world.store.sequence:
        yield world._replace(tail=tail._replace(before=world.store.sequence))


_LATE: Final = -1


def finish_late(world: World) -> Iterator[World]:
    """Take what was carried to be all that was written up to now."""
    tail = world.tail
    if tail is not None and tail.before == _LATE:
        yield world._replace(tail=tail._replace(carried=world.store.sequence, before=None))


def carry_in(ledger: Ledger, *, late: bool = False, unnumbered: bool = False) -> Fault:
    """The question that was begun. The first one only finds out where the log ends; in a history
    that is not known, everything counts as moved."""

    def carry(world: World) -> Iterator[World]:
        tail = world.tail
        if tail is None or tail.before is None or tail.before == _LATE:
            return
        far = (tail.carried, _LATE) if late else (tail.before, None)
        now = ledger.position(world.database)
        if tail.position is None:
            yield world._replace(tail=Tail((), 0, now, *far))
            return
        lines = world.database.lines()
        keys = {line.key for line in lines if ledger.is_after(line, tail.position)}
        if not ledger.knows(world.database, tail.position):
            keys = set(KEYS)
        number = tail.questions + (not unnumbered)
        moved = dict(tail.moved) | dict.fromkeys(keys, number)
        yield world._replace(tail=Tail(tuple(sorted(moved.items())), number, now, *far))

    return carry


# Questions


def look_at_marks(world: World, asked: Asked) -> Asked:
    """What was looked at before stays beside it."""
    return asked._replace(present=("marked" if world.store.marks else "free", asked.present))


def look_at_sequence(world: World, asked: Asked) -> Asked:
    said, _ = asked.present
    return asked._replace(present=(said, world.store.sequence))


def look_at_sequence_first(world: World, asked: Asked) -> Asked:
    return asked._replace(present=world.store.sequence)


def judge(world: World, asked: Asked) -> Asked:
    """What shared memory and what was carried say; else the sequence, before the database is
    asked."""
    said, at = asked.present
    place, tail = asked.position, world.tail
    if said == "free" and isinstance(place, Place) and tail is not None:
        if at == place.sequence:
            return asked._replace(present=place)
        if tail.carried >= at and tail.is_free_of(asked.keys, place.carried):
            return asked._replace(present=Place(at, tail.questions, tail.position))
    return asked._replace(present=("ask", world.store.sequence))


def begin_to_ask(world: World, asked: Asked) -> Asked:
    return asked._replace(present=("ask", world.store.sequence))


def ask(ledger: Ledger) -> Question:
    """The database, where it has to be asked."""

    def ask_database(world: World, asked: Asked) -> Asked | None:
        if isinstance(asked.present, Place):
            return asked
        _, sequence = asked.present
        place = asked.position
        position = place.position if isinstance(place, Place) else place
        now = ledger.unmoved(world.database, asked.keys, position)
        if now is None:
            return None
        tail = world.tail
        if tail is None or tail.position is None:
            return asked._replace(present=now)
        return asked._replace(present=Place(sequence, tail.questions, now))

    return ask_database


def ask_and_look_after(ledger: Ledger) -> Question:
    """The same, with the sequence as it is after the question."""

    def ask_first(world: World, asked: Asked) -> Asked | None:
        found = ask(ledger)(world, asked)
        return None if found is None else found._replace(present=("late", found.present))

    return ask_first


def look_at_sequence_after(world: World, asked: Asked) -> Asked:
    _, place = asked.present
    if isinstance(place, Place):
        place = place._replace(sequence=world.store.sequence)
    return asked._replace(present=place)


# Variants


def behind_memory(ledger: Ledger, scenario: str, **changes: Any) -> Variant:
    """A mark before the first statement; COMMIT; the sequence is counted; the mark goes."""
    defaults: dict[str, Any] = {
        "writer": (store.mark, log.write_to(ledger), steps.commit, store.bump, store.unmark),
        "readers": ((log.position_in(ledger), query, query),),
        "closing": (begin_to_ask, ask(ledger)),
        "asking": (look_at_marks, look_at_sequence, judge, ask(ledger)),
        "events": (begin_to_carry, carry_in(ledger)),
        "writers": (BOTH, OTHER),
        "page": two_queries,
        "database": ledger.born(),
        "requests": 2,
    }
    return Variant(f"shared memory before {ledger.name}: {scenario}", **{**defaults, **changes})


def sending(ledger: Ledger, *ends: Any) -> tuple[Any, ...]:
    """A writer whose COMMIT may land whenever it likes."""
    return store.mark, log.write_to(ledger), steps.send_commit, *ends, store.bump, store.unmark


def _kept(ledger: Ledger) -> Iterator[Variant]:
    yield behind_memory(ledger, "two writers", requests=1)
    yield behind_memory(ledger, "two requests", writers=(BOTH,))
    yield behind_memory(ledger, "three requests", requests=3, writers=(OTHER,), page=key_from_a_row)
    yield behind_memory(
        ledger,
        "one snapshot, and one that is older than the position",
        readers=(
            (log.position_in(ledger), pin, query, query),
            (pin, log.position_in(ledger), query, query),
        ),
        writers=(BOTH,),
        requests=1,
    )
    yield behind_memory(
        ledger,
        "a writer dies, its COMMIT may land later",
        writer=sending(ledger, steps.answered),
        events=(
            *(begin_to_carry, carry_in(ledger)),
            store.dead_are_cleared_after_their_sessions,
        ),
        faults=(steps.crash,),
        writers=(BOTH,),
    )
    yield behind_memory(
        ledger,
        "COMMIT errs and lands later",
        writer=sending(ledger, steps.answered, steps.session_ended),
        faults=(steps.cut_off,),
        writers=(BOTH,),
    )


def _broken(ledger: Ledger) -> Iterator[Variant]:
    write = log.write_to(ledger)
    one = {"writers": (BOTH,)}
    yield behind_memory(ledger, "no marks", writer=(write, steps.commit, store.bump), **one)
    yield behind_memory(
        ledger,
        "marked after COMMIT",
        writer=(write, steps.commit, store.mark, store.bump, store.unmark),
        **one,
    )
    yield behind_memory(
        ledger,
        "counted before COMMIT",
        writer=(store.mark, write, store.bump, steps.commit, store.unmark),
        **one,
    )
    yield behind_memory(
        ledger,
        "the mark goes before it is counted",
        writer=(store.mark, write, steps.commit, store.unmark, store.bump),
        **one,
    )
    yield behind_memory(
        ledger,
        "the sequence is looked at before the marks",
        asking=(look_at_sequence_first, look_at_marks, judge, ask(ledger)),
        **one,
    )
    yield behind_memory(
        ledger,
        "the sequence of after the question at the end",
        closing=(begin_to_ask, ask_and_look_after(ledger), look_at_sequence_after),
        requests=1,
        **one,
    )
    yield behind_memory(
        ledger,
        "carried as far as the sequence is after the question",
        events=(begin_to_carry, carry_in(ledger, late=True), finish_late),
        **one,
    )
    yield behind_memory(
        ledger,
        "questions without a number",
        events=(begin_to_carry, carry_in(ledger, unnumbered=True)),
        **one,
    )
    yield behind_memory(
        ledger,
        "the dead are cleared at once",
        writer=sending(ledger, steps.answered),
        events=(begin_to_carry, carry_in(ledger), store.dead_are_cleared),
        faults=(steps.crash,),
        **one,
    )
    yield behind_memory(
        ledger,
        "the mark of a COMMIT that errs goes at once",
        writer=sending(ledger, steps.answered),
        faults=(steps.cut_off,),
        **one,
    )
    yield behind_memory(
        ledger,
        "nothing asked at the end, the sequence of the start",
        readers=((_place_of_start(ledger), query, query), (pin, _place_of_start(ledger), query)),
        closing=(),
        **one,
    )


def _place_of_start(ledger: Ledger) -> Any:
    """The reader's position, with the sequence as it is then."""
    position = log.position_in(ledger)

    def place_of_start(world: World, index: int) -> Iterator[World]:
        for following in position(world, index):
            reader, tail = following.readers[index], world.tail
            if reader.position is not None and tail is not None and tail.position is not None:
                place = Place(world.store.sequence, tail.questions, reader.position)
                reader = reader._replace(position=place)
            yield following.with_reader(index, reader)

    return place_of_start


_LEDGERS: Final = (Sqlite(), Postgresql(), Mysql())
KEPT: Final = tuple(variant for ledger in _LEDGERS for variant in _kept(ledger))
"""Those that keep the promise."""
BROKEN: Final = tuple(_broken(Sqlite()))
"""Those that break it, whichever database is behind."""
