"""Triggers for SQLite that append to the log.

Rules of this module:

- They are short: whoever opens a connection, as Django does for every request unless it is told
  otherwise, has SQLite read all of them. What they say of a row goes into a view, whose own trigger
  makes lines of it (``ledger.database.sqlite``).
- A REPLACE deletes the rows that stand in its way, and fires no trigger for them unless
  ``recursive_triggers`` is on. So before a row is written, the rows that it would displace are
  looked up by every unique index, and written down. An update of other columns displaces none; but
  no update names a column that is generated.
- What a unique index over an expression, or over some rows only, would displace, nobody looks up:
  under such an index every insert and update moves every row.
- A table without rowid is refused.
- A trigger sees one row. When many are written, the log's own trigger says that every row is, and
  leaves the *line open*: as long as that line is the last, further rows need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.ledger.database.names import LOG, ROWS
from notmodified.ledger.database.sqlite import COLUMNS_AT_ONCE
from notmodified.sql.dependencies import ANY, SEPARATOR
from notmodified.sql.schema import Column, Schema, Table
from notmodified.sql.values import MOST_TEXT, Kind
from notmodified.writes.triggers.sqlite import drop
from notmodified.writes.triggers.vendor import LOG_PREFIX, Trigger, trigger_name

_ROWID: Final = ("rowid", "oid", "_rowid_")
"""Other names of a key, each as long as no column has it."""


class UncoveredTableError(Exception):
    """A table that these triggers cannot watch."""


def triggers(connection: BaseDatabaseWrapper, name: str, schema: Schema) -> Iterator[Trigger]:
    """The triggers that write down what happens to the table `name`."""
    table = schema[name]
    quote = connection.ops.quote_name
    own = quote(table.name)

    def rows(old: str | None, new: str | None) -> list[str]:
        return _rows(connection, name, table, old, new)

    yield _trigger(connection, table.name, "AFTER INSERT", rows(None, "NEW."))
    yield _trigger(connection, table.name, "AFTER DELETE", rows("OLD.", "OLD."))
    yield _trigger(connection, table.name, "AFTER UPDATE", rows("OLD.", "NEW."))
    uniques = _uniques(connection, table.name)
    if None in uniques.columns:
        for event in ("INSERT", "UPDATE"):
            yield _trigger(connection, table.name, f"BEFORE {event}", [_every_row(name)])
        return
    if not uniques.columns:
        return
    same = " OR ".join(
        "(" + " AND ".join(f"{quote(one)}=NEW.{quote(one)}" for one in unique or ()) + ")"
        for unique in uniques.columns
    )
    other = f"{uniques.rowid}<>OLD.{uniques.rowid} AND" if uniques.rowid else ""
    keys = {column for unique in uniques.columns for column in unique or ()}.union(_ROWID)
    of = "" if uniques.are_generated else f" OF {','.join(map(quote, sorted(keys)))}"
    for moment, others in (
        ("BEFORE INSERT", f"WHERE {same}"),
        (f"BEFORE UPDATE{of}", f"WHERE {other}({same})"),
    ):
        lines = [f"{line} FROM {own} {others}" for line in rows("", "")]
        yield _trigger(connection, table.name, moment, lines)


def _text(*parts: str) -> str:
    """A key, or a part of one, as a literal."""
    return "'" + SEPARATOR.join(parts).replace("'", "''") + "'"


def _every_row(name: str) -> str:
    """The statement that says of a table that every row is written, and leaves the line open."""
    any_ = _text(name, ANY)
    return (
        f"INSERT INTO {LOG}(key)SELECT * FROM (VALUES({_text(name)}),({any_}))"
        f"WHERE (SELECT key FROM {LOG} ORDER BY id DESC LIMIT 1)IS NOT {any_}"
    )


def _rows(
    connection: BaseDatabaseWrapper, name: str, table: Table, old: str | None, new: str | None
) -> list[str]:
    """Statements that say of a row what it was (`old`) and is (`new`), each the beginning of its
    columns' names; ``None`` for a row that was not there."""
    told = [
        ",".join([_text(at), *(_canonical(connection, row, column) for row in (old, new))])
        for at, column in sorted(table.narrowing.items())
    ]
    places = range(0, len(told) or 1, COLUMNS_AT_ONCE)
    return [
        f"INSERT INTO {ROWS} SELECT {_text(name)},"
        + ",".join(
            told[at : at + COLUMNS_AT_ONCE]
            + ["NULL,NULL,NULL"] * (COLUMNS_AT_ONCE - len(told[at : at + COLUMNS_AT_ONCE]))
        )
        for at in places
    ]


def _canonical(connection: BaseDatabaseWrapper, row: str | None, column: Column) -> str:
    """The value in the form of :meth:`~notmodified.sql.values.Kind.canonical`."""
    if row is None:
        return "NULL"
    value = f"{row}{connection.ops.quote_name(column.name)}"
    if column.kind is Kind.UUID:
        return f"lower(replace({value},'-',''))"
    return f"substr({value},1,{MOST_TEXT})" if column.kind is Kind.TEXT else value


def _trigger(
    connection: BaseDatabaseWrapper, table: str, moment: str, statements: Iterable[str]
) -> Trigger:
    body = ";".join(statements)
    definition = f"{moment} ON {connection.ops.quote_name(table)} BEGIN {body};END"
    name = LOG_PREFIX + trigger_name(table, definition).rpartition("_")[2]
    create = f"CREATE TRIGGER {connection.ops.quote_name(name)} {definition}"
    return Trigger(table, name, (create,), drop(connection, table, name))


class _Uniques(NamedTuple):
    """What may displace rows of a table: the columns of each unique index, ``None`` for one that is
    not over whole columns; the name of the rowid, if a column has not taken it; whether any of the
    columns is generated."""

    columns: list[list[str] | None]
    rowid: str | None
    are_generated: bool


def _uniques(connection: BaseDatabaseWrapper, name: str) -> _Uniques:
    with connection.cursor() as cursor:

        def rows(pragma: str, of: str) -> list[Any]:
            cursor.execute(f"SELECT * FROM pragma_{pragma}(%s)", [of])
            return list(cursor.fetchall())

        columns = rows("table_xinfo", name)
        cursor.execute("SELECT wr FROM pragma_table_list WHERE lower(name) = lower(%s)", [name])
        if any(without_rowid for (without_rowid,) in cursor.fetchall()):
            raise UncoveredTableError("it is WITHOUT ROWID")
        taken = {row[1].lower() for row in columns}
        rowid = next((one for one in _ROWID if one not in taken), None)
        key = [row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5]]
        found: list[list[str] | None] = [key] if key else []
        indexes = rows("index_list", name)
        # A key without an index of its own is the rowid; beside any other that may be given too.
        if rowid is not None and (not key or any(row[3] == "pk" for row in indexes)):
            found.append([rowid])
        for _, index, unique, _, partial, *_ in indexes:
            if not unique:
                continue
            parts = [row for row in rows("index_xinfo", index) if row[5]]
            # Another collation calls equal what the column tells apart.
            strange = any(row[2] is None or row[4] != "BINARY" for row in parts)
            found.append(None if partial or strange else [row[2] for row in parts])
    generated = {row[1] for row in columns if row[6] in (2, 3)}
    return _Uniques(
        [unique for number, unique in enumerate(found) if unique not in found[:number]],
        rowid,
        any(generated.intersection(unique or ()) for unique in found),
    )
