"""SQL text → plan of what the statement reads, once per text.

Rules of this module:

- A plan says for each alias of a table which of its rows can count (``facts``), and is filled in
  from the parameters of each execution.
- What a plan reads is found by walking the statement's tree (``analysis``). One that is not
  provable has a plan that says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sqlglot
from sqlglot import exp

from notmodified.causes import Cause
from notmodified.reads.analysis import Analysis, Catalogue, NotProvableError, Read, WritesError
from notmodified.reads.functions import clock, is_clock
from notmodified.reads.names import refuse_ambiguous_names
from notmodified.reads.now import DatabaseNow, Now, NowText, now_in, plain
from notmodified.sql.dependencies import ANY, SHAPE, Dependency
from notmodified.sql.schema import Schema
from notmodified.sql.text import (
    DIALECTS,
    HIDES,
    LOST,
    Operand,
    Parameters,
    filled,
    numbered,
    without_front,
)
from notmodified.sql.values import Kind

MOST_TEXTS: Final = 4096
"""How many plans are kept; the least recently used goes first."""

_QUERY: Final = re.compile(r"\(*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_WRITE: Final = re.compile(r"(?:INSERT|UPDATE|DELETE|REPLACE|MERGE)\b", re.IGNORECASE)
_CONTROL: Final = re.compile(
    r"(?:SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START\s+TRANSACTION|COMMIT)\b[^;]*;?\s*\Z", re.IGNORECASE
)


Clock = Callable[[str], DatabaseNow]
"""Asks the database for the time that an expression gives, before a statement that holds it."""


def is_query(sql: str) -> bool:
    """Whether `sql` asks for rows, as far as its first word says."""
    return _QUERY.match(without_front(sql)) is not None


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


class Compared(NamedTuple):
    """A column that a parameter is compared with, for the rows of which one of some columns has the
    value of its operand; ``None`` for all of them. `sql` asks for the next
    value that is not less."""

    parameter: int
    sql: str
    narrowed: tuple[Operand, ...] | None


class Turn(NamedTuple):
    """What is to be asked for the moment at which a comparison with now may turn out otherwise:
    the least value of a column that is not less."""

    sql: str
    parameters: tuple[Any, ...]
    now: Now | DatabaseNow


class Found(NamedTuple):
    """What the result of a statement depends on: some keys; others, for each row that is fetched;
    and the time, until the first of some turns."""

    keys: set[str]
    by_rows: Sequence[Fetched]
    turns: Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement reads: some keys whatever its parameters are, others by these, others by the
    rows that are fetched. `compared` are the parameters that may be the time. `clocks` are the
    texts by which it asks the database for the time: they count as so many parameters more, after
    the `placeholders`. `reason` and `cause` say why that is not provable; `writes`, that it writes,
    or may do so."""

    keys: frozenset[str] = frozenset()
    by_parameters: tuple[Alternatives, ...] = ()
    by_rows: tuple[Fetched, ...] = ()
    compared: tuple[Compared, ...] = ()
    placeholders: int = 0
    clocks: tuple[str, ...] = ()
    reason: str | None = None
    writes: bool = False
    cause: Cause = Cause.QUERY


class Planner:
    """Makes the plans of one database, of which ``Catalogue`` says what is known."""

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
        self._catalogue = Catalogue(
            self._language, schema, uncovered or {}, views or {}, policies or {}
        )
        self.plan = lru_cache(maxsize=MOST_TEXTS)(self._plan)

    def read(self, sql: str, parameters: Parameters, asked: Clock | None = None) -> Found:
        """What the result of `sql` with `parameters` depends on; `asked` tells the time by that of
        the database. Raises NotProvableError, and WritesError for what writes or may do so."""
        plan = self.plan(sql, parameters is not None)
        if not isinstance(parameters, Sequence):
            parameters = None
        if plan.writes:
            raise WritesError(plan.reason or f"a write: {sql[:60]}")
        if plan.reason is not None:
            raise NotProvableError(plan.reason, plan.cause)
        if parameters and any(map(_tells_time, parameters)):
            raise NotProvableError("the time, as a text", Cause.TIME)
        if plan.clocks:
            if asked is None or len(parameters or ()) != plan.placeholders:
                raise NotProvableError("the time of the database", Cause.TIME)
            parameters = [*(parameters or ()), *map(asked, plan.clocks)]
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
        turns: tuple[Turn, ...] = ()
        if parameters and any(isinstance(one, Now | NowText | DatabaseNow) for one in parameters):
            turns = _turns(plan, parameters, as_texts=self._language != "postgres")
        return Found(found, plan.by_rows, turns)

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
        by_parameters, by_rows, compared = [], [], []
        for read in reads:
            table, by_keys, row = read.table, read.keys, read.row
            compared += [self._compared(read, column, at) for column, at in read.compared]
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
        return Plan(frozenset(keys), tuple(by_parameters), tuple(by_rows), tuple(compared))

    def _compared(self, read: Read, column: str, parameter: int) -> Compared:
        table, by_keys = self._schema[read.table], read.keys
        # With its table, or SQLite takes a name that it does not know for a text.
        name = f"{self._quoted(table.name)}.{self._quoted(column)}"
        sql = f"SELECT MIN({name}) FROM {self._quoted(table.name)} WHERE {name} >= %s"
        if not by_keys:
            return Compared(parameter, sql, None)
        narrowed = " OR ".join(
            f"{self._quoted(table.narrowing[at].name)} = %s" for at, _ in by_keys
        )
        return Compared(parameter, f"{sql} AND ({narrowed})", tuple(one for _, one in by_keys))

    def _quoted(self, name: str) -> str:
        quote = "`" if self._language == "mysql" else '"'
        return quote + name.replace(quote, quote * 2).replace("%", "%%") + quote

    def _plan(self, sql: str, formatted: bool = True) -> Plan:
        sql = without_front(sql)
        if _CONTROL.match(sql):
            return Plan()
        if _WRITE.match(sql):
            return Plan(writes=True)
        text = None
        # MariaDB's texts may hold quotes behind backslashes, so that nobody knows where they end.
        ends_are_known = not (formatted and self._language == "mysql" and "\\" in sql)
        if _QUERY.match(sql) and not HIDES.search(sql) and ends_are_known:
            text = numbered(sql, formatted=formatted)
        if text is None:
            return Plan(reason=f"a statement of this kind: {sql[:40]}", writes=True)
        try:
            [tree] = sqlglot.parse(text, dialect=self._language)
            if not isinstance(tree, exp.Query):
                raise NotProvableError(f"a statement of this kind: {sql[:40]}")
            refuse_ambiguous_names(tree, self._schema, self._language)
            placeholders = _placeholders_in(tree, sql if formatted else "")
            clocks = self._without_clocks(tree, placeholders)
            analysis = Analysis(self._catalogue)
            analysis.query(tree, frozenset(), {}, outermost=True)
        except NotProvableError as error:
            return Plan(reason=str(error), writes=isinstance(error, WritesError), cause=error.cause)
        except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
            return Plan(reason=f"SQL that is not understood: {sql[:40]}", writes=True)
        return replace(
            self._compiled(analysis.reads), placeholders=placeholders, clocks=tuple(clocks)
        )

    def _without_clocks(self, tree: Any, placeholders: int) -> list[str]:
        """Put a placeholder more in the place of each function that tells the time; their texts."""
        found = [(node, clock(node, self._language)) for node in tree.walk()]
        texts: list[str] = []
        for node, text in found:
            if text is not None:
                node.replace(exp.Placeholder(this=f"p{placeholders + len(texts)}"))
                texts.append(text)
        return texts


def _tells_time(value: Any) -> bool:
    """Whether a parameter is a text that the database may read as the time it is, or holds one."""
    if isinstance(value, list | tuple):
        return any(map(_tells_time, value))
    return is_clock(value)


def _placeholders_in(tree: Any, sql: str) -> int:
    """How many there are. Raises NotProvableError if there are others than ``%s``."""
    names = [str(one.this) for one in tree.find_all(exp.Placeholder)]
    if not {f"p{number}" for number in range(len(names))}.issuperset(names) or _OURS.search(sql):
        raise NotProvableError("placeholders that are not Django's")
    if names and not sql:
        raise NotProvableError("placeholders without parameters")
    return len(names)


_OURS: Final = re.compile(r":p\d")
"""What stands for a placeholder while a text is understood (``sql.text``)."""


def _turns(plan: Plan, parameters: Sequence[Any], *, as_texts: bool) -> tuple[Turn, ...]:
    """When what `plan` compares with the time may turn out otherwise. Raises NotProvableError where
    the time is used otherwise."""
    found = []
    for index, parameter in enumerate(parameters):
        now = now_in(parameter)
        if now is None:
            continue
        if isinstance(parameter, Now) and as_texts:
            raise NotProvableError("the time, as a driver writes it", Cause.TIME)
        compared = [one for one in plan.compared if one.parameter == index]
        if not compared:
            raise NotProvableError(
                "the time, in a query that does more than compare it", Cause.TIME
            )
        for one in compared:
            values = [plain(parameter)]
            for operand in one.narrowed or ():
                value = filled(operand, parameters)
                if value is LOST:
                    raise NotProvableError("the time, beside a value that nobody knows", Cause.TIME)
                values.append(plain(value))
            found.append(Turn(one.sql, tuple(values), now))
    return tuple(found)
