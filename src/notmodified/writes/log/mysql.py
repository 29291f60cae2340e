"""Triggers for MariaDB and MySQL that append to the log.

They only append: rows that hold versions would add deadlocks between writers of disjoint rows.

Rules of this module:

- Foreign keys act without firing triggers. Where the database itself deletes or changes rows along
  with those of a table, the triggers of that table move every row of the tables that it reaches.
- TRUNCATE fires nothing (see the guarantees).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database.names import LOG
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE
from notmodified.sql.schema import Schema, Table
from notmodified.sql.values import Kind
from notmodified.writes.log.definitions import reached
from notmodified.writes.triggers.mysql import drop
from notmodified.writes.triggers.vendor import LOG_PREFIX, Trigger, trigger_name

_ROWS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}


def triggers(connection: BaseDatabaseWrapper, name: str, schema: Schema) -> Iterator[Trigger]:
    """The triggers that write down what happens to the table `name`, and along with it."""
    table = schema[name]
    for event, rows in _ROWS.items():
        lines = [f"SELECT {_text(name)} AS line"]
        lines += [line for row in rows for line in _keys(connection, name, table, row, event)]
        lines += _shape(connection, name, table, event)
        if event != "INSERT":
            for other in sorted(_reached(connection, name)):
                lines += _everything(other, schema.get(other))
        yield _trigger(connection, table.name, event, lines)


def _text(*parts: str) -> str:
    """A key, or the beginning of one, as a literal."""
    return "'" + SEPARATOR.join(parts).replace("\\", "\\\\").replace("'", "''") + "'"


def _keys(
    connection: BaseDatabaseWrapper, name: str, table: Table, row: str, event: str
) -> Iterator[str]:
    """The keys of the row OLD or NEW of a trigger; of an update, the new ones where they differ."""
    for column, narrowing in sorted(table.narrowing.items()):
        value = f"{row}.{connection.ops.quote_name(narrowing.name)}"
        text = f"LOWER(REPLACE({value}, '-', ''))" if narrowing.kind is Kind.UUID else value
        other = f"OLD.{connection.ops.quote_name(narrowing.name)}"
        differs = f" AND NOT ({value} <=> {other})" if (row, event) == ("NEW", "UPDATE") else ""
        yield (
            f"SELECT CONCAT({_text(name, column, '')}, {text}) FROM DUAL "
            f"WHERE {value} IS NOT NULL{differs}"
        )


def _shape(connection: BaseDatabaseWrapper, name: str, table: Table, event: str) -> Iterator[str]:
    if event == "INSERT":
        yield f"SELECT {_text(name, SHAPE)}"
    elif event == "UPDATE" and table.narrowing:
        columns = [
            connection.ops.quote_name(column.name) for _, column in sorted(table.narrowing.items())
        ]
        same = " AND ".join(f"NEW.{column} <=> OLD.{column}" for column in columns)
        yield f"SELECT {_text(name, SHAPE)} FROM DUAL WHERE NOT ({same})"


def _everything(name: str, table: Table | None) -> list[str]:
    columns = sorted(table.narrowing) if table is not None else ()
    return [
        f"SELECT {_text(name)}",
        f"SELECT {_text(name, SHAPE)}",
        *(f"SELECT {_text(name, column, ANY)}" for column in columns),
    ]


def _reached(connection: BaseDatabaseWrapper, name: str) -> frozenset[str]:
    """The tables whose rows the database itself changes along with those of `name`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT LOWER(referenced_table_name), LOWER(table_name) "
            "FROM information_schema.referential_constraints "
            "WHERE constraint_schema = DATABASE() AND (delete_rule IN ('CASCADE', 'SET NULL', "
            "'SET DEFAULT') OR update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))"
        )
        return reached(name.lower(), cursor.fetchall())


def _trigger(
    connection: BaseDatabaseWrapper, table: str, event: str, lines: Iterable[str]
) -> Trigger:
    definition = (
        f"AFTER {event} ON {connection.ops.quote_name(table)} FOR EACH ROW "
        f"INSERT INTO {LOG} (`key`, stamp) SELECT line, UUID_SHORT() "
        f"FROM ({' UNION ALL '.join(lines)}) AS moved"
    )
    name = LOG_PREFIX + trigger_name(table, definition).rpartition("_")[2]
    create = f"CREATE TRIGGER {connection.ops.quote_name(name)} {definition}"
    return Trigger(table, name, (create,), drop(connection, table, name))
