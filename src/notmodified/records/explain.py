"""What a record depends on, in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from notmodified.records.store import Record
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE

_SHOWN = 8
"""How many values are named; the others are counted."""


class Reason(NamedTuple):
    """Something that a response depends on, what of it, and what would move the response."""

    what: str
    why: str
    moved_by: str


def explain(record: Record) -> list[Reason]:
    """What `record` depends on: tables, the rows of them that count, inputs of the request, values
    of caches, the time."""
    found = []
    for proof in record.proofs:
        tables: dict[str, list[list[str]]] = {}
        for key in proof.keys:
            table, *rest = key.split(SEPARATOR)
            tables.setdefault(table, []).append(rest)
        found += [_of_table(table, parts) for table, parts in tables.items()]
    for (kind, name), value in zip(record.inputs, record.values, strict=True):
        stated = "absent" if value is None else f"{value!r}"
        what = f"{kind} {name}".strip()
        found.append(Reason(what, f"read: {stated}", "another value has a record of its own"))
    for asked in record.cached or ():
        what = f"cache {asked.alias}:{asked.key}"
        found.append(Reason(what, "a value that was read", "another value, or none"))
    if record.between is not None:
        found.append(Reason("time", "the page shows something of it", "the moment comes"))
    if record.until is not None:
        found.append(Reason("time", "the view says for how long it is fresh", "that has passed"))
    return found


def _of_table(table: str, parts: list[list[str]]) -> Reason:
    if [] in parts:
        why = "every row: no condition on an indexed column narrows the query"
        return Reason(table, why, "any write to the table")
    rows = "; ".join(_rows(parts))
    return Reason(table, rows, "a write to one of these rows")


def _rows(parts: list[list[str]]) -> Iterator[str]:
    """The rows of one table that count."""
    if [SHAPE] in parts:
        yield "rows that come, and changes of indexed columns: it is joined"
    columns: dict[str, list[str]] = {}
    for column, *value in parts:
        if value and value[0] != ANY:
            columns.setdefault(column, []).append(value[0])
    for column, values in columns.items():
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        yield f"rows with {column} = {', '.join(values[:_SHOWN])}{more}"
