"""Collects what one response is made from, while the view runs.

A recorder belongs to a context (:mod:`contextvars`), which Django carries along between a request's
threads and tasks. What is read in a thread that has none may still end up in somebody's response:
it makes every recording that is open at that moment unprovable.

Rules of this module:

- A recorder notes; it never raises into the view.
- The position of a database is taken before the first statement on it is run.
- One reason is enough: from then on nothing more is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.reads.plans import Fetched, NotProvableError, WritesError


class Reading(Protocol):
    """What a recorder needs to know of one database, as it is at one position."""

    def dependencies(self, sql: str, parameters: Sequence[Any] | None) -> Iterable[str]:
        """The keys that a statement's result depends on. Raises NotProvableError, and WritesError
        for what writes or may do so."""

    def by_rows(self, sql: str) -> Sequence[Fetched]:
        """What it depends on besides, for each row that is fetched."""


Begin = Callable[[BaseDatabaseWrapper], Reading]
"""Takes the position of a connection's database. Raises NotProvableError."""


class Read(NamedTuple):
    """What was read of one database: as it was at `at`, and what it depends on."""

    at: Any
    keys: set[str]


MOST_ROWS: Final = 500
"""How many rows of one table a statement may depend on one by one; above that, on all."""


class NoteRows:
    """Notes what a statement's rows show."""

    __slots__ = ("_by_rows", "_keys", "_recorder", "_seen")

    def __init__(self, recorder: Recorder, keys: set[str], by_rows: Sequence[Fetched]) -> None:
        self._recorder = recorder
        self._keys = keys
        self._by_rows = by_rows
        self._seen: list[set[Any]] = [set() for _ in by_rows]

    def __call__(self, rows: Iterable[Sequence[Any]]) -> None:
        if self._recorder.closed:
            return
        for fetched, seen in zip(self._by_rows, self._seen, strict=True):
            if len(seen) > MOST_ROWS:
                continue
            for row in rows:
                value = row[fetched.at]
                if value in seen:
                    continue
                seen.add(value)
                dependency = fetched.dependency(row)
                if dependency is not None:
                    self._keys.add(dependency.key)
            if len(seen) > MOST_ROWS:
                self._keys.add(fetched.table.key)


class Recorder:
    """What one response has been made from so far.

    `reason` says why it is not provable; ``None`` as long as it is. `inputs` is where the request's
    inputs are noted (``reads.inputs``). `fresh_for` is the number of seconds for which the view
    answers for all that is not seen or not understood; writes are never among that.
    """

    __slots__ = ("_begin", "closed", "fresh_for", "inputs", "reads", "reason")

    def __init__(self, begin: Begin, reason: str | None = None) -> None:
        self._begin = begin
        self.reason = reason
        self.closed = False
        self.fresh_for: float | None = None
        self.reads: dict[str, Read] = {}
        self.inputs: dict[tuple[str, str], Any] = {}

    def spoil(self, reason: str) -> None:
        """Make the response unprovable."""
        if self.reason is None:
            self.reason = reason

    def doubt(self, reason: str) -> None:
        """The same, unless the view answers for it for a while."""
        if self.fresh_for is None:
            self.spoil(reason)

    def depend(self, connection: BaseDatabaseWrapper, tables: Iterable[str]) -> None:
        """Note that all rows of some tables count, whatever is seen."""
        for table in tables:
            self.read(connection, f"SELECT * FROM {connection.ops.quote_name(table)}", None)

    def read(
        self, connection: BaseDatabaseWrapper, sql: str, parameters: Any, many: bool = False
    ) -> NoteRows | None:
        """Note that a statement is about to be run. What comes back wants its rows."""
        if self.reason is not None:
            return None
        try:
            found = self.reads.get(connection.alias)
            if found is None:
                # Two threads may both be first: the position that both keep was taken before
                # either of them runs its statement.
                found = self.reads.setdefault(
                    connection.alias, Read(self._begin(connection), set())
                )
            positional = parameters if isinstance(parameters, list | tuple) else None
            found.keys.update(found.at.dependencies(str(sql), positional))
            by_rows = found.at.by_rows(str(sql))
            if by_rows:
                return NoteRows(self, found.keys, by_rows)
        except WritesError as error:
            self.spoil(str(error))
        except NotProvableError as error:
            self.doubt(str(error))
        if many:
            self.spoil("one statement many times")
        return None

    def note(self, kind: str, name: str, value: Any) -> None:
        """Note an input of the request, with the value that it had when it was first read."""
        if self.reason is None:
            self.inputs.setdefault((kind, name), value)


_CURRENT: Final[ContextVar[Recorder | None]] = ContextVar("notmodified.recorder", default=None)
_open: Final[set[Recorder]] = set()
_lock: Final = Lock()


def current() -> Recorder | None:
    """The recorder of this context, if it is still open."""
    recorder = _CURRENT.get()
    return None if recorder is None or recorder.closed else recorder


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Have `recorder` note what is read inside."""
    token = _CURRENT.set(recorder)
    if recorder.reason is None:
        with _lock:
            _open.add(recorder)
    try:
        yield
    finally:
        recorder.closed = True
        with _lock:
            _open.discard(recorder)
        _CURRENT.reset(token)


@contextmanager
def unrecorded() -> Iterator[None]:
    """What is read inside is our own business, and shapes no response."""
    token = _CURRENT.set(_NOBODY)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def read(
    connection: BaseDatabaseWrapper, sql: str, parameters: Any, many: bool = False
) -> NoteRows | None:
    """A statement is about to be run in this context. What comes back wants its rows."""
    recorder = _CURRENT.get()
    if recorder is not None and not recorder.closed:
        return recorder.read(connection, sql, parameters, many)
    if _open:
        _spoil_all("a query in another thread")
    return None


def unseen(what: str) -> None:
    """Something was used in this context of which nobody sees what it depends on."""
    recorder = current()
    if recorder is not None:
        recorder.doubt(what)


def _spoil_all(reason: str) -> None:
    with _lock:
        for recorder in _open:
            recorder.spoil(reason)


def _nobody(connection: BaseDatabaseWrapper) -> Reading:
    raise NotProvableError("nobody records")


_NOBODY: Final = Recorder(_nobody, "nobody records")
