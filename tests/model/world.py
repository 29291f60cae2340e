"""The world of the model: a database, a store beside it, and those who use them, as one value.

Rules of this module:

- Everything is hashable and is never changed: what happens makes another world.
- What a query sees of a key is the set of the transactions that wrote it, so that no two states of
  a database look alike by chance.
- Random numbers do what they are meant to: a stamp is the transaction that drew it, and a sum of
  stamps is the set of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

KEYS: Final = ("a", "b")
DONE: Final = -1
DEAD: Final = -2


class Transaction(NamedTuple):
    """One transaction, which writes `keys` in this order, each by a statement."""

    name: str
    keys: tuple[str, ...]


State = frozenset[Transaction]
"""What a database holds: the transactions that it has committed."""

Contents = tuple[tuple[str, State], ...]
"""What a view has read: of each query the key, and what it saw."""

Page = Callable[[Contents], str | None]
"""The key that a view queries next, by what it has read so far."""


class Line(NamedTuple):
    """A line of the log: `transaction` wrote `key`. It is there for others after the COMMIT."""

    number: int
    key: str
    transaction: Transaction


class Database(NamedTuple):
    """A database with a log.

    `open` are the transactions that have begun and not ended; `sent` those of them whose COMMIT is
    on its way, and may land at any time or never. `life` counts the starts of the server. The rest
    is what compaction keeps.
    """

    committed: State = frozenset()
    open: State = frozenset()
    sent: State = frozenset()
    log: frozenset[Line] = frozenset()
    number: int = 0
    life: int = 0
    horizon: int = 0
    next: int = 0
    forgotten: frozenset[Line] = frozenset()

    def lines(self) -> list[Line]:
        """The lines that everybody sees."""
        return [line for line in self.log if line.transaction in self.committed]

    def ended(self, transaction: Transaction, *, landed: bool) -> Database:
        """After the COMMIT or the ROLLBACK of `transaction`."""
        ended = self._replace(open=self.open - {transaction}, sent=self.sent - {transaction})
        if landed:
            return ended._replace(committed=self.committed | {transaction})
        return ended._replace(
            log=frozenset(line for line in self.log if line.transaction != transaction)
        )

    def seen_by(self, own: Transaction | None) -> Database:
        """What a statement sees: what is committed, and what its own transaction has written."""
        committed = self.committed if own is None else self.committed | {own}
        seen = self._replace(committed=committed, open=frozenset(), sent=frozenset())
        return seen._replace(log=frozenset(seen.lines()))


class Store(NamedTuple):
    """A ledger outside the database.

    `stamps` has a number of the last move for each of KEYS, or ``None`` after a flush. `marks` are
    claims of transactions. `awaited` are those that were open when the store was flushed.
    """

    sequence: int = 0
    stamps: tuple[int | None, ...] = (0,) * len(KEYS)
    marks: State = frozenset()
    epoch: int = 0
    awaited: State = frozenset()

    def stamp(self, key: str) -> int | None:
        return self.stamps[KEYS.index(key)]

    def stamped(self, keys: tuple[str, ...], number: Callable[[int | None], int]) -> Store:
        """With another number for `keys`, made from the one they have."""
        return self._replace(
            stamps=tuple(
                number(stamp) if key in keys else stamp
                for key, stamp in zip(KEYS, self.stamps, strict=True)
            )
        )

    def moved(self, keys: tuple[str, ...]) -> Store:
        """With the next number of the sequence for `keys`."""
        following = self.sequence + 1
        return self._replace(sequence=following).stamped(keys, lambda _: following)


class Writer(NamedTuple):
    """Who runs `transaction`; `at` is its next step, DONE or DEAD."""

    transaction: Transaction
    at: int = 0


class Reader(NamedTuple):
    """Who renders a page and records it; `at` is the next step, or DONE.

    `own` is a transaction of its own with writes; `snapshot` what all its queries see, if they see
    the same. `present` is the position that the record will take, if it differs from `position`.
    """

    at: int = 0
    own: Transaction | None = None
    snapshot: Database | None = None
    position: Any = None
    present: Any = None
    contents: Contents = ()


class Record(NamedTuple):
    """A remembered page, and the position from which it has not moved."""

    contents: Contents
    position: Any


class Request(NamedTuple):
    """The request under way, if `record` was found for it, and how many may follow.

    `true` says whether the record equals the page in some state since the request arrived.
    """

    left: int
    at: int = DONE
    record: Record | None = None
    present: Any = None
    true: bool = False
    answered: bool = False


class World(NamedTuple):
    """All there is at one moment. `faults` are those that may still happen; `tail` is what a
    process has carried from the log (``tests.model.shared``)."""

    page: Page
    database: Database
    store: Store
    writers: tuple[Writer, ...]
    readers: tuple[Reader, ...]
    request: Request
    faults: tuple[Fault, ...]
    records: frozenset[Record] = frozenset()
    backup: Database | None = None
    replica: State = frozenset()
    tail: Any = None

    def with_writer(self, index: int, writer: Writer) -> World:
        writers = (*self.writers[:index], writer, *self.writers[index + 1 :])
        return self._replace(writers=writers)

    def with_reader(self, index: int, reader: Reader) -> World:
        readers = (*self.readers[:index], reader, *self.readers[index + 1 :])
        return self._replace(readers=readers)

    def ended(self, transaction: Transaction, *, landed: bool) -> World:
        return self._replace(database=self.database.ended(transaction, landed=landed))


Fault = Callable[[World], Iterator[World]]
"""What may happen to a world, in each of the ways in which it may."""


def rows(state: State, key: str) -> State:
    """What a query of `key` sees."""
    return frozenset(one for one in state if key in one.keys)


@cache
def rendered(page: Page, state: State) -> Contents:
    """What a view produces in one state of the database."""
    contents: Contents = ()
    while (key := page(contents)) is not None:
        contents += ((key, rows(state, key)),)
    return contents


def one_query(read: Contents) -> str | None:
    return None if read else "a"


def two_queries(read: Contents) -> str | None:
    return (*KEYS, None)[len(read)]


def key_from_a_row(read: Contents) -> str | None:
    """The second query is for what the first has found."""
    if not read:
        return "a"
    return "b" if len(read) == 1 and read[0][1] else None
