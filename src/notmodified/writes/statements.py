"""SQL text → which rows of which table the statement writes.

Rules of this module:

- A text is parsed once (sqlglot) and its plan kept; parameters are filled in per execution.
- ``AND`` can only narrow, so a condition on the primary key anywhere in a conjunction names all
  rows that can be touched. Everything else writes any row of the table.
- Names are compared in lower case, as SQLite and MySQL do; elsewhere that can only widen.
- A text that cannot be parsed, or is of a kind not known here, writes every table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlglot
from sqlglot import exp

from notmodified.sql.text import (
    DIALECTS,
    LOST,
    Operand,
    filled,
    numbered,
    operand_of,
    without_front,
)
from notmodified.writes.words import WRITE_NOTHING

_READS: Final = re.compile(
    r"\(*(?:SELECT|VALUES|SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START|COMMIT|SET|SHOW|PRAGMA|EXPLAIN"
    r"|DECLARE|FETCH|CLOSE|DESCRIBE|LOCK|ANALYZE|VACUUM|CHECKSUM)\b",
    re.IGNORECASE,
)
_PARSED: Final = re.compile(r"\(*(?:INSERT|UPDATE|DELETE|WITH|SELECT)\b", re.IGNORECASE)
_WRITING_WORDS: Final = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|TRUNCATE|INTO)\b", re.IGNORECASE
)
_READS_ALONE: Final = re.compile(
    r"\(*(?:SELECT|VALUES|WITH|SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START|COMMIT|SHOW|DESCRIBE"
    r"|CHECKSUM|SET(?!\s+STATEMENT)|DECLARE|FETCH|CLOSE|PRAGMA\s+[\w.]+(?:\s*\([^)]*\))?\s*;?\s*$)",
    re.IGNORECASE,
)
"""Statements that may be found to write nothing; all others may write, or change what there is."""
_CALLED: Final = re.compile(
    r"([^\s(),=<>+*/%|&!:\[\]-]*)\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*\(", re.DOTALL
)
"""What stands in front of each bracket."""
Assignments = tuple[tuple[str, Operand | None], ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One table that a statement writes.

    `where` holds, per column that a conjunction fixes, the values it can have: those rows only.
    `sets` are the columns written, each with its new value if the text shows one; ``None`` for
    columns that are not listed. `inserts` and `deletes` say what happens to rows as such.
    """

    table: str
    where: tuple[tuple[str, tuple[Operand, ...]], ...] = ()
    sets: tuple[Assignments, ...] | None = None
    inserts: bool = False
    deletes: bool = False

    def anywhere(self) -> Write:
        """The same write, of any row to any value."""
        return Write(self.table, inserts=self.inserts, deletes=self.deletes)

    def rows(self, column: str, parameters: Sequence[Any] | None) -> list[Any] | None:
        """The values of `column` in the rows touched; ``None`` where they can be any."""
        for name, operands in self.where:
            if name == column:
                values = [filled(operand, parameters) for operand in operands]
                return None if any(value is LOST for value in values) else values
        return None

    def new_values(self, column: str, parameters: Sequence[Any] | None) -> list[Any] | None:
        """The values that `column` is set to; empty where it is not; ``None`` if unknown."""
        if self.sets is None:
            return None
        found = []
        for assignments in self.sets:
            for name, operand in assignments:
                if name == column:
                    value = LOST if operand is None else filled(operand, parameters)
                    if value is LOST:
                        return None
                    found.append(value)
        return found


@lru_cache(maxsize=2048)
def writes_of(sql: str, vendor: str) -> tuple[Write, ...] | None:
    """What `sql` writes; ``None`` where it may write anything."""
    sql = without_front(sql)
    if _READS.match(sql) and not _WRITING_WORDS.search(sql):
        return ()
    if not _PARSED.match(sql):
        return None
    text = numbered(sql)
    if text is None:
        return None
    try:
        tree: Any = sqlglot.parse_one(text, dialect=DIALECTS.get(vendor))
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    if isinstance(tree, exp.Insert):
        return (_insert(tree),) if _is_plain(tree) else _wide(tree)
    if isinstance(tree, exp.Update):
        return (_update(tree),) if _is_plain(tree) else _wide(tree)
    if isinstance(tree, exp.Delete):
        return (_delete(tree),) if _is_plain(tree) else _wide(tree)
    if isinstance(tree, exp.Query):
        # A SELECT that only mentions a writing word, a CTE that writes, or SELECT … INTO.
        return None if tree.find(exp.Into) else _wide(tree)
    return None


@lru_cache(maxsize=2048)
def may_write(sql: str, vendor: str) -> bool:
    """Whether `sql` may write anything at all, also by a function that it calls."""
    if writes_of(sql, vendor) != () or not _READS_ALONE.match(without_front(sql)):
        return True
    if ";" in sql.rstrip("; \t\r\n"):
        return True  # several statements, of which the first is looked at
    # What a site gives to SQLite as a function has no business with its tables.
    called = {name.lower().removeprefix("pg_catalog.") for name in _CALLED.findall(sql)} - {""}
    return vendor != "sqlite" and not WRITE_NOTHING.issuperset(called)


def _is_plain(tree: exp.Expression) -> bool:
    """Whether the statement's root is all that writes, and it writes one table by its name."""
    writing = list(tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge))
    return len(writing) == 1 and not tree.args.get("tables") and _table(tree) is not None


def _wide(tree: Any) -> tuple[Write, ...] | None:
    """Any row of each table written anywhere in `tree`."""
    if tree.find(exp.Merge):
        return None
    found = []
    for node in tree.find_all(exp.Insert, exp.Update, exp.Delete):
        tables = node.args.get("tables") or [node.this]
        # UPDATE a JOIN b SET …, DELETE a, b FROM …: every table named may be meant.
        names = {
            table.name.lower()
            for part in [*tables, node]
            if part
            for table in part.find_all(exp.Table)
        }
        found += [Write(name, inserts=True, deletes=True) for name in sorted(names)]
    return tuple(found)


def _table(tree: exp.Expression) -> exp.Table | None:
    target = tree.this
    if isinstance(target, exp.Schema):
        target = target.this
    if not isinstance(target, exp.Table) or target.args.get("joins"):
        return None
    return target


def _name(tree: exp.Expression) -> str:
    table = _table(tree)
    assert table is not None  # _is_plain has seen it
    return table.name.lower()


def _insert(tree: exp.Insert) -> Write:
    table = _name(tree)
    replaces = bool(
        (tree.args.get("conflict") and tree.args["conflict"].args.get("expressions"))
        or tree.args.get("overwrite")
        or tree.args.get("alternative") == "REPLACE"
    )
    columns = (
        [c.name.lower() for c in tree.this.expressions]
        if isinstance(tree.this, exp.Schema)
        else None
    )
    source = tree.expression
    if columns is None or replaces or not isinstance(source, exp.Values):
        return Write(table, inserts=True, deletes=replaces)
    rows = []
    for row in source.expressions:
        values = row.expressions if isinstance(row, exp.Tuple) else [row]
        if len(values) != len(columns):
            return Write(table, inserts=True)
        rows.append(tuple(zip(columns, map(operand_of, values), strict=True)))
    return Write(table, sets=tuple(rows), inserts=True)


def _update(tree: exp.Update) -> Write:
    if tree.args.get("from_") or tree.args.get("from"):
        return Write(_name(tree))
    assignments = []
    for assignment in tree.expressions:
        target = assignment.this
        if not isinstance(assignment, exp.EQ) or not isinstance(target, exp.Column):
            return Write(_name(tree), _fixed(tree))
        assignments.append((target.name.lower(), operand_of(assignment.expression)))
    return Write(_name(tree), _fixed(tree), (tuple(assignments),))


def _delete(tree: exp.Delete) -> Write:
    if tree.args.get("using"):
        return Write(_name(tree), deletes=True)
    return Write(_name(tree), _fixed(tree), (), deletes=True)


def _fixed(tree: exp.Expression) -> tuple[tuple[str, tuple[Operand, ...]], ...]:
    """The columns that the WHERE clause fixes to known values in every row it lets through."""
    where = tree.args.get("where")
    if where is None:
        return ()
    fixed = []
    conjunction = where.this.unnest()
    for condition in conjunction.flatten() if isinstance(conjunction, exp.And) else [conjunction]:
        condition = condition.unnest()
        column, candidates = condition.this, None
        if isinstance(condition, exp.EQ):
            candidates = [condition.expression]
        elif isinstance(condition, exp.In) and not condition.args.get("query"):
            candidates = condition.expressions
        if not candidates or not isinstance(column, exp.Column):
            continue
        operands = [operand_of(candidate) for candidate in candidates]
        if all(operand is not None for operand in operands):
            fixed.append((column.name.lower(), tuple(o for o in operands if o is not None)))
    return tuple(fixed)
