"""Triggers for PostgreSQL.

Each trigger has a function of the same name. A function that updates another table runs with its
owner's rights and a fixed search path, so that whoever may write the part moves the whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers.declare import Part, Versioned
from notmodified.writes.triggers.vendor import PREFIX, Trigger, Vendor, trigger_name

RANDOM: Final = (
    "(('x' || left(md5(gen_random_uuid()::text), 16))::bit(64)::bigint & 4611686018427387903)"
)


def triggers(
    connection: BaseDatabaseWrapper, whole: Versioned, parts: Iterable[Part]
) -> Iterator[Trigger]:
    quote = connection.ops.quote_name
    schema = _schema(connection, whole.table)
    table = f"{quote(schema)}.{quote(whole.table)}"
    column = quote(whole.column)
    yield _trigger(
        connection,
        whole.table,
        "BEFORE INSERT",
        "FOR EACH ROW",
        f"NEW.{column} := {RANDOM}; RETURN NEW;",
    )
    yield _trigger(
        connection,
        whole.table,
        "BEFORE UPDATE",
        "FOR EACH ROW",
        f"IF NEW.{column} IS NOT DISTINCT FROM OLD.{column} THEN "
        f"NEW.{column} := {RANDOM}; END IF; RETURN NEW;",
    )
    for part in parts:
        reference = quote(part.reference)
        for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD"), ("UPDATE", "NEW OLD")):
            references = ", ".join(f"{row}.{reference}" for row in rows.split())
            yield _trigger(
                connection,
                part.table,
                f"AFTER {event}",
                "FOR EACH ROW",
                f"UPDATE {table} SET {column} = {RANDOM} "
                f"WHERE {quote(part.key)} IN ({references}); RETURN NULL;",
            )
        yield _trigger(
            connection,
            part.table,
            "AFTER TRUNCATE",
            "FOR EACH STATEMENT",
            f"UPDATE {table} SET {column} = {RANDOM}; RETURN NULL;",
        )


def installed(connection: BaseDatabaseWrapper, table: str, prefix: str = PREFIX) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_catalog.pg_trigger "
            "WHERE tgrelid = to_regclass(%s) AND tgenabled IN ('O', 'A') "
            "AND left(tgname, %s) = %s",
            [connection.ops.quote_name(table), len(prefix), prefix],
        )
        return {name for (name,) in cursor.fetchall()}


def count(connection: BaseDatabaseWrapper, triggers: Collection[Trigger]) -> tuple[str, list[str]]:
    tables = sorted({connection.ops.quote_name(trigger.table) for trigger in triggers})
    names = [trigger.name for trigger in triggers]
    sql = (
        "(SELECT COUNT(*) FROM pg_catalog.pg_trigger WHERE tgenabled IN ('O', 'A') "
        f"AND tgrelid IN ({', '.join(['to_regclass(%s)'] * len(tables))}) "
        f"AND tgname IN ({', '.join(['%s'] * len(names))}))"
    )
    return sql, [*tables, *names]


def drop(connection: BaseDatabaseWrapper, table: str, name: str) -> tuple[str, ...]:
    quote = connection.ops.quote_name
    return (
        f"DROP TRIGGER IF EXISTS {quote(name)} ON {quote(table)}",
        f"DROP FUNCTION IF EXISTS {quote(name)}()",
    )


def _schema(connection: BaseDatabaseWrapper, table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.nspname FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(%s)",
            [connection.ops.quote_name(table)],
        )
        row = cursor.fetchone()
    return row[0] if row else "public"


def _trigger(
    connection: BaseDatabaseWrapper, table: str, moment: str, scope: str, body: str
) -> Trigger:
    quote = connection.ops.quote_name
    name = trigger_name(table, f"{moment} {scope} {body}")
    function = (
        f"CREATE OR REPLACE FUNCTION {quote(name)}() RETURNS trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $notmodified$ "
        f"BEGIN {body} END $notmodified$"
    )
    create = f"CREATE TRIGGER {quote(name)} {moment} ON {quote(table)} {scope} "
    create += f"EXECUTE FUNCTION {quote(name)}()"
    return Trigger(table, name, (function, create), drop(connection, table, name))


VENDOR: Final = Vendor(triggers, installed, drop, count, None, RANDOM)
