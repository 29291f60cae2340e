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

from notmodified.reads.plans import NotProvableError, WritesError


class Reading(Protocol):
    """What a recorder needs to know of one database, as it is at one position."""

    def dependencies(self, sql: str, parameters: Sequence[Any] | None) -> Iterable[str]:
        """The keys that a statement's result depends on. Raises NotProvableError, and WritesError
        for what writes or may do so."""


Begin = Callable[[BaseDatabaseWrapper], Reading]
"""Takes the position of a connection's database. Raises NotProvableError."""


class Read(NamedTuple):
    """What was read of one database: as it was at `at`, and what it depends on."""

    at: Any
    keys: set[str]


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
    ) -> None:
        """Note that a statement is about to be run."""
        if self.reason is not None:
            return
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
        except WritesError as error:
            self.spoil(str(error))
        except NotProvableError as error:
            self.doubt(str(error))
        if many:
            self.spoil("one statement many times")

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


def read(connection: BaseDatabaseWrapper, sql: str, parameters: Any, many: bool = False) -> None:
    """A statement is about to be run in this context."""
    recorder = _CURRENT.get()
    if recorder is not None and not recorder.closed:
        if recorder.reason is None:
            recorder.read(connection, sql, parameters, many)
    elif _open:
        _spoil_all("a query in another thread")


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
