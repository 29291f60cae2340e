"""Puts the log and its triggers into a database, and takes the triggers away: the same everywhere.

Rules of this module:

- While a table had no triggers, nobody knows what happened to it: whatever installs or drops one
  moves everything, in the same transaction where the database allows that.
- What the database refuses comes back with the SQL that an owner can run; nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database import mysql as mysql_ledger
from notmodified.ledger.database import postgresql as postgresql_ledger
from notmodified.ledger.database import sqlite as sqlite_ledger
from notmodified.ledger.database.names import EVERYTHING, LEDGER, LOG
from notmodified.sql.schema import Schema
from notmodified.writes.log import definitions, mysql, postgresql, sqlite
from notmodified.writes.log.definitions import Relation
from notmodified.writes.log.sqlite import UncoveredTableError
from notmodified.writes.triggers.install import vendor_of
from notmodified.writes.triggers.vendor import LOG_PREFIX, Trigger

VENDORS: Final[dict[str, Any]] = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}
_TABLES: Final[dict[str, tuple[str, ...]]] = {
    "sqlite": sqlite_ledger.TABLES,
    "postgresql": postgresql_ledger.TABLES,
    "mysql": mysql_ledger.TABLES,
}
_PATIENCE: Final = {
    "postgresql": (("SET LOCAL lock_timeout = '5s'",), ()),
    "mysql": (
        ("SET SESSION lock_wait_timeout = 5",),
        ("SET SESSION lock_wait_timeout = DEFAULT",),
    ),
}
"""Not to wait long for a table that others are using, because they wait for us meanwhile; and back
to what it was."""


@dataclass(frozen=True, slots=True)
class TableState:
    """The log's triggers of one table: what is expected, what is missing, what is left over.

    `problem` says why the log cannot cover it, whatever is installed.
    """

    table: str
    expected: tuple[Trigger, ...] = ()
    missing: tuple[Trigger, ...] = ()
    leftover: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def covered(self) -> bool:
        return not (self.missing or self.leftover or self.problem)


@dataclass(frozen=True, slots=True)
class RefusedTable:
    """What the database did not let us do, with the SQL that an owner can run."""

    table: str
    error: DatabaseError
    sql: tuple[str, ...]


def is_supported(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor in VENDORS


def states(
    connection: BaseDatabaseWrapper,
    schema: Schema,
    only: Set[str] | None = None,
    *,
    there: Mapping[str, Relation] | None = None,
) -> Iterator[TableState]:
    """The state of every table in `schema` (or of `only` those, and their families) that is
    `there`, or else is found in the database."""
    if there is None:
        there = definitions.relations(connection)
    present = definitions.triggers(connection, LOG_PREFIX)
    for name in schema:
        if name not in there or there[name].view is not None:
            continue
        family = {name, *schema[name].above, *schema[name].below}
        if only is not None and only.isdisjoint(family):
            continue
        ours = present.get(schema[name].name, set())
        problem = there[name].problem
        expected: tuple[Trigger, ...] = ()
        if problem is None and there[name].triggers:
            try:
                expected = tuple(VENDORS[connection.vendor].triggers(connection, name, schema))
            except UncoveredTableError as error:
                problem = str(error)
        wanted = {trigger.name for trigger in expected}
        yield TableState(
            schema[name].name,
            expected,
            tuple(trigger for trigger in expected if trigger.name not in ours),
            tuple(sorted(ours - wanted)),
            problem,
        )


def install(
    connection: BaseDatabaseWrapper, schema: Schema, only: Set[str] | None = None
) -> list[RefusedTable]:
    """Make the ledger, and the triggers of every table in `schema` (or of `only` those) that is
    there. What is there already stays; what is not wanted any more goes; what was refused comes
    back."""
    try:
        _run(connection, _TABLES[connection.vendor])
    except DatabaseError as error:
        return [RefusedTable(LOG, error, _TABLES[connection.vendor])]
    if connection.vendor == "postgresql":
        _watch_definitions(connection)  # first: without it, some tables cannot be covered
    refused = []
    for state in states(connection, schema, only):
        if state.covered or state.problem:
            continue
        sql = tuple(mending(connection, state))
        try:
            _run(connection, sql)
        except DatabaseError as error:
            refused.append(RefusedTable(state.table, error, sql))
    return refused


def uninstall(connection: BaseDatabaseWrapper, only: Set[str] | None = None) -> None:
    """Take the triggers away again, of every table or of `only` those; the log stays."""
    present = definitions.triggers(connection, LOG_PREFIX)
    for table, names in sorted(present.items()):
        if only is None or table.lower() in only:
            sql = [s for name in names for s in vendor_of(connection).drop(connection, table, name)]
            _run(connection, [*_closing(connection), *sql, *_opening(connection)])
    if only is None and connection.vendor == "postgresql":
        _run(connection, [postgresql.FORGET_DEFINITIONS])


def bump(connection: BaseDatabaseWrapper) -> None:
    """Move everything, where there is a log."""
    if LOG in connection.introspection.table_names():
        _run(connection, _moving_everything(connection))


def _moving_everything(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor == "mysql":
        return [f"INSERT INTO {LOG} (`key`, stamp) VALUES ('{EVERYTHING}', UUID_SHORT())"]
    return [f"INSERT INTO {LOG} (key) VALUES ('{EVERYTHING}')"]


def _closing(connection: BaseDatabaseWrapper) -> list[str]:
    """Before triggers come or go. Where each statement commits by itself, there is no ledger until
    all is done, and so no position and no answer from one."""
    return [f"DELETE FROM {LEDGER}"] if connection.vendor == "mysql" else []


def _opening(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor == "mysql":
        return [mysql_ledger.NEW_LEDGER]
    return _moving_everything(connection)


def mending(connection: BaseDatabaseWrapper, state: TableState) -> Iterator[str]:
    """The statements that make a table's triggers what they should be."""
    vendor = vendor_of(connection)
    yield from _closing(connection)
    for name in state.leftover:
        yield from vendor.drop(connection, state.table, name)
    for trigger in state.missing:
        yield from trigger.create
    yield from _opening(connection)


def _watch_definitions(connection: BaseDatabaseWrapper) -> None:
    """Have PostgreSQL itself say when tables and triggers are altered, if we may."""
    if not definitions.watches_definitions(connection):
        with suppress(DatabaseError):  # most sites are not their database's superuser
            _run(connection, postgresql.WATCH_DEFINITIONS)


def _run(connection: BaseDatabaseWrapper, sql: Iterable[str]) -> None:
    before, after = _PATIENCE.get(connection.vendor, ((), ()))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in (*before, *sql, *after):
            cursor.execute(statement)
