"""Triggers to the database and back; what is installed against what is expected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers import mysql, postgresql, sqlite
from notmodified.writes.triggers.declare import Versioned, declared, models_with_versions
from notmodified.writes.triggers.vendor import Trigger, Vendor

_VENDORS: Final = {
    "mysql": mysql.VENDOR,
    "postgresql": postgresql.VENDOR,
    "sqlite": sqlite.VENDOR,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Triggers that the database did not let us create, with the SQL that an owner can run."""

    model: type[models.Model]
    error: DatabaseError
    sql: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """One model's triggers: what is expected, what is missing, what is left over."""

    model: type[models.Model]
    expected: tuple[Trigger, ...]
    missing: tuple[Trigger, ...]
    leftover: tuple[tuple[str, str], ...]
    """Tables and names of triggers of ours that no declaration asks for any more."""


def vendor_of(connection: BaseDatabaseWrapper) -> Vendor:
    """Raises NotImplementedError for an engine whose triggers are not known here."""
    try:
        return _VENDORS[connection.vendor]
    except KeyError:
        raise NotImplementedError(
            f"VersionField needs SQLite, PostgreSQL, MariaDB or MySQL, not {connection.vendor}."
        ) from None


def expected(connection: BaseDatabaseWrapper, model: type[models.Model]) -> tuple[Trigger, ...]:
    """The triggers that keep the version field of `model`; none for a model without its own."""
    declaration = declared(model)
    if declaration is None:
        return ()
    whole, parts = declaration
    return tuple(vendor_of(connection).triggers(connection, whole, parts))


def states(
    connection: BaseDatabaseWrapper, only: Collection[type[models.Model]] | None = None
) -> Iterator[State]:
    """The state of every model with a version field (or `only` of those given) whose tables
    `connection` has."""
    vendor = vendor_of(connection)
    tables = set(connection.introspection.table_names())
    wanted = [
        (model, expected(connection, model))
        for model in models_with_versions()
        if model._meta.db_table in tables
    ]
    names = {(trigger.table, trigger.name) for _, triggers in wanted for trigger in triggers}
    for model, triggers in wanted:
        if only is not None and model not in only:
            continue
        there = {table: vendor.installed(connection, table) for table in _tables(triggers)}
        yield State(
            model,
            triggers,
            tuple(t for t in triggers if t.table in tables and t.name not in there[t.table]),
            tuple(
                (table, name)
                for table, installed in there.items()
                for name in sorted(installed)
                if (table, name) not in names
            ),
        )


def install(
    connection: BaseDatabaseWrapper, only: Collection[type[models.Model]] | None = None
) -> list[Refused]:
    """Create what is missing, drop what is left over; what was refused comes back."""
    refused = []
    for state in states(connection, only):
        declaration = declared(state.model)
        if declaration is None or not (state.missing or state.leftover):
            continue
        sql = tuple(_mending(connection, declaration[0], state))
        try:
            _run(connection, sql)
        except DatabaseError as error:
            refused.append(Refused(state.model, error, sql))
    return refused


def uninstall(connection: BaseDatabaseWrapper) -> None:
    """Drop every trigger of ours, on whatever table."""
    vendor = vendor_of(connection)
    for table in connection.introspection.table_names():
        for name in sorted(vendor.installed(connection, table)):
            _run(connection, vendor.drop(connection, table, name))


def _mending(connection: BaseDatabaseWrapper, whole: Versioned, state: State) -> Iterator[str]:
    vendor = vendor_of(connection)
    for table, name in state.leftover:
        yield from vendor.drop(connection, table, name)
    for trigger in state.missing:
        yield from trigger.drop
        yield from trigger.create
    quote = connection.ops.quote_name
    yield f"UPDATE {quote(whole.table)} SET {quote(whole.column)} = {vendor.random}"


def _run(connection: BaseDatabaseWrapper, sql: Iterable[str]) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in sql:
            cursor.execute(statement)


def _tables(triggers: Iterable[Trigger]) -> list[str]:
    return list(dict.fromkeys(trigger.table for trigger in triggers))
