"""What a record depends on, in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from notmodified.records.store import Record
from notmodified.sql.dependencies import ANY, SEPARATOR, SHAPE

_SHOWN = 8
"""How many values are named; the others are counted."""


class Reason(NamedTuple):
    """Something that a response depends on, and what of it."""

    what: str
    why: str


def explain(record: Record) -> list[Reason]:
    """What `record` depends on: tables, the rows of them that count, inputs of the request."""
    found = []
    for proof in record.proofs:
        tables: dict[str, list[list[str]]] = {}
        for key in proof.keys:
            table, *rest = key.split(SEPARATOR)
            tables.setdefault(table, []).append(rest)
        found += [Reason(table, "; ".join(_rows(parts))) for table, parts in tables.items()]
    for (kind, name), value in zip(record.inputs, record.values, strict=True):
        stated = "absent" if value is None else f"{value!r}"
        found.append(Reason(f"{kind} {name}", f"read by the view or before it: {stated}"))
    if record.until is not None:
        found.append(Reason("time", "the view says for how long it is fresh"))
    return found


def _rows(parts: list[list[str]]) -> Iterator[str]:
    """The rows of one table that count."""
    if [] in parts:
        yield "every row: no condition on an indexed column narrows the query"
        return
    if [SHAPE] in parts:
        yield "rows that come, and changes of indexed columns: it is joined"
    columns: dict[str, list[str]] = {}
    for column, *value in parts:
        if value and value[0] != ANY:
            columns.setdefault(column, []).append(value[0])
    for column, values in columns.items():
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        yield f"rows with {column} = {', '.join(values[:_SHOWN])}{more}"
