"""The tables that plans and triggers know, and the columns that may narrow a dependency.

Rules of this module:

- Only keys and indexed columns narrow, which bounds what a write has to say.
- Names are compared in lower case. Where a database tells names apart by case, that only widens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db import models

from notmodified.sql.values import Kind


@dataclass(frozen=True, slots=True)
class Column:
    """A narrowing column, by the name that the database has for it. `unique` columns narrow best:
    one value, one row."""

    name: str
    kind: Kind
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table, by the name that the database has for it: all its columns, and those that narrow.

    `above` are the tables that show its rows too, `below` those whose rows it shows (partitions,
    inheritance). `is_part` says that it is known for the sake of another only.
    """

    name: str
    columns: frozenset[str]
    narrowing: Mapping[str, Column]
    above: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()
    is_part: bool = False


Schema = Mapping[str, Table]
"""Tables by name, in lower case."""


def schema_of(models_: Iterable[type[models.Model]], *, texts: bool = False) -> dict[str, Table]:
    """The tables of Django models. Several models may share one. `texts` says that the database
    compares texts byte by byte."""
    found: dict[str, Table] = {}
    for model in models_:
        fields = model._meta.local_concrete_fields
        columns = {str(field.column).lower() for field in fields}
        narrowing = {
            str(field.column).lower(): Column(str(field.column), kind, field.unique)
            for field in fields
            if (kind := Kind.of(field, texts=texts)) is not None and _is_indexed(field)
        }
        name = model._meta.db_table.lower()
        known = found.get(name)
        if known is not None:
            columns |= known.columns
            narrowing = {**known.narrowing, **narrowing}
        found[name] = Table(model._meta.db_table, frozenset(columns), narrowing)
    return found


def as_stored(
    schema: Schema,
    texts: Collection[tuple[str, str]],
    others: Collection[tuple[str, str]] = (),
) -> dict[str, Table]:
    """`schema`, where of the columns of text only those narrow that are among `texts`, and of the
    columns of integers only those that are not among `others`."""

    def narrows(name: str, at: str, kind: Kind) -> bool:
        if kind is Kind.TEXT:
            return (name, at) in texts
        return kind is not Kind.INTEGER or (name, at) not in others

    return {
        name: replace(
            table,
            narrowing={
                at: column
                for at, column in table.narrowing.items()
                if narrows(name, at, column.kind)
            },
        )
        for name, table in schema.items()
    }


class Kin(Protocol):
    """What the database says of one table: see :class:`Table`."""

    @property
    def name(self) -> str: ...

    @property
    def above(self) -> frozenset[str]: ...

    @property
    def below(self) -> frozenset[str]: ...


def with_families(schema: Schema, there: Mapping[str, Kin]) -> dict[str, Table]:
    """`schema`, with the tables that show one another's rows by what is `there`, and with those
    above and below its own that it did not know."""
    found = dict(schema)
    for name in schema.keys() & there.keys():
        family = there[name].above | there[name].below
        for part in (family & there.keys()) - schema.keys():
            found[part] = Table(there[part].name, frozenset(), {}, is_part=True)
    return {
        name: replace(table, above=there[name].above, below=there[name].below)
        if name in there
        else table
        for name, table in found.items()
    }


def _is_indexed(field: Any) -> bool:
    if field.unique or field.is_relation or field.db_index:
        return True
    meta = field.model._meta
    together = [*meta.unique_together, *(index.fields for index in meta.indexes)]
    together += [getattr(constraint, "fields", ()) for constraint in meta.constraints]
    return any(field.name in [name.lstrip("-") for name in names] for names in together)
