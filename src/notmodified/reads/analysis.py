"""The tree of a statement → the rows that count of each table it names.

Rules of this module:

- What is not understood makes the statement unprovable: each kind of node has its understood parts.
- A statement whose result depends on anything but rows (the clock, a random number, a function that
  nobody knows) is *not provable*.
- A table that the schema does not know is not covered by anything that would tell of its changes.
- A view is the query that it stands for. Where a table shows its rows by policies, what these ask
  counts too; who asks does not, for that is the same as long as the connection is (see
  ``settings_of_connections``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlglot
from sqlglot import exp

from notmodified.causes import Cause
from notmodified.reads.facts import Facts, Keys, Reference, Source, Values
from notmodified.reads.fetched import ByRow, by_row
from notmodified.reads.functions import impure, is_clock
from notmodified.sql.schema import Schema
from notmodified.sql.text import HIDES, Parameter, operand_of

_SELECT_PARTS: Final = frozenset(
    {
        *("expressions", "from_", "joins", "where", "group", "having", "order", "limit"),
        *("offset", "distinct", "with_", "windows", "locks"),
    }
)
_PARTS: Final[dict[type[exp.Expression], frozenset[str]]] = {
    exp.Select: _SELECT_PARTS,
    exp.SetOperation: frozenset(
        {"this", "expression", "distinct", "by_name", "with_", "order", "limit", "offset"}
    ),
    exp.Subquery: frozenset({"this", "alias", "with_", "order", "limit", "offset"}),
    exp.Table: frozenset({"this", "alias"}),
    exp.Join: frozenset({"this", "on", "side", "kind"}),
    exp.CTE: frozenset({"this", "alias", "materialized"}),
    exp.With: frozenset({"expressions", "recursive"}),
}
"""The parts of each kind of node that are understood; any other makes the statement unprovable."""


class NotProvableError(Exception):
    """The statement's result depends on something that no ledger tells of."""

    cause = Cause.QUERY

    def __init__(self, detail: str, cause: Cause | None = None) -> None:
        super().__init__(detail)
        self.cause = cause or self.cause


class WritesError(NotProvableError):
    """The statement writes, or may do so."""

    cause = Cause.WRITE


class Compared(NamedTuple):
    """A column that a parameter is compared with, and with nothing else: which is greater, or
    whether they are equal, is all that counts of it."""

    column: str
    parameter: int


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one alias that count: those in a disjunction of keys, or those that are fetched,
    or all of the table's."""

    table: str
    keys: Keys | None
    row: ByRow | None = None
    compared: tuple[Compared, ...] = ()


class Catalogue(NamedTuple):
    """What is known of a database.

    `uncovered` are tables that are there, and of whose changes nothing tells, with the reason.
    `views` are the queries of views. `policies` are the conditions by which tables show their rows.
    """

    language: str | None
    schema: Schema
    uncovered: Mapping[str, str]
    views: Mapping[str, str]
    policies: Mapping[str, Sequence[str]]


class Analysis:
    """One walk through one statement."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.reads: list[Read] = []

    def query(
        self,
        node: Any,
        names: frozenset[str],
        around: Mapping[Reference, Values],
        *,
        outermost: bool = False,
    ) -> None:
        """A SELECT, a set operation, VALUES, or one of these in brackets.

        `names` are the common table expressions in sight; `outermost` says that its rows are the
        result.
        """
        if not isinstance(node, exp.Query):
            raise WritesError(f"{node.key} where a query was expected")
        self._refuse_other_parts(node)
        with_ = node.args.get("with_")
        if with_ is not None:
            self._refuse_other_parts(with_)
            if with_.args.get("recursive"):
                names |= {_name(one) for one in with_.expressions}
            for one in with_.expressions:
                self._refuse_other_parts(one)
                self.query(one.this, names, {})
                names |= {_name(one)}
        if isinstance(node, exp.Select):
            self._select(node, names, around, outermost)
            return
        for key, part in _parts(node):
            if key != "with_":
                self._inside(part, names, around)

    def _inside(
        self, node: exp.Expression, names: frozenset[str], around: Mapping[Reference, Values]
    ) -> None:
        """An expression, which may hold queries."""
        if isinstance(node, exp.Query):
            self.query(node, names, around)
            return
        if isinstance(node, exp.Table | exp.Into | exp.DML):
            raise WritesError(f"{node.key} where none was expected")
        name = impure(node)
        if name is not None:
            raise NotProvableError(f"the function {name}()")
        if isinstance(node, exp.Literal) and is_clock(node.this):
            raise NotProvableError(f"the time, as {node.this!r}", Cause.TIME)
        _refuse_what_nobody_knows(node)
        for _, part in _parts(node):
            self._inside(part, names, around)

    def _select(
        self,
        node: exp.Select,
        names: frozenset[str],
        around: Mapping[Reference, Values],
        outermost: bool,
    ) -> None:
        sources = {source.alias: source for source in self._sources(node, names, around)}
        where = node.args.get("where")
        condition = where.this if where is not None else None
        facts = Facts(sources, around)
        facts.learn(condition)
        rows = by_row(node, sources) if outermost else {}
        found = _compared(node, sources)
        for source in sources.values():
            if source.table is not None:
                keys = facts.keys(source, condition)
                compared = tuple(found.get(source.alias, ()))
                self.reads.append(Read(source.table, keys, rows.get(source.alias), compared))
        inner = facts.for_inner()
        for key, part in _parts(node):
            if key not in ("from_", "joins", "with_"):
                self._inside(part, names, inner)
        for source in sources.values():
            if source.on is not None:
                self._inside(source.on, names, inner)

    def _sources(
        self, node: exp.Select, names: frozenset[str], around: Mapping[Reference, Values]
    ) -> list[Source]:
        found = []
        from_ = node.args.get("from_")
        joins = list(node.args.get("joins") or ())
        if from_ is not None:
            first, inside = _without_brackets(from_.this)
            found.append(self._source(first, names))
            joins = [*inside, *joins]
        for join in joins:
            self._refuse_other_parts(join)
            source = self._source(join.this, names)
            side = str(join.args.get("side") or "").upper()
            kind = str(join.args.get("kind") or "").upper()
            if side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER", "CROSS"):
                raise NotProvableError(f"a {side} {kind} JOIN")
            source.outer = side == "LEFT"
            source.on = join.args.get("on")
            found.append(source)
        if len({source.alias for source in found}) != len(found):
            raise NotProvableError("one alias for two tables")
        return found

    def _source(self, node: Any, names: frozenset[str]) -> Source:
        self._refuse_other_parts(node)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            alias = node.alias_or_name.lower()
            table = node.name.lower()
            if table in names:
                return Source(alias, None, None)
            if table in self._catalogue.views:
                self._view(self._catalogue.views[table])
                return Source(alias, None, None)
            shape = self._catalogue.schema.get(table)
            if shape is None:
                reason = self._catalogue.uncovered.get(table)
                raise NotProvableError(
                    reason or f"the table {table}, which no model stands for", Cause.UNCOVERED
                )
            if node.args.get("alias") and node.args["alias"].columns:
                raise NotProvableError("columns with other names")
            for policy in self._catalogue.policies.get(table, ()):
                self._policy(policy)
            return Source(alias, table, shape)
        if isinstance(node, exp.Subquery):
            self.query(node, names, {})
            return Source(node.alias.lower(), None, None)
        raise NotProvableError(f"{node.key} in FROM")

    def _view(self, text: str) -> None:
        tree = self._parsed(text)
        self.query(tree.expression if isinstance(tree, exp.Create) else tree, frozenset(), {})

    def _policy(self, text: str) -> None:
        tree = self._parsed(f"SELECT {text}")
        for node in list(tree.find_all(exp.CurrentUser, exp.SessionUser)):
            node.replace(exp.Literal.string("who asks"))
        for condition in tree.expressions:
            self._inside(condition, frozenset(), {})

    def _parsed(self, text: str) -> Any:
        if HIDES.search(text):
            raise NotProvableError("a view that is written in another notation")
        [tree] = sqlglot.parse(text, dialect=self._catalogue.language)
        if tree is None:
            raise NotProvableError("a view whose query we may not see")
        return tree

    @staticmethod
    def _refuse_other_parts(node: Any) -> None:
        for kind, understood in _PARTS.items():
            if isinstance(node, kind):
                strange = {key for key, value in node.args.items() if value} - understood
                if strange:
                    raise NotProvableError(f"{node.key} with {', '.join(sorted(strange))}")


def _without_brackets(node: Any) -> tuple[Any, list[Any]]:
    """What stands first in FROM, and the joins that share its brackets, which change nothing:
    ``(a JOIN b) JOIN c``, as databases write down views."""
    joins = node.args.get("joins") or []
    node.set("joins", None)
    held = node.this
    if isinstance(node, exp.Subquery) and isinstance(held, exp.Table | exp.Subquery):
        if node.alias:
            raise NotProvableError("a name for joined tables")
        first, inside = _without_brackets(held)
        return first, [*inside, *joins]
    return node, joins


_COMPARISONS: Final = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.EQ, exp.NEQ)


def _compared(node: exp.Select, sources: Mapping[str, Source]) -> dict[str, list[Compared]]:
    """The columns that parameters are compared with, by alias: what they are compared with in the
    queries inside is their own."""
    found: dict[str, list[Compared]] = {}
    named = {one.alias.lower() for one in node.expressions if isinstance(one, exp.Alias)}
    parts = [part for key, part in _parts(node) if key not in ("from_", "joins", "with_")]
    parts += [source.on for source in sources.values() if source.on is not None]
    while parts:
        part = parts.pop()
        if isinstance(part, exp.Query):
            continue
        for one, other in _sides(part):
            at, operand = _column_of(one, sources), operand_of(other)
            if isinstance(one, exp.Column) and not one.table and one.name.lower() in named:
                at = None  # in HAVING it may be what is selected under that name
            if at is not None and isinstance(operand, Parameter):
                found.setdefault(at[0], []).append(Compared(at[1], operand.index))
        parts += [inner for _, inner in _parts(part)]
    return found


def _sides(node: exp.Expression) -> Iterator[tuple[Any, Any]]:
    """What `node` compares with what, each way round."""
    pairs = []
    if isinstance(node, _COMPARISONS):
        pairs = [(node.this, node.expression)]
    elif isinstance(node, exp.Between):
        pairs = [(node.this, node.args["low"]), (node.this, node.args["high"])]
        ends = [end.unnest() for _, end in pairs]
        if not (
            isinstance(node.this.unnest(), exp.Column)
            or all(isinstance(end, exp.Column) for end in ends)
        ):
            pairs = []  # with one of them it is compared otherwise
    for one, other in pairs:
        yield one.unnest(), other.unnest()
        yield other.unnest(), one.unnest()


def _column_of(node: Any, sources: Mapping[str, Source]) -> tuple[str, str] | None:
    """The alias and the column that an expression is, if it is nothing more and of this SELECT."""
    if not isinstance(node, exp.Column):
        return None
    if node.table:
        alias = node.table.lower()
    elif len(sources) == 1:
        alias = next(iter(sources))
    else:
        return None
    return (alias, node.name) if alias in sources else None


def _name(common_table: Any) -> str:
    """The name of a common table expression. Where case tells names apart, it might not be the one
    that is meant."""
    name = str(common_table.alias)
    if name != name.lower():
        raise NotProvableError("a common table expression with capital letters")
    return name


def _parts(node: Any) -> Iterable[tuple[str, exp.Expression]]:
    for key, value in node.args.items():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Expression):
                yield key, part


_WORDS: Final = frozenset(
    {
        *("current_catalog", "current_role", "current_schema", "current_user", "localtime"),
        *("localtimestamp", "session_user", "sysdate", "user", "utc_date", "utc_time"),
        "utc_timestamp",
    }
)
"""Words that look like columns, and stand for the time or for who asks."""


def _refuse_what_nobody_knows(node: exp.Expression) -> None:
    """Expressions whose value is not that of rows, though no function is called."""
    if isinstance(node, exp.Parameter | exp.SessionParameter):
        raise NotProvableError("a variable of the session")
    if isinstance(node, exp.UnicodeString | exp.ByteString | exp.RawString):
        raise NotProvableError("a text in another notation")
    if isinstance(node, exp.In) and node.args.get("field"):
        raise NotProvableError("IN with a table")
    if isinstance(node, exp.Lock) and node.args.get("wait") is not None:
        raise NotProvableError("the locks of others")
    if isinstance(node, exp.Column) and not node.table and node.name.lower() in _WORDS:
        raise NotProvableError(f"the word {node.name}")
