"""Triggers for PostgreSQL that append to the log.

One per table and kind of statement, after the statement, on its transition tables: COPY and
INSERT … SELECT cost one trigger, however many rows there are. TRUNCATE moves every row.

Rules of this module:

- A trigger's function runs with its owner's rights and a fixed search path: whoever may write the
  table moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database.names import EVERYTHING, LOG
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE
from notmodified.sql.schema import Schema, Table
from notmodified.sql.values import MOST_TEXT, Kind
from notmodified.writes.triggers.postgresql import drop
from notmodified.writes.triggers.vendor import LOG_PREFIX, Trigger, trigger_name

_ROWS: Final = {
    "INSERT": ("NEW TABLE AS new_rows",),
    "UPDATE": ("OLD TABLE AS old_rows", "NEW TABLE AS new_rows"),
    "DELETE": ("OLD TABLE AS old_rows",),
}


def triggers(connection: BaseDatabaseWrapper, name: str, schema: Schema) -> Iterator[Trigger]:
    """The triggers that write down what happens to the table `name`."""
    table = schema[name]
    for event, transitions in _ROWS.items():
        lines = []
        for transition in transitions:
            rows = transition.rpartition(" ")[2]
            lines.append(f"SELECT {_text(name)} FROM {rows}")
            lines += [
                f"SELECT {key} FROM {rows} WHERE {column} IS NOT NULL"
                for key, column in _keys(connection, name, table)
            ]
        columns = ", ".join(
            connection.ops.quote_name(column.name) for _, column in sorted(table.narrowing.items())
        )
        shape = f"SELECT {_text(name, SHAPE)}"
        if event == "INSERT":
            lines.append(f"{shape} FROM new_rows")
        elif event == "UPDATE" and columns:
            moved = f"SELECT {columns} FROM new_rows EXCEPT SELECT {columns} FROM old_rows"
            lines.append(f"{shape} WHERE EXISTS ({moved})")
        yield _trigger(connection, table.name, event, f"REFERENCING {' '.join(transitions)}", lines)
    whole = [f"SELECT {_text(name)}", f"SELECT {_text(name, SHAPE)}"]
    whole += [f"SELECT {_text(name, column, ANY)}" for column in sorted(table.narrowing)]
    yield _trigger(connection, table.name, "TRUNCATE", "", whole)


def _text(*parts: str) -> str:
    """A key, or the beginning of one, as a literal."""
    return "'" + SEPARATOR.join(parts).replace("'", "''") + "'::text"


def _keys(connection: BaseDatabaseWrapper, name: str, table: Table) -> Iterator[tuple[str, str]]:
    """For each narrowing column, the key of a row as an expression, and the column."""
    for column, narrowing in sorted(table.narrowing.items()):
        quoted = connection.ops.quote_name(narrowing.name)
        value = f"{quoted}::text"
        if narrowing.kind is Kind.UUID:
            value = f"replace({value}, '-', '')"
        elif narrowing.kind is Kind.TEXT:
            value = f"left({value}, {MOST_TEXT})"
        yield f"{_text(name, column, '')} || {value}", quoted


def _trigger(
    connection: BaseDatabaseWrapper, table: str, event: str, transitions: str, lines: Iterable[str]
) -> Trigger:
    quote = connection.ops.quote_name
    body = " UNION ".join(lines)
    name = LOG_PREFIX + trigger_name(table, f"{event} {body}").rpartition("_")[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        [schema] = cursor.fetchone()
    function = (
        f"CREATE OR REPLACE FUNCTION {quote(name)}() RETURNS trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $notmodified$ BEGIN "
        f"INSERT INTO {quote(schema)}.{LOG} (key) {body}; RETURN NULL; END $notmodified$"
    )
    create = (
        f"CREATE TRIGGER {quote(name)} AFTER {event} ON {quote(table)} {transitions} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {quote(name)}()"
    )
    return Trigger(table, name, (function, create), drop(connection, table, name))


# Statements that change definitions

_DEFINITIONS: Final = LOG_PREFIX + "definitions"
_TAGS: Final = (
    *("ALTER TABLE", "CREATE TABLE", "CREATE TABLE AS", "DROP TABLE", "SELECT INTO"),
    *("CREATE TRIGGER", "ALTER TRIGGER", "DROP TRIGGER", "CREATE VIEW", "ALTER VIEW", "DROP VIEW"),
    *("CREATE RULE", "ALTER RULE", "DROP RULE", "CREATE POLICY", "ALTER POLICY", "DROP POLICY"),
    *("CREATE FUNCTION", "ALTER FUNCTION", "DROP FUNCTION", "ALTER SCHEMA", "DROP SCHEMA"),
)

WATCH_DEFINITIONS: Final = (
    (
        f"CREATE OR REPLACE FUNCTION {_DEFINITIONS}() RETURNS event_trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER AS $notmodified$ BEGIN "
        f"IF TG_TAG NOT LIKE 'DROP %' AND NOT EXISTS (SELECT 1 FROM "
        f"pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp') THEN "
        f"RETURN; END IF; "
        f"INSERT INTO {LOG} (key) VALUES ('{EVERYTHING}'); "
        f"EXCEPTION WHEN undefined_table THEN NULL; "
        f"END $notmodified$"
    ),
    f"ALTER FUNCTION {_DEFINITIONS}() SET search_path FROM CURRENT",
    (
        f"CREATE EVENT TRIGGER {_DEFINITIONS} ON ddl_command_end "
        f"WHEN TAG IN ({', '.join(repr(tag) for tag in _TAGS)}) "
        f"EXECUTE FUNCTION {_DEFINITIONS}()"
    ),
)
"""An event trigger: whoever alters tables, triggers, views or policies moves everything. It takes a
superuser to create one."""

FORGET_DEFINITIONS: Final = f"DROP EVENT TRIGGER IF EXISTS {_DEFINITIONS}"


def watches_definitions(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database says when definitions are changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_event_trigger WHERE evtname = %s AND evtenabled IN ('O', 'A')",
            [_DEFINITIONS],
        )
        return cursor.fetchone() is not None
