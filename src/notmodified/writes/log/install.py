"""Puts the triggers of the log on tables, and takes them away: the same on every database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.sql.schema import Schema
from notmodified.writes.log import postgresql, sqlite
from notmodified.writes.triggers.install import vendor_of
from notmodified.writes.triggers.vendor import LOG_PREFIX

VENDORS: Final[dict[str, Any]] = {"sqlite": sqlite, "postgresql": postgresql}


def installed(connection: BaseDatabaseWrapper, table: str) -> set[str]:
    """The names of the log's triggers on `table` that are enabled."""
    return vendor_of(connection).installed(connection, table, LOG_PREFIX)


def install(connection: BaseDatabaseWrapper, schema: Schema) -> None:
    """Make the ledger's tables, and the triggers of every table in `schema` that is there.

    What is there already stays; what is not wanted any more goes.
    """
    vendor = VENDORS[connection.vendor]
    with connection.cursor() as cursor:
        for statement in vendor.TABLES:
            cursor.execute(statement)
        there = {one.name.lower() for one in connection.introspection.get_table_list(cursor)}
    for name, table in schema.items():
        if name not in there:
            continue
        expected = {one.name: one for one in vendor.triggers(connection, name, table)}
        present = installed(connection, name)
        _drop(connection, name, present - expected.keys())
        with connection.cursor() as cursor:
            for trigger in expected.values():
                if trigger.name not in present:
                    for statement in trigger.create:
                        cursor.execute(statement)


def uninstall(connection: BaseDatabaseWrapper, schema: Schema) -> None:
    """Take the triggers away again; the log stays."""
    for name in schema:
        _drop(connection, name, installed(connection, name))


def _drop(connection: BaseDatabaseWrapper, table: str, names: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for name in names:
            for statement in vendor_of(connection).drop(connection, table, name):
                cursor.execute(statement)
