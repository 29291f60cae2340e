"""Triggers for MariaDB and MySQL.

A trigger may not write a table that the statement reads which fired it (error 1442), so triggers on
the parts of a row would break statements that work today. The version is therefore kept by triggers
on the row's own table alone, and the parts are hashed when the version is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers.declare import Part, Versioned
from notmodified.writes.triggers.vendor import PREFIX, Trigger, Vendor, trigger_name

RANDOM: Final = (
    "(CAST(CONV(LEFT(SHA2(CONCAT(UUID(), RAND()), 256), 16), 16, 10) AS UNSIGNED)"
    " & 4611686018427387903)"
)


def triggers(
    connection: BaseDatabaseWrapper, whole: Versioned, parts: Iterable[Part]
) -> Iterator[Trigger]:
    quote = connection.ops.quote_name
    table, column = quote(whole.table), quote(whole.column)
    move = f"SET NEW.{column} = {RANDOM}"
    unmoved = f"NEW.{column} <=> OLD.{column}"
    for definition in (
        f"BEFORE INSERT ON {table} FOR EACH ROW {move}",
        f"BEFORE UPDATE ON {table} FOR EACH ROW IF {unmoved} THEN {move}; END IF",
    ):
        name = trigger_name(whole.table, definition)
        create = f"CREATE TRIGGER {quote(name)} {definition}"
        yield Trigger(whole.table, name, (create,), drop(connection, whole.table, name))


def installed(connection: BaseDatabaseWrapper, table: str, prefix: str = PREFIX) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trigger_name FROM information_schema.triggers "
            "WHERE event_object_schema = DATABASE() AND event_object_table = %s "
            "AND LEFT(trigger_name, %s) = %s",
            [table, len(prefix), prefix],
        )
        return {name for (name,) in cursor.fetchall()}


def count(connection: BaseDatabaseWrapper, triggers: Collection[Trigger]) -> tuple[str, list[str]]:
    tables = sorted({trigger.table for trigger in triggers})
    names = [trigger.name for trigger in triggers]
    sql = (
        "(SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE() "
        f"AND event_object_table IN ({', '.join(['%s'] * len(tables))}) "
        f"AND trigger_name IN ({', '.join(['%s'] * len(names))}))"
    )
    return sql, [*tables, *names]


def part_state(connection: BaseDatabaseWrapper, part: Part) -> tuple[str, str]:
    """A scalar subquery: the count and hash of the rows of `part` that belong to some keys.

    Equal states of the rows give equal hashes, whatever came between: the rows are all there is.
    """
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        columns = [
            quote(column.name)
            for column in connection.introspection.get_table_description(cursor, part.table)
        ]
    state = f"CONCAT(COUNT(*), ':', COALESCE(SUM({row_hash(columns)}), 0))"
    table, reference = quote(part.table), quote(part.reference)
    return f"(SELECT {state} FROM {table} WHERE {reference} IN (", "))"


def row_hash(columns: Iterable[str], start: int = 1) -> str:
    """60 bits of a row's SHA-2, from hexadecimal digit `start` on, as a number.

    `columns` are quoted names. NULL is told from a text, and the end of one column from the
    beginning of the next.
    """
    row = ", ".join(f"COALESCE(CONCAT(LENGTH({name}), ':', {name}), '-')" for name in columns)
    digits = f"SUBSTR(SHA2(CONCAT_WS(',', {row}), 256), {start}, 15)"
    return f"CAST(CONV({digits}, 16, 10) AS UNSIGNED)"


def drop(connection: BaseDatabaseWrapper, table: str, name: str) -> tuple[str, ...]:
    return (f"DROP TRIGGER IF EXISTS {connection.ops.quote_name(name)}",)


VENDOR: Final = Vendor(triggers, installed, drop, count, part_state, RANDOM)
