"""Triggers for PostgreSQL that append to the log.

One per table and kind of statement, after the statement, on its transition tables: COPY and
INSERT … SELECT cost one trigger, however many rows there are. TRUNCATE moves every row, and so does
a statement on more than ``MOST_ROWS`` rows, which would take longer to write down than to run.

Rules of this module:

- A statement on a table above also reaches the tables below, whose own triggers do not see it.

- A trigger's function runs with its owner's rights and a fixed search path: whoever may write the
  table moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database.names import EVERYTHING, LOG, MOST_ROWS
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE
from notmodified.sql.schema import Schema, Table
from notmodified.sql.values import MOST_TEXT, Kind
from notmodified.writes.log.definitions import DEFINITIONS
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
    known = {one for one in schema if not schema[one].is_part}
    shown = [one for one in (name, *sorted(table.above)) if one in known]
    below = sorted(table.below & known)
    everything = [text for one in (*shown, *below) for text in _everything(one)]
    if not everything:
        return
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        [namespace] = cursor.fetchone()
    log = f"INSERT INTO {quote(namespace)}.{LOG} (key)"
    whole = f"{log} VALUES {', '.join(f'({text})' for text in everything)};"
    for event, transitions in _ROWS.items():
        rows = transitions[-1].rpartition(" ")[2]
        lines = [line for one in shown for line in _lines(connection, one, schema[one], event)]
        lines += [f"SELECT {text} FROM {rows}" for one in below for text in _everything(one)]
        yield _trigger(
            connection,
            table.name,
            f"{event} ON {quote(table.name)} REFERENCING {' '.join(transitions)}",
            f"IF EXISTS (SELECT FROM {rows} OFFSET {MOST_ROWS}) THEN {whole} "
            f"ELSE {log} {' UNION '.join(lines)}; END IF;",
        )
    yield _trigger(connection, table.name, f"TRUNCATE ON {quote(table.name)}", whole)


def _lines(connection: BaseDatabaseWrapper, name: str, table: Table, event: str) -> Iterator[str]:
    """Queries for the keys that a statement on some rows moves."""
    for transition in _ROWS[event]:
        rows = transition.rpartition(" ")[2]
        yield f"SELECT {_text(name)} FROM {rows}"
        for key, column in _keys(connection, name, table):
            yield f"SELECT {key} FROM {rows} WHERE {column} IS NOT NULL"
    columns = ", ".join(
        connection.ops.quote_name(column.name) for _, column in sorted(table.narrowing.items())
    )
    if event == "INSERT":
        yield f"SELECT {_text(name, SHAPE)} FROM new_rows"
    elif event == "UPDATE" and columns:
        moved = f"SELECT {columns} FROM new_rows EXCEPT SELECT {columns} FROM old_rows"
        yield f"SELECT {_text(name, SHAPE)} WHERE EXISTS ({moved})"


def _everything(name: str) -> list[str]:
    """The keys by which every row of a table moves."""
    return [_text(name), _text(name, ANY)]


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


def _trigger(connection: BaseDatabaseWrapper, table: str, on: str, body: str) -> Trigger:
    quote = connection.ops.quote_name
    name = LOG_PREFIX + trigger_name(table, f"{on} {body}").rpartition("_")[2]
    function = (
        f"CREATE OR REPLACE FUNCTION {quote(name)}() RETURNS trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $notmodified$ BEGIN "
        f"{body} RETURN NULL; END $notmodified$"
    )
    create = (
        f"CREATE TRIGGER {quote(name)} AFTER {on} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {quote(name)}()"
    )
    return Trigger(table, name, (function, create), drop(connection, table, name))


# Statements that change definitions

WATCH_DEFINITIONS: Final = (
    (
        f"CREATE OR REPLACE FUNCTION {DEFINITIONS}() RETURNS event_trigger LANGUAGE plpgsql "
        f"SECURITY DEFINER AS $notmodified$ BEGIN "
        f"IF TG_TAG NOT LIKE 'DROP %' AND NOT EXISTS (SELECT 1 FROM "
        f"pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp') THEN "
        f"RETURN; END IF; "
        f"INSERT INTO {LOG} (key) VALUES ('{EVERYTHING}'); "
        f"EXCEPTION WHEN undefined_table THEN NULL; "
        f"END $notmodified$"
    ),
    f"ALTER FUNCTION {DEFINITIONS}() SET search_path FROM CURRENT",
    f"DROP EVENT TRIGGER IF EXISTS {DEFINITIONS}",
    f"CREATE EVENT TRIGGER {DEFINITIONS} ON ddl_command_end EXECUTE FUNCTION {DEFINITIONS}()",
)
"""An event trigger: whoever alters tables, triggers, views, policies, or anything else moves
everything, because much of it reaches tables (``ALTER TYPE``, ``DROP OWNED``, whatever cascades).
It takes a superuser to create one."""

FORGET_DEFINITIONS: Final = f"DROP EVENT TRIGGER IF EXISTS {DEFINITIONS}"
