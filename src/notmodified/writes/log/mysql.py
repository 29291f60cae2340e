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


def triggers(connection: BaseDatabaseWrapper, name: str, schema: Schema) -> Iterator[Trigger]:
    """The triggers that write down what happens to the table `name`, and along with it."""
    table = schema[name]
    old, new = (_keys(connection, name, table, row) for row in ("OLD", "NEW"))
    along = [
        key
        for other in sorted(_reached(connection, name))
        for key in (_text(other), _text(other, ANY))
    ]
    yield _trigger(connection, table.name, "INSERT", [_text(name), _text(name, SHAPE), *new])
    yield _trigger(connection, table.name, "DELETE", [_text(name), *old, *along])
    columns = [connection.ops.quote_name(one.name) for _, one in sorted(table.narrowing.items())]
    same = " AND ".join(f"NEW.{column} <=> OLD.{column}" for column in columns)
    yield _trigger(
        connection,
        table.name,
        "UPDATE",
        [_text(name), *old, *along],
        [_text(name, SHAPE), *new],
        same or "TRUE",
    )


def _text(*parts: str) -> str:
    """A key, or the beginning of one, as a literal."""
    return "'" + SEPARATOR.join(parts).replace("\\", "\\\\").replace("'", "''") + "'"


def _keys(connection: BaseDatabaseWrapper, name: str, table: Table, row: str) -> list[str]:
    """The keys of the row OLD or NEW of a trigger; in the place of NULL's, that of the table."""
    found = []
    for column, narrowing in sorted(table.narrowing.items()):
        value = f"{row}.{connection.ops.quote_name(narrowing.name)}"
        text = value
        if narrowing.kind is Kind.UUID:  # which may be kept in a charset that lacks the table's
            text = f"LOWER(REPLACE(CONVERT({value} USING utf8mb4), '-', ''))"
        found.append(f"COALESCE(CONCAT({_text(name, column, '')}, {text}), {_text(name)})")
    return found


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
    connection: BaseDatabaseWrapper,
    table: str,
    event: str,
    keys: Iterable[str],
    changed: Iterable[str] = (),
    same: str = "TRUE",
) -> Trigger:
    """Writes down `keys`, and those of `changed` unless all is the `same`."""
    body = _insert(keys)
    if changed:
        body = f"BEGIN {body}; IF NOT ({same}) THEN {_insert(changed)}; END IF; END"
    definition = f"AFTER {event} ON {connection.ops.quote_name(table)} FOR EACH ROW {body}"
    name = LOG_PREFIX + trigger_name(table, definition).rpartition("_")[2]
    create = f"CREATE TRIGGER {connection.ops.quote_name(name)} {definition}"
    return Trigger(table, name, (create,), drop(connection, table, name))


def _insert(keys: Iterable[str]) -> str:
    """Of so many rows that the server can see it: then it does not lock the log's numbers."""
    rows = ", ".join(f"({key}, UUID_SHORT())" for key in keys)
    return f"INSERT INTO {LOG} (`key`, stamp) VALUES {rows}"
