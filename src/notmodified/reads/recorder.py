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

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.causes import Cause, Objection
from notmodified.reads import memories, settings_of_connections
from notmodified.reads.analysis import NotProvableError, WritesError
from notmodified.reads.memoising import is_memoised
from notmodified.reads.noted_rows import NoteRows
from notmodified.reads.now import DatabaseNow, end_of_offset, is_fixed, now_in
from notmodified.reads.places import place
from notmodified.reads.plans import Planner, Turn
from notmodified.reads.trace import TRACING, Query
from notmodified.reads.turns import in_utc, next_value, time_of
from notmodified.reasons import logger
from notmodified.sql.text import text_of


class Reading(Protocol):
    """What a recorder needs to know of one database, as it is at one position."""

    @property
    def planner(self) -> Planner: ...


Begin = Callable[[BaseDatabaseWrapper], Reading]
"""Takes the position of a connection's database. Raises NotProvableError."""


class Read(NamedTuple):
    """What was read of one database: as it was for each connection by its own position, and what it
    depends on."""

    at: dict[int, Any]
    keys: set[str]


class Recorder:
    """What one response has been made from so far.

    `reason` says why it is not provable; ``None`` as long as it is. `inputs` is where the request's
    inputs are noted (``reads.inputs``). `fresh_for` is the number of seconds for which the view
    answers for all that is not seen or not understood; writes are never among that. `ends` is the
    second of the clock until which the time makes no difference. `uses_session` says that somebody
    has asked for the session. `cached` is what caches were asked for, and what they answered
    (``reads.caches``). `cookies` are the places at which cookies were set.
    """

    __slots__ = (
        *("_begin", "_rows", "_turns", "cached", "closed", "cookies", "ends", "fresh_for", "held"),
        *("inputs", "reads", "reason", "trace", "uses_session"),
    )

    def __init__(self, begin: Begin, reason: Objection | None = None) -> None:
        self._begin = begin
        self.reason = reason
        self.closed = False
        self.held = False
        self.uses_session = False
        self.fresh_for: float | None = None
        self.ends = math.inf
        self.cached: dict[Any, bytes | None] = {}
        self.cookies: dict[str, str | None] = {}
        self.trace = TRACING.get()
        self._turns: dict[tuple[Any, ...], Turn] = {}
        self._rows: list[NoteRows] = []
        self.reads: dict[str, Read] = {}
        self.inputs: dict[tuple[str, str], Any] = {}

    def spoil(self, cause: Cause, detail: str) -> None:
        """Make the response unprovable."""
        if self.reason is None:
            self.reason = Objection(cause, detail, place())

    def doubt(self, cause: Cause, detail: str) -> None:
        """The same, unless the view answers for it for a while."""
        if self.fresh_for is None:
            self.spoil(cause, detail)

    def time_shown(self, until: float | None) -> None:
        """Note that the time was looked at, and until which second of the clock what was seen of it
        holds; ``None`` for not at all."""
        here = current()
        if here is not None and here is not self:
            here.doubt(Cause.TIME, "a time from another response")
        if until is None:
            self.doubt(Cause.TIME, "the time")
        else:
            self.ends = min(self.ends, until)
            if self.trace is not None:
                self.trace.times.append((until, place()))

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
                found = self.reads[connection.alias] = Read({}, set())
            at = found.at.get(id(connection.connection))
            if at is None:
                at = self._began(connection)
                if at is None:
                    return None
                found.at[id(connection.connection)] = at
            if parameters is not None and not isinstance(parameters, list | tuple):
                if any(map(now_in, dict(parameters).values())):
                    raise NotProvableError("the time, as a parameter by name", Cause.TIME)
                parameters = {}
            token = _CURRENT.set(_NOBODY)  # to learn a language takes files
            try:
                asked = partial(time_of, connection, clocked=self)
                reads = at.planner.read(sql, parameters, asked)
            finally:
                _CURRENT.reset(token)
            found.keys.update(reads.keys)
            if self.trace is not None:
                fetched = {one.whole for one in reads.by_rows}
                query = Query(connection.alias, sql, frozenset(reads.keys | fetched), place())
                self.trace.queries.append(query)
            for turn in reads.turns:
                if turn.now.clocked is not self:
                    raise NotProvableError("a time from another response", Cause.TIME)
                self._turns[connection.alias, turn.sql, turn.parameters] = turn
            if reads.by_rows:
                rows = NoteRows(self, found.keys, reads.by_rows)
                self._rows.append(rows)
                return rows
        except WritesError as error:
            self.spoil(error.cause, str(error))
        except NotProvableError as error:
            self.doubt(error.cause, str(error))
        except Exception as error:
            logger.exception("a statement could not be noted: %s", sql)
            self.spoil(Cause.ERROR, f"an error: {error}")
        if many:
            self.spoil(Cause.WRITE, "one statement many times")
        return None

    def _began(self, connection: BaseDatabaseWrapper) -> Reading | None:
        try:
            if settings_of_connections.are_strange(connection):
                raise NotProvableError(
                    "the connection was set to see other tables", Cause.CONNECTION
                )
            begun = self._begin(connection)
            # Nothing that is asked may come before the position.
            settings_of_connections.check_dialect(connection)
            return begun
        except NotProvableError as error:
            self.spoil(error.cause, str(error))
            return None

    def remember(self) -> None:
        """Take in what the process may have kept of earlier readings, and what was left unread."""
        for rows in self._rows:
            rows.close()
        for alias in memories.aliases():
            if alias not in connections:
                continue  # one that was made to create a database
            found = self.reads.setdefault(alias, Read({}, set()))
            at = next(iter(found.at.values()), None)
            if at is None:
                connection = connections[alias]
                connection.ensure_connection()
                at = self._began(connection)
                if at is None:
                    return
                found.at[id(connection.connection)] = at
            found.keys.update(memories.keys(alias, at.planner))
        for (alias, *_), turn in self._turns.items():
            self._take_turn(connections[alias], turn)

    def _take_turn(self, connection: BaseDatabaseWrapper, turn: Turn) -> None:
        """Ask the database for the moment of `turn`. That nothing has moved until then, from before
        the view has asked, is known after it."""
        try:
            found = next_value(connection, turn.sql, turn.parameters)
        except NotProvableError as error:
            self.doubt(error.cause, str(error))
            return
        if isinstance(turn.now, DatabaseNow):
            if connection.vendor == "postgresql" and found is not None and found.tzinfo is None:
                self.doubt(Cause.TIME, "the time of a database, beside one without a time zone")
            elif found is not None:
                turn.now.until(in_utc(found).timestamp())
            return
        zone = connection.timezone if settings.USE_TZ else None
        # PostgreSQL compares moments, whatever its clients' zones are, if they say which they mean.
        if not is_fixed(zone) and not (connection.vendor == "postgresql" and settings.USE_TZ):
            self.time_shown(end_of_offset(turn.now.at, zone))
        if found is not None:
            naive = found.tzinfo is None and settings.USE_TZ
            turn.now.until((found.replace(tzinfo=zone) if naive else found).timestamp())

    def note(self, kind: str, name: str, value: Any) -> None:
        """Note an input of the request, with the value that it had when it was first read."""
        if self.reason is None:
            self.inputs.setdefault((kind, name), value)
            self.located((kind, name))

    def located(self, what: object) -> None:
        """Note where something was read first, if somebody wants to know."""
        if self.trace is not None and what not in self.trace.places:
            self.trace.places[what] = place()


_CURRENT: Final[ContextVar[Recorder | None]] = ContextVar("notmodified.recorder", default=None)
_open: Final[set[Recorder]] = set()
_lock: Final = Lock()


def current() -> Recorder | None:
    """The recorder of this context, if it is still open."""
    recorder = _CURRENT.get()
    return None if recorder is None or recorder.closed else recorder


class recording:
    """Have `recorder` note what is read inside."""

    __slots__ = ("_recorder", "_token")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._recorder)
        self._recorder.closed = False
        if self._recorder.reason is None:
            with _lock:
                _open.add(self._recorder)

    def __exit__(self, *ignored: object) -> None:
        # One that is held still notes what tasks and threads of the view's go on to read.
        if not self._recorder.held:
            release(self._recorder)
        _CURRENT.reset(self._token)


def release(recorder: Recorder) -> None:
    """Nothing that is read from now on counts for `recorder`, wherever it is read."""
    recorder.closed, recorder.held = True, False
    with _lock:
        _open.discard(recorder)


def unrecorded() -> AbstractContextManager[None]:
    """What is read inside is our own business, and shapes no response."""
    return _within(_NOBODY)


def setting_up() -> AbstractContextManager[None]:
    """What is read inside belongs to a connection; receivers may keep some of it."""
    return _within(_CURRENT.get() if _CURRENT.get() is _NOBODY else _SETTING_UP)


@contextmanager
def _within(recorder: Recorder | None) -> Iterator[None]:
    token = _CURRENT.set(recorder)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def read(
    connection: BaseDatabaseWrapper, sql: Any, parameters: Any, many: bool = False
) -> NoteRows | None:
    """A statement is about to be run in this context. What comes back wants its rows."""
    recorder = _CURRENT.get()
    if recorder is _NOBODY:
        return None
    if type(sql) is not str:
        sql = text_of(sql, connection.connection)
    if recorder is _SETTING_UP:
        settings_of_connections.notice_set_up(connection, sql)
        memories.keep(connection.alias, sql, parameters)
        return None
    settings_of_connections.notice(connection, sql)
    if recorder is not None and not recorder.closed:
        if is_memoised():
            memories.keep(connection.alias, sql, parameters)
        return recorder.read(connection, sql, parameters, many)
    if _open:
        _spoil_all(Cause.THREAD, "a query in another thread")
    memories.keep(connection.alias, sql, parameters)
    return None


def failed() -> None:
    """A statement in this context did not succeed, which tells of something that no ledger does: a
    lock, a time limit."""
    recorder = current()
    if recorder is not None:
        recorder.spoil(Cause.FAILED, "a statement that failed")


def unseen(cause: Cause, what: str) -> None:
    """Something was used in this context of which nobody sees what it depends on."""
    recorder = current()
    if recorder is not None:
        recorder.doubt(cause, what)
    else:
        elsewhere(cause, what)


def unseen_statements(connection: BaseDatabaseWrapper, what: str) -> None:
    """Something was used in this context that may have run any statement on `connection`."""
    recorder = _CURRENT.get()
    if recorder is not _NOBODY and recorder is not _SETTING_UP:
        settings_of_connections.make_strange(connection)
    unseen(Cause.QUERY, what)


def anybody_records() -> bool:
    """Whether what happens now may matter to a recorder."""
    return bool(_open) or current() is not None


def elsewhere(cause: Cause, what: str) -> None:
    """Something was used in a thread or a task that has no recorder, perhaps for somebody who
    has."""
    if _open and _CURRENT.get() is None:
        _spoil_all(cause, f"{what} in another thread")


def _spoil_all(cause: Cause, detail: str) -> None:
    with _lock:
        for recorder in _open:
            recorder.spoil(cause, detail)


def _nobody(connection: BaseDatabaseWrapper) -> Reading:
    raise NotProvableError("nobody records")


_NOBODY: Final = Recorder(_nobody, Objection(Cause.NOT_ASKED_FOR, "nobody records"))
_SETTING_UP: Final = Recorder(_nobody, Objection(Cause.NOT_ASKED_FOR, "a connection is set up"))
