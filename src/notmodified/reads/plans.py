"""SQL text → plan of what the statement reads, once per text.

Rules of this module:

- A plan says for each alias of a table which of its rows can count (``facts``), and is filled in
  from the parameters of each execution.
- A statement whose result depends on anything but rows (the clock, a random number, a function that
  nobody knows) is *not provable*, and so is one that is not understood.
- A table that the schema does not know is not covered by anything that would tell of its changes.
- A view is the query that it stands for. Where a table shows its rows by policies, what these ask
  counts too; who asks does not, for that is the same as long as the connection is (see
  ``settings_of_connections``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sqlglot
from sqlglot import exp

from notmodified.reads.facts import Facts, Keys, Reference, Source, Values
from notmodified.reads.fetched import ByRow, by_row
from notmodified.reads.functions import impure, is_clock
from notmodified.sql.dependencies import ANY, SHAPE, Dependency
from notmodified.sql.schema import Schema
from notmodified.sql.text import DIALECTS, LOST, Operand, filled, numbered, without_front
from notmodified.sql.values import Kind

MOST_TEXTS: Final = 4096
"""How many plans are kept; the least recently used goes first."""

_QUERY: Final = re.compile(r"\(*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_WRITE: Final = re.compile(r"(?:INSERT|UPDATE|DELETE|REPLACE|MERGE)\b", re.IGNORECASE)
_HIDES: Final = re.compile(r"/\*M?!|\b(?:E|U&)'", re.IGNORECASE)
"""Comments that MariaDB and MySQL run, and texts whose characters are written otherwise."""
_CONTROL: Final = re.compile(
    r"(?:SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START\s+TRANSACTION|COMMIT)\b[^;]*;?\s*\Z", re.IGNORECASE
)
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


def is_query(sql: str) -> bool:
    """Whether `sql` asks for rows, as far as its first word says."""
    return _QUERY.match(without_front(sql)) is not None


class NotProvableError(Exception):
    """The statement's result depends on something that no ledger tells of."""


class WritesError(NotProvableError):
    """The statement writes, or may do so."""


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one alias that count: those in a disjunction of keys, or those that are fetched,
    or all of the table's."""

    table: str
    keys: Keys | None
    row: ByRow | None = None


class Narrowed(NamedTuple):
    """The rows of a table whose column has the value of `operand`: the beginning of their key."""

    operand: Operand
    kind: Kind
    beginning: str


class Alternatives(NamedTuple):
    """The rows of one alias that count: those of any of some values, if they all narrow, or else
    all of the table's, whose key is `whole`. `any_` is the key of all of its rows at once."""

    narrowed: tuple[Narrowed, ...]
    any_: str
    whole: str


class Fetched(NamedTuple):
    """A dependency that is known once a row is fetched: on the rows of a table whose column has the
    value that stands at `at`. Its key begins with `beginning`, that of the table is `whole`."""

    at: int
    kind: Kind
    beginning: str
    whole: str

    def key(self, value: Any) -> str | None:
        """The key that `value` shows; ``None`` where it shows no row of the table."""
        if value is None:
            return None
        text = self.kind.canonical(value)
        return self.whole if text is None else self.beginning + text


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement reads: some keys whatever its parameters are, others by these, others by the
    rows that are fetched. `reason` says why that is not provable; `writes`, that it writes, or may
    do so."""

    keys: frozenset[str] = frozenset()
    by_parameters: tuple[Alternatives, ...] = ()
    by_rows: tuple[Fetched, ...] = ()
    reason: str | None = None
    writes: bool = False


class Planner:
    """Makes the plans of one database.

    `uncovered` are tables that are there, and of whose changes nothing tells, with the reason.
    `views` are the queries of views. `policies` are the conditions by which tables show their rows.
    """

    def __init__(
        self,
        vendor: str,
        schema: Schema,
        uncovered: Mapping[str, str] | None = None,
        views: Mapping[str, str] | None = None,
        policies: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._schema = schema
        self._language = DIALECTS.get(vendor)
        self._catalogue = _Catalogue(
            self._language, schema, uncovered or {}, views or {}, policies or {}
        )
        self.plan = lru_cache(maxsize=MOST_TEXTS)(self._plan)

    def read(
        self, sql: str, parameters: Sequence[Any] | None
    ) -> tuple[set[str], Sequence[Fetched]]:
        """The keys that the result of `sql` with `parameters` depends on, and what it depends on
        besides, for each row that is fetched. Raises NotProvableError, and WritesError for what
        writes or may do so."""
        plan = self.plan(sql)
        if plan.writes:
            raise WritesError(plan.reason or f"a write: {sql[:60]}")
        if plan.reason is not None:
            raise NotProvableError(plan.reason)
        if parameters and any(isinstance(one, str) and is_clock(one) for one in parameters):
            raise NotProvableError("the time, as a text")
        found = set(plan.keys)
        for narrowed, any_, whole in plan.by_parameters:
            keys = []
            for operand, kind, beginning in narrowed:
                value = filled(operand, parameters)
                if value is None:
                    continue  # no row equals NULL
                text = None if value is LOST else kind.canonical(value)
                if text is None:
                    keys = [whole]
                    break
                keys += (beginning + text, any_)
            found.update(keys)
        return found, plan.by_rows

    def mentioned(self, text: str | None) -> set[str]:
        """The keys of the tables whose names occur in `text`, and in the views and policies that
        do: all that a statement may read which is not understood. ``None`` mentions all."""
        catalogue, found = self._catalogue, set()
        views = dict(catalogue.views)
        texts = [None if text is None else text.lower()]
        while texts:
            text = texts.pop()
            for name in catalogue.schema:
                key = Dependency(name).key
                if key not in found and (text is None or name in text):
                    found.add(key)
                    texts += [policy.lower() for policy in catalogue.policies.get(name, ())]
            for name in [name for name in views if text is None or name in text]:
                texts.append(views.pop(name).lower())
        return found

    def _compiled(self, reads: Iterable[Read]) -> Plan:
        keys: set[str] = set()
        by_parameters, by_rows = [], []
        for table, by_keys, row in ((read.table, read.keys, read.row) for read in reads):
            whole = Dependency(table).key
            narrowing = self._schema[table].narrowing
            if by_keys is not None:
                narrowed = tuple(
                    Narrowed(
                        operand,
                        narrowing[column].kind,
                        Dependency(table, column, "").key,
                    )
                    for column, operand in by_keys
                )
                by_parameters.append(Alternatives(narrowed, Dependency(table, ANY).key, whole))
            elif row is not None:
                keys.add(Dependency(table, ANY).key)
                if row.inner:
                    keys.add(Dependency(table, SHAPE).key)
                beginning = Dependency(table, row.column, "").key
                by_rows.append(Fetched(row.index, narrowing[row.column].kind, beginning, whole))
            else:
                keys.add(whole)
        return Plan(frozenset(keys), tuple(by_parameters), tuple(by_rows))

    def _plan(self, sql: str) -> Plan:
        sql = without_front(sql)
        if _CONTROL.match(sql):
            return Plan()
        if _WRITE.match(sql):
            return Plan(writes=True)
        text = numbered(sql) if _QUERY.match(sql) and not _HIDES.search(sql) else None
        if text is None:
            return Plan(reason=f"a statement of this kind: {sql[:40]}", writes=True)
        try:
            [tree] = sqlglot.parse(text, dialect=self._language)
            if not isinstance(tree, exp.Query):
                raise NotProvableError(f"a statement of this kind: {sql[:40]}")
            analysis = _Analysis(self._catalogue)
            analysis.query(tree, frozenset(), {}, outermost=True)
        except NotProvableError as error:
            return Plan(reason=str(error), writes=isinstance(error, WritesError))
        except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
            return Plan(reason=f"SQL that is not understood: {sql[:40]}", writes=True)
        return self._compiled(analysis.reads)


class _Catalogue(NamedTuple):
    """What is known of a database: see :class:`Planner`."""

    language: str | None
    schema: Schema
    uncovered: Mapping[str, str]
    views: Mapping[str, str]
    policies: Mapping[str, Sequence[str]]


class _Analysis:
    """One walk through one statement."""

    def __init__(self, catalogue: _Catalogue) -> None:
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
            raise NotProvableError(f"the time, as {node.this!r}")
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
        for source in sources.values():
            if source.table is not None:
                keys = facts.keys(source, condition)
                self.reads.append(Read(source.table, keys, rows.get(source.alias)))
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
                raise NotProvableError(reason or f"the table {table}, which no model stands for")
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
        if _HIDES.search(text):
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
