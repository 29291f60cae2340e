"""Triggers for SQLite that append to the log.

Rules of this module:

- A REPLACE deletes the rows that stand in its way, and fires no trigger for them unless
  ``recursive_triggers`` is on. So before a row is inserted or updated, the rows that it would
  displace are looked up by every unique index, and written down.
- What a unique index over an expression, or over some rows only, would displace, nobody looks up:
  under such an index every insert and update moves every row.
- A table without rowid is refused.
- A trigger sees one row. When it finds that many rows are being written, it says that every row is,
  and leaves the *line open*: as long as that line is the last, further rows need none. ``'now'`` is
  the same in all of a statement, which tells how many rows it has written; a wrong guess only moves
  too much.
- Before an update only unique columns are looked at, so only updates of these are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database.names import LOG, MOST_LINES, OPEN
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE
from notmodified.sql.schema import Schema, Table
from notmodified.sql.values import MOST_TEXT, Kind
from notmodified.writes.triggers.sqlite import drop
from notmodified.writes.triggers.vendor import LOG_PREFIX, Trigger, trigger_name

_ROWID: Final = frozenset({"rowid", "oid", "_rowid_"})
"""Other names of a key."""


class UncoveredTableError(Exception):
    """A table that these triggers cannot watch."""


def triggers(connection: BaseDatabaseWrapper, name: str, schema: Schema) -> Iterator[Trigger]:
    """The triggers that write down what happens to the table `name`."""
    table = schema[name]
    quote = connection.ops.quote_name
    own = quote(table.name)
    uniques = _uniques(connection, name)
    old, new = _rows(connection, name, table, "OLD"), _rows(connection, name, table, "NEW")
    whole = f"SELECT {_text(name)}"
    shape = f"SELECT {_text(name, SHAPE)}"
    everything = _everything(name, table)
    yield _trigger(connection, table.name, "AFTER INSERT", [whole, shape, *new], everything)
    yield _trigger(connection, table.name, "AFTER DELETE", [whole, *old], everything)
    new = [
        f"{line} AND NEW.{quote(column.name)} IS NOT OLD.{quote(column.name)}"
        for line, (_, column) in zip(new, sorted(table.narrowing.items()), strict=True)
    ]
    changed = " OR ".join(
        f"NEW.{quote(column.name)} IS NOT OLD.{quote(column.name)}"
        for _, column in sorted(table.narrowing.items())
    )
    if changed:
        new = [*new, f"{shape} WHERE {changed}"]
    yield _trigger(connection, table.name, "AFTER UPDATE", [whole, *old, *new], everything)
    for event in ("INSERT", "UPDATE"):
        displaced = []
        for unique in uniques:
            if unique is None:
                displaced += everything
                continue
            same = " AND ".join(f"{quote(column)} = NEW.{quote(column)}" for column in unique)
            other = " AND rowid <> OLD.rowid" if event == "UPDATE" else ""
            among = f" FROM {own} WHERE {same}{other}"
            displaced += [f"SELECT {_text(name)}{among}"]
            displaced += [
                f"SELECT {key}{among} AND {column} IS NOT NULL"
                for key, column in _keys(connection, name, table)
            ]
        if displaced:
            yield _trigger(
                connection, table.name, _before(event, uniques, quote), displaced, everything
            )


def _text(*parts: str) -> str:
    """A key, or the beginning of one, as a literal."""
    return "'" + SEPARATOR.join(parts).replace("'", "''") + "'"


def _keys(connection: BaseDatabaseWrapper, name: str, table: Table) -> Iterator[tuple[str, str]]:
    """For each narrowing column, the key of a row as an expression, and the column."""
    for column, narrowing in sorted(table.narrowing.items()):
        quoted = connection.ops.quote_name(narrowing.name)
        yield f"{_text(name, column, '')} || {_canonical('', quoted, narrowing.kind)}", quoted


def _rows(connection: BaseDatabaseWrapper, name: str, table: Table, row: str) -> list[str]:
    """The keys of the row OLD or NEW of a trigger."""
    found = []
    for column, narrowing in sorted(table.narrowing.items()):
        quoted = connection.ops.quote_name(narrowing.name)
        value = _canonical(f"{row}.", quoted, narrowing.kind)
        found.append(
            f"SELECT {_text(name, column, '')} || {value} WHERE {row}.{quoted} IS NOT NULL"
        )
    return found


def _canonical(row: str, column: str, kind: Kind) -> str:
    """The value in the form of :meth:`~notmodified.sql.values.Kind.canonical`."""
    if kind is Kind.UUID:
        return f"lower(replace({row}{column}, '-', ''))"
    if kind is Kind.TEXT:
        return f"substr({row}{column}, 1, {MOST_TEXT})"
    return f"CAST({row}{column} AS TEXT)"


def _everything(name: str, table: Table) -> list[str]:
    return [
        f"SELECT {_text(name)}",
        f"SELECT {_text(name, SHAPE)}",
        *(f"SELECT {_text(name, column, ANY)}" for column in sorted(table.narrowing)),
    ]


def _before(event: str, uniques: Collection[list[str] | None], quote: Callable[[str], str]) -> str:
    """The moment before a row may displace others."""
    if event == "INSERT" or None in uniques:
        return f"BEFORE {event}"
    columns = sorted({column for unique in uniques if unique for column in unique} | _ROWID)
    return f"BEFORE {event} OF {', '.join(map(quote, columns))}"


def _trigger(
    connection: BaseDatabaseWrapper,
    table: str,
    moment: str,
    lines: Iterable[str],
    everything: Iterable[str],
) -> Trigger:
    # Before a row, several indexes may displace the same one.
    body = (" UNION ALL " if moment.startswith("AFTER") else " UNION ").join(lines)
    opened = _text(OPEN, table)
    many = (
        f"(SELECT at FROM {LOG} WHERE id = (SELECT max(id) FROM {LOG}) - {MOST_LINES}) "
        f"= julianday('now')"
    )
    every = " UNION ALL ".join(f"{line} WHERE {many}" for line in (*everything, f"SELECT {opened}"))
    definition = (
        f"{moment} ON {connection.ops.quote_name(table)} FOR EACH ROW "
        f"WHEN (SELECT key FROM {LOG} ORDER BY id DESC LIMIT 1) IS NOT {opened} BEGIN "
        f"INSERT INTO {LOG} (key) {body}; INSERT INTO {LOG} (key) {every}; END"
    )
    name = LOG_PREFIX + trigger_name(table, definition).rpartition("_")[2]
    create = f"CREATE TRIGGER {connection.ops.quote_name(name)} {definition}"
    return Trigger(table, name, (create,), drop(connection, table, name))


def _uniques(connection: BaseDatabaseWrapper, name: str) -> list[list[str] | None]:
    """The columns of each unique index; ``None`` for one that is not over whole columns."""
    with connection.cursor() as cursor:

        def rows(pragma: str, of: str) -> list[Any]:
            cursor.execute(f"SELECT * FROM pragma_{pragma}(%s)", [of])
            return list(cursor.fetchall())

        columns = rows("table_info", name)
        cursor.execute("SELECT wr FROM pragma_table_list WHERE lower(name) = %s", [name])
        if any(without_rowid for (without_rowid,) in cursor.fetchall()):
            raise UncoveredTableError("it is WITHOUT ROWID")
        key = [row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5]]
        found: list[list[str] | None] = [key] if key else []
        if not any(row[5] and row[2].upper() == "INTEGER" for row in columns):
            found.append(["rowid"])  # which may be given too
        for _, index, unique, _, partial, *_ in rows("index_list", name):
            if not unique:
                continue
            parts = [row for row in rows("index_xinfo", index) if row[5]]
            # Another collation calls equal what the column tells apart.
            strange = any(row[2] is None or row[4] != "BINARY" for row in parts)
            found.append(None if partial or strange else [row[2] for row in parts])
    return [unique for number, unique in enumerate(found) if unique not in found[:number]]
