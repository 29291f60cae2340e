"""Names in a statement that may mean something else than they seem to.

Rules of this module:

- Elsewhere in this package names are compared without regard to capitals, as SQLite does. Where the
  database tells two apart that differ by nothing else, the statement is not understood.
- PostgreSQL reads ``b.total`` as the function ``total(b)`` where the table has no such column, and
  the name of a table as its whole row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from notmodified.reads.analysis import NotProvableError
from notmodified.sql.schema import Schema


def refuse_ambiguous_names(tree: Any, schema: Schema, language: str | None) -> None:
    """Raises NotProvableError."""
    if language == "sqlite":
        return
    folds = language == "postgres"  # what is not quoted
    spelt: dict[str, str] = {}
    for one in _qualifiers(tree):
        name = one.name.lower() if folds and not one.quoted else one.name
        if spelt.setdefault(name.lower(), name) != name:
            raise NotProvableError(f"names that differ by capitals only: {name}")
    if language == "postgres":
        _refuse_functions(tree, schema)


def _qualifiers(tree: Any) -> Iterator[exp.Identifier]:
    """The names by which tables are known."""
    for node in tree.find_all(exp.Table, exp.Subquery, exp.CTE):
        alias = node.args.get("alias")
        name = alias.this if alias is not None else node.this
        if isinstance(name, exp.Identifier):
            yield name
    for column in tree.find_all(exp.Column):
        if isinstance(column.args.get("table"), exp.Identifier):
            yield column.args["table"]


def _refuse_functions(tree: Any, schema: Schema) -> None:
    if tree.find(exp.Dot):
        raise NotProvableError("a part of a row")
    columns: dict[str, set[str]] = {}
    others = {node.alias for node in tree.find_all(exp.Subquery, exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name.lower() in schema and table.name not in others:
            shape = schema[table.name.lower()]
            columns.setdefault(table.alias_or_name, set()).update(shape.columns)
            _refuse_other_spellings(tree, shape.narrowing.values())
        else:
            others.add(table.alias_or_name)
    for column in tree.find_all(exp.Column):
        known = columns.get(column.table)
        if column.table and column.table not in others and known is not None:
            if not isinstance(column.this, exp.Star) and column.name.lower() not in known:
                raise NotProvableError(f"{column.table}.{column.name}, which no model knows")
        elif not column.table and (column.name in columns or column.name in others):
            raise NotProvableError(f"the whole row of {column.name}")


def _refuse_other_spellings(tree: Any, narrowing: Any) -> None:
    names = {one.name.lower(): one.name for one in narrowing}
    for identifier in tree.find_all(exp.Identifier):
        meant = names.get(identifier.name.lower())
        if identifier.quoted and meant is not None and identifier.name not in (meant, "*"):
            raise NotProvableError(f"a column {identifier.name} beside {meant}")
