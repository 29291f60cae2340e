"""The ledger of a database, asked only when something was written since.

A record holds from a *place*: where the sequence in shared memory was before the database was last
asked about it, and the database's own position then. As long as the sequence stands there, nothing
can have moved. When it has gone on, the new lines of the log are *carried* into this process: each
key with the number of the question that has found it. One question serves all records.

Rules of this module:

- One question is asked at a time, so that each comes before or after another: a record that was
  asked about after a key was carried has seen its move. What the sequence was before the question,
  is how far everything is carried.
- A place is good in one *era* only: as long as the database says that all who write to it mark it
  in this file, and nothing was missed of its log. It is asked for that word again and again:
  another ledger may have been put in charge. What strangers have written by then is marked in their
  place.
- In doubt the database is asked, as if there were no shared memory.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.interface import Ledger
from notmodified.ledger.database.names import EVERYTHING
from notmodified.ledger.shared.memory import SharedMemory, SharedMemoryError

LEASE: Final = 60.0
"""For how many seconds the database's word is good. Whoever takes this ledger out of charge waits
for so long before anybody may write without marks."""

MOST_KEYS: Final = 50_000
"""So many keys are kept; then the database is asked about what is older."""

LOOKS_EVERY: Final = 0.5
"""Seconds between two looks for marks that nobody will take away."""


class Place(NamedTuple):
    """From where on a record holds: in which era and at which number of the sequence, after which
    question that carried something, and by the database's own `position`; without an era, by that
    alone."""

    era: int | None
    sequence: int
    carried: int
    position: Any


def _by_position_alone(position: Any) -> Place:
    return Place(None, 0, 0, position)


class SharedLedger:
    """The ledger of one database, with the file in shared memory that goes with it.

    Not for several threads at once, but for :meth:`rests_at`.
    """

    def __init__(self, memory: SharedMemory, ledger: Ledger) -> None:
        self._memory = memory
        self._ledger = ledger
        self._charge: str | None = None
        self._eras = 0
        self._era: int | None = None
        self._until = 0.0
        self._looked = 0.0
        self._moved: dict[str, int] = {}
        self._questions = 0
        self._position: Any = None
        self._carried = -1

    @property
    def clock(self) -> float:
        return self._ledger.clock

    @property
    def is_in_charge(self) -> bool:
        """Whether the database has said so when it was last asked."""
        return self._era is not None

    def rests_at(self, place: Place) -> bool:
        """Whether nothing at all has been written since `place`. Asks nobody."""
        return (
            self._until > time.monotonic()
            and place.era is not None
            and place.era == self._era
            and place.sequence == self._memory.at_rest()
        )

    def position(self) -> Place:
        """The place now. Raises LedgerError."""
        return _by_position_alone(self._ledger.position())

    def position_of(self, reader: Any, since: Place) -> Place | None:
        """The place of what the next statement on `reader` reads, or one before it, if nothing has
        moved everything since `since`. Raises LedgerError."""
        now = self._ledger.position_of(reader, since.position)
        # Who reads may see a past that the sequence has left behind.
        return None if now is None else _by_position_alone(now)

    def unmoved(self, keys: Collection[str], place: Place) -> Place | None:
        """The place now, if none of `keys` has moved since `place`. Raises LedgerError."""
        try:
            return self._unmoved(keys, place)
        except (SharedMemoryError, OSError) as error:
            raise LedgerError(str(error)) from error

    def _unmoved(self, keys: Collection[str], place: Place) -> Place | None:
        self._hold_charge()
        at_rest = self._memory.at_rest()
        if at_rest is None:
            self._look_after_marks()
        elif place.era is not None and place.era == self._era:
            if at_rest == place.sequence:
                return place
            if self._carried < at_rest:
                self._carry()
            if place.era == self._era and self._have_not_moved(keys, place.carried):
                return Place(self._era, at_rest, self._questions, self._position)
        sequence = self._memory.sequence
        now = self._ledger.unmoved(keys, place.position)
        return None if now is None else Place(self._era, sequence, self._questions, now)

    def compact(self) -> bool:
        return self._ledger.compact()

    def close(self) -> None:
        self._ledger.close()

    def _hold_charge(self) -> None:
        """Have the database say again, in time, whether this file is in charge."""
        asked = time.monotonic()
        if self._until > asked:
            return
        charge = self._ledger.charge()
        mine = charge is not None and self._memory.is_named_in(charge)
        if not mine:
            self._era = None
        elif charge != self._charge:
            self._begin_era()
        elif self._memory.at_rest() is None:
            asked -= LEASE - LOOKS_EVERY  # who wrote the new lines is seen when nobody does
        else:
            self._look_for_strangers()
        self._charge = charge if mine else None
        self._until = asked + LEASE

    def _begin_era(self) -> None:
        """Whoever is asked about from here on, is asked later than the position now."""
        # The question may fail: until it is answered, nothing is what it would be after it.
        carried, position = self._memory.sequence, self._ledger.position()
        self._carried, self._position, self._moved = carried, position, {}
        self._eras += 1
        self._era = self._eras

    def _look_for_strangers(self) -> None:
        """Mark what was written and not carried; somebody may not have marked it, or have put a
        backup back."""
        found = self._ledger.moved_since(self._position)
        if found is None or found[0]:
            self._memory.count()
        else:
            self._position = found[1]

    def _have_not_moved(self, keys: Collection[str], carried: int) -> bool:
        moved = self._moved
        return carried >= moved.get(EVERYTHING, 0) and not any(
            moved[key] > carried for key in keys if key in moved
        )

    def _carry(self) -> None:
        """Ask the log for what is new in it."""
        before = self._memory.sequence
        found = self._ledger.moved_since(self._position)
        if found is None or len(self._moved) > MOST_KEYS:
            self._begin_era()
            return
        keys, self._position = found
        self._questions += 1
        self._moved.update(dict.fromkeys(keys, self._questions))
        self._carried = before

    def _look_after_marks(self) -> None:
        """Take marks away behind which there is nobody, and whose sessions have ended."""
        now = time.monotonic()
        if now - self._looked < LOOKS_EVERY:
            return
        self._looked = now
        left = self._memory.left()
        # Also where there are none: who has died in between may have left their number too high.
        self._memory.take_away([mark for mark in left if self._ledger.has_ended(mark.session)])
