"""The databases that records are made from: of each, the ledger, the plans, and the tables that its
triggers cover.

Rules of this module:

- A table is covered if all its triggers are there and enabled, as of the last look at the
  catalogue. A look is good until everything moves, which every change of triggers does.
- Each process holds one connection per database for the ledger, which its threads share in turn. It
  is made when it is needed, made anew when it breaks, and left to the parent after a fork.
- Whoever has to look, looks on a connection of its own: not in the middle of a view's transaction.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.core.signals import setting_changed
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver

from notmodified import conf
from notmodified.causes import Cause
from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.interface import Ledger
from notmodified.ledger.database.mysql import MysqlLedger
from notmodified.ledger.database.postgresql import PostgresqlLedger
from notmodified.ledger.database.sqlite import SqliteLedger
from notmodified.ledger.shared.ledger import SharedLedger
from notmodified.ledger.shared.memory import SharedMemoryError
from notmodified.reads.analysis import NotProvableError
from notmodified.reads.plans import Planner
from notmodified.reads.recorder import unrecorded
from notmodified.reasons import logger
from notmodified.sql.schema import Schema, as_stored, schema_of, with_families
from notmodified.writes.log import definitions
from notmodified.writes.log.definitions import Relation
from notmodified.writes.log.install import is_supported, states
from notmodified.writes.shared import memory_of

COMPACTS_EVERY: Final = 300.0
"""Seconds between two attempts of one process to compact a log. What lies between the last two
compactions is the longest that a record can go without being asked for."""

COMMAND: Final = "manage.py notmodified triggers install"


class Snapshot(NamedTuple):
    """A database as one response reads it: the position, when it was taken by the database's clock,
    and what was known of its tables then."""

    database: Database
    position: Any
    clock: float
    planner: Planner


class Database:
    """One database, for all threads of this process."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.alias = connection.alias
        self._lock = Lock()
        self._ledger: Ledger | SharedLedger = _ledger(connection)
        self.rests_at: Callable[[Any], bool] = getattr(self._ledger, "rests_at", _never)
        """Whether nothing at all was written since a position; ``False`` where nobody knows without
        asking."""
        self._verified: Any = None
        self._planner: Planner | None = None
        self._compacted = time.monotonic()
        self._process = os.getpid()

    def begin(self, connection: BaseDatabaseWrapper) -> Snapshot:
        """What the next statement on `connection` reads from. Raises NotProvableError."""
        driver = connection.connection
        try:
            with self._lock:
                position = None
                if self._verified is not None:
                    position = self._ledger.position_of(driver, self._verified)
                if position is None:
                    self._verify(connection)
                    position = self._ledger.position_of(driver, self._verified)
                # Until then nothing has moved everything: the catalogue was right up to there.
                self._verified = position
                clock = self._ledger.clock
        except (LedgerError, Error) as error:
            raise NotProvableError(
                f"the ledger of {self.alias!r}: {error}", Cause.LEDGER
            ) from error
        if position is None or self._planner is None:
            raise NotProvableError(f"the tables of {self.alias!r} are being changed", Cause.LEDGER)
        return Snapshot(self, position, clock, self._planner)

    def unmoved(self, keys: Collection[str], position: Any) -> Any | None:
        """The position now, if none of `keys` has moved since `position`."""
        if os.getpid() != self._process:
            return None
        try:
            with self._lock:
                return self._ledger.unmoved(keys, position)
        except (LedgerError, Error) as error:
            logger.warning("the ledger of %r did not answer: %s", self.alias, error)
            return None

    def compact(self) -> None:
        """Have the log compacted, if it is time."""
        now = time.monotonic()
        if now - self._compacted < COMPACTS_EVERY:
            return
        self._compacted = now
        try:
            with self._lock:
                self._ledger.compact()
        except (LedgerError, Error) as error:
            logger.warning("the log of %r was not compacted: %s", self.alias, error)

    def _verify(self, connection: BaseDatabaseWrapper) -> None:
        """Look at the catalogue, from a position on."""
        self._verified, self._planner = self._ledger.position(), None
        with unrecorded():
            looking = connection.copy()
            try:
                there = definitions.relations(looking)
                tables = all_tables(looking, there=there)
                found = {
                    state.table.lower(): state for state in states(looking, tables, there=there)
                }
            finally:
                looking.close()
        uncovered = {
            name: f"the table {state.table}: "
            + (state.problem or f"its triggers are missing or disabled ({COMMAND})")
            for name, state in found.items()
            if not state.covered
        }
        covered, hidden = {}, dict(uncovered)
        for name in found.keys() - uncovered.keys():
            family = tables[name].above | tables[name].below
            untold = sorted(family & uncovered.keys())
            if untold:
                hidden[name] = uncovered[untold[0]]
            elif not tables[name].is_part:
                covered[name] = tables[name]
        self._planner = Planner(
            connection.vendor,
            covered,
            hidden,
            {name: one.view for name, one in there.items() if one.view is not None},
            {name: one.policies for name, one in there.items() if one.policies},
        )

    def close(self) -> None:
        self._ledger.close()


def _never(position: Any) -> bool:
    return False


_known: Final[dict[tuple[str, str], Database]] = {}
_lock: Final = Lock()
_parents: Final[list[Database]] = []
"""Those of the process that this one was forked from: their connections are the parent's, and are
neither to be used here nor to be closed."""


def begin(connection: BaseDatabaseWrapper) -> Snapshot:
    """What the next statement on `connection` reads from. Raises NotProvableError."""
    key = connection.alias, str(connection.settings_dict["NAME"])
    found = _known.get(key)
    if found is None:
        problem = _problem(connection)
        if problem is not None:
            raise NotProvableError(problem, Cause.LEDGER)
        with _lock:
            found = _known.setdefault(key, Database(connection))
    return found.begin(connection)


def all_tables(
    connection: BaseDatabaseWrapper, *, there: Mapping[str, Relation] | None = None
) -> Schema:
    """The tables of all models, and what of them narrows on this database, where they are
    `there`, or else found."""
    texts = definitions.plain_texts(connection)
    found = schema_of(apps.get_models(include_auto_created=True), texts=bool(texts))
    stored = as_stored(found, texts, definitions.no_integers(connection))
    return with_families(stored, definitions.relations(connection) if there is None else there)


def forget() -> None:
    """Close every held connection, and forget what was known of the databases."""
    with _lock:
        for database in _known.values():
            database.close()
        _known.clear()


def _problem(connection: BaseDatabaseWrapper) -> str | None:
    """Why there can be no ledger for `connection`."""
    if not is_supported(connection):
        return f"no ledger knows {connection.vendor} databases"
    wrapper: Any = connection
    if connection.vendor == "sqlite" and wrapper.is_in_memory_db():
        return "the database is in memory, where nobody else can ask it"
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql.psycopg_any import is_psycopg3

        if not is_psycopg3:
            return "the ledger needs psycopg 3"
    if connection.vendor == "mysql" and wrapper.isolation_level == "read uncommitted":
        return "the isolation level is READ UNCOMMITTED"
    return None


def _ledger(connection: BaseDatabaseWrapper) -> Ledger | SharedLedger:
    ledger = _database_ledger(connection)
    if conf.current().LEDGER != conf.SHARED:
        return ledger
    try:
        with unrecorded():
            memory = memory_of(connection)
    except SharedMemoryError as error:
        logger.error("the database %r is asked each time: %s", connection.alias, error)
        return ledger
    return ledger if memory is None else SharedLedger(memory, ledger)


def _database_ledger(connection: BaseDatabaseWrapper) -> Ledger:
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        return SqliteLedger(name, _connect_to(connection))
    if connection.vendor == "postgresql":
        return PostgresqlLedger(_connect_to(connection))
    return MysqlLedger(_connect_to(connection))


def _connect_to(connection: BaseDatabaseWrapper) -> Callable[[], Any]:
    """Makes connections of the driver as Django makes them, in autocommit, for any thread."""
    template = connection.copy()
    template.settings_dict.get("OPTIONS", {}).pop("pool", None)  # it would never come back

    def connect() -> Any:
        with unrecorded():
            wrapper = template.copy()
            wrapper.connect()
            wrapper.set_autocommit(True)
        driver: Any = wrapper.connection
        wrapper.connection = None
        if wrapper.vendor == "postgresql":
            from psycopg import Cursor

            # Django's cursors fill in parameters themselves, and prepare nothing.
            driver.cursor_factory, driver.prepare_threshold = Cursor, 5
        elif wrapper.vendor == "mysql":
            cursor = driver.cursor()
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # In a zone with summer time there is an hour of which it cannot tell whether it is the
            # first or the second: the clock would go back.
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.close()
        return driver

    return connect


def _after_fork() -> None:
    global _lock
    # Whoever held it is not in this process.
    _lock = Lock()  # type: ignore[misc]
    _parents.extend(_known.values())
    _known.clear()


os.register_at_fork(after_in_child=_after_fork)


@receiver(setting_changed)
def _settings_changed(*, setting: str, **kwargs: Any) -> None:
    if setting in ("DATABASES", "INSTALLED_APPS", "NOTMODIFIED"):
        forget()
