"""Puts the triggers of the log on tables, and takes them away: the same on every database."""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.sql.schema import Schema
from notmodified.writes.log import postgresql, sqlite

VENDORS: Final[dict[str, Any]] = {"sqlite": sqlite, "postgresql": postgresql}


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
        present = vendor.installed(connection, name)
        with connection.cursor() as cursor:
            for leftover in present - expected.keys():
                for statement in vendor.drop(connection, name, leftover):
                    cursor.execute(statement)
            for trigger in expected.values():
                if trigger.name not in present:
                    for statement in trigger.create:
                        cursor.execute(statement)


def uninstall(connection: BaseDatabaseWrapper, schema: Schema) -> None:
    """Take the triggers away again; the log stays."""
    vendor = VENDORS[connection.vendor]
    for name in schema:
        for trigger in vendor.installed(connection, name):
            with connection.cursor() as cursor:
                for statement in vendor.drop(connection, name, trigger):
                    cursor.execute(statement)
