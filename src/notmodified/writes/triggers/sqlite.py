"""Triggers for SQLite.

A BEFORE trigger cannot change the new row there, so an AFTER trigger updates it once more. It
fires only while the version is the old one, so it does not call itself, whatever
``recursive_triggers`` says.

A table cannot be made anew (as Django's schema editor does) while a trigger of another table names
it. So the schema editor drops them all before it begins, and ``migrate`` installs them when it is
done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers.declare import Part, Versioned
from notmodified.writes.triggers.vendor import PREFIX, Trigger, Vendor, trigger_name

RANDOM: Final = "(random() & 4611686018427387903)"


def triggers(
    connection: BaseDatabaseWrapper, whole: Versioned, parts: Iterable[Part]
) -> Iterator[Trigger]:
    quote = connection.ops.quote_name
    table, key, column = quote(whole.table), quote(whole.key), quote(whole.column)
    yield _trigger(
        connection,
        whole.table,
        f"AFTER INSERT ON {table} FOR EACH ROW "
        f"BEGIN UPDATE {table} SET {column} = {RANDOM} WHERE {key} = NEW.{key}; END",
    )
    yield _trigger(
        connection,
        whole.table,
        f"AFTER UPDATE ON {table} FOR EACH ROW WHEN NEW.{column} IS OLD.{column} "
        f"BEGIN UPDATE {table} SET {column} = {RANDOM} WHERE {key} = NEW.{key}; END",
    )
    for part in parts:
        reference = quote(part.reference)
        for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD"), ("UPDATE", "NEW OLD")):
            references = ", ".join(f"{row}.{reference}" for row in rows.split())
            yield _trigger(
                connection,
                part.table,
                f"AFTER {event} ON {quote(part.table)} FOR EACH ROW BEGIN "
                f"UPDATE {table} SET {column} = {RANDOM} "
                f"WHERE {quote(part.key)} IN ({references}); END",
            )
        # REPLACE deletes the row that has the new one's key, and fires no trigger for it.
        yield _trigger(
            connection,
            part.table,
            f"BEFORE INSERT ON {quote(part.table)} FOR EACH ROW BEGIN "
            f"UPDATE {table} SET {column} = {RANDOM} WHERE {quote(part.key)} IN "
            f"(SELECT {reference} FROM {quote(part.table)} "
            f"WHERE {quote(part.own_key)} = NEW.{quote(part.own_key)}); END",
        )


def installed(connection: BaseDatabaseWrapper, table: str, prefix: str = PREFIX) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(%s) "
            "AND substr(name, 1, %s) = %s",
            [table, len(prefix), prefix],
        )
        return {name for (name,) in cursor.fetchall()}


def count(connection: BaseDatabaseWrapper, triggers: Collection[Trigger]) -> tuple[str, list[str]]:
    tables = sorted({trigger.table for trigger in triggers})
    names = [trigger.name for trigger in triggers]
    # By table too: a table that is renamed away takes its triggers along.
    sql = (
        "(SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' "
        f"AND tbl_name IN ({', '.join(['%s'] * len(tables))}) "
        f"AND name IN ({', '.join(['%s'] * len(names))}))"
    )
    return sql, [*tables, *names]


def drop(connection: BaseDatabaseWrapper, table: str, name: str) -> tuple[str, ...]:
    return (f"DROP TRIGGER IF EXISTS {connection.ops.quote_name(name)}",)


def _trigger(connection: BaseDatabaseWrapper, table: str, definition: str) -> Trigger:
    name = trigger_name(table, definition)
    create = f"CREATE TRIGGER {connection.ops.quote_name(name)} {definition}"
    return Trigger(table, name, (create,), drop(connection, table, name))


_OURS: Final = "notmodified"
"""How the names of all triggers of ours begin: those of versions, and those of the log."""


def drop_before_schema_changes(connection: Any) -> None:
    """Have the schema editor of `connection` drop every trigger of ours before it begins."""
    editor = connection.SchemaEditorClass
    if getattr(editor, "drops_triggers", False):
        return

    class SchemaEditor(editor):  # type: ignore[misc, valid-type]
        drops_triggers = True

        def __enter__(self) -> Any:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                    "AND substr(name, 1, %s) = %s",
                    [len(_OURS), _OURS],
                )
                names = [name for (name,) in cursor.fetchall()]
                for name in names:
                    cursor.execute(drop(self.connection, "", name)[0])
            return super().__enter__()

    connection.SchemaEditorClass = SchemaEditor


VENDOR: Final = Vendor(triggers, installed, drop, count, None, RANDOM)
