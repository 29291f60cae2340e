"""What the conditions of one SELECT say of the rows that count.

A row of a table *counts* if, without it, the result could be another one. A condition narrows an
alias if every row of it that counts satisfies the condition.

Rules of this module:

- Only equality with a known value, and IN, say anything: both reject NULL. ``AND`` says what either
  side says; ``OR`` what both sides say, each of some column; ``NOT`` nothing.
- A *strong* fact holds for every combination of rows that survives. It comes from WHERE, and from
  ON of an inner join; it crosses equalities between columns both ways.
- A *weak* fact holds for every row of a LEFT-joined alias that counts. It comes from the ON of its
  own join, and crosses the equalities in that ON towards the joined alias only: the rows on the
  preserved side survive without a partner.
- An alias with a strong fact has a partner in every combination that survives: its LEFT join is as
  good as an inner one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from notmodified.sql.schema import Column, Table
from notmodified.sql.text import Operand, operand_of

Reference = tuple[str, str]
"""An alias and a column, both in lower case."""

Node = Any
"""A node of a syntax tree; its class has had several names."""

Values = tuple[Operand, ...]
Keys = tuple[tuple[str, Operand], ...]
"""A disjunction: a row that counts has one of these values in one of these columns."""


@dataclass(slots=True)
class Source:
    """One alias in FROM. `table` is ``None`` for what is itself a query.

    `outer` says that it is LEFT-joined; `on` is the condition of its join.
    """

    alias: str
    table: str | None
    shape: Table | None
    outer: bool = False
    on: Node | None = None


@dataclass(slots=True)
class Facts:
    """The facts of one SELECT, and what follows from those of the queries around it."""

    sources: Mapping[str, Source]
    around: Mapping[Reference, Values]
    strong: dict[Reference, Values] = field(default_factory=dict)
    weak: dict[Reference, Values] = field(default_factory=dict)

    def learn(self, where: Node | None) -> None:
        """Take in the conditions, until nothing new follows from them."""
        if where is not None:
            self._note(self.strong, self._stated(where))
        size = -1
        while size != len(self.strong) + len(self.weak):
            size = len(self.strong) + len(self.weak)
            if where is not None:
                self._cross(where)
            for source in self.sources.values():
                if source.on is not None:
                    self._join(source, source.on)

    def _join(self, source: Source, on: Node) -> None:
        if not source.outer or any(alias == source.alias for alias, _ in self.strong):
            self._note(self.strong, self._stated(on))
            self._cross(on)
            return
        stated = self._stated(on)
        self._note(self.weak, {at: found for at, found in stated.items() if at[0] == source.alias})
        for one, other in self._equalities(on):
            for here, there in ((one, other), (other, one)):
                if here[0] == source.alias and there[0] != source.alias:
                    values = self.strong.get(there) or self.weak.get(there) or stated.get(there)
                    if values is not None:
                        self.weak.setdefault(here, values)

    def _cross(self, condition: Node) -> None:
        for one, other in self._equalities(condition):
            for here, there in ((one, other), (other, one)):
                if there in self.strong:
                    self.strong.setdefault(here, self.strong[there])

    @staticmethod
    def _note(into: dict[Reference, Values], found: Mapping[Reference, Values]) -> None:
        for at, values in found.items():
            if at not in into or len(values) < len(into[at]):
                into[at] = values

    def keys(self, source: Source, where: Node | None) -> Keys | None:
        """The best disjunction that narrows `source`; ``None`` where nothing does."""
        candidates = [
            tuple((column, value) for value in values)
            for facts in (self.strong, self.weak)
            for (alias, column), values in facts.items()
            if alias == source.alias
        ]
        if where is not None:
            alternatives = self._alternatives(where, source)
            if alternatives is not None:
                candidates.append(alternatives)
        return min(candidates, key=lambda keys: _cost(keys, source), default=None)

    def _stated(self, condition: Node) -> dict[Reference, Values]:
        """The columns that `condition` fixes, each to a few values."""
        condition = condition.unnest()
        if isinstance(condition, exp.And):
            found = self._stated(condition.this)
            self._note(found, self._stated(condition.expression))
            return found
        if isinstance(condition, exp.Or):
            one, other = self._stated(condition.this), self._stated(condition.expression)
            return {at: one[at] + other[at] for at in one.keys() & other.keys()}
        equality = self._equality(condition)
        return {} if equality is None else dict([equality])

    def _alternatives(self, condition: Node, source: Source) -> Keys | None:
        """The same for one alias, where each side of an OR may fix another column."""
        condition = condition.unnest()
        if isinstance(condition, exp.And | exp.Or):
            one = self._alternatives(condition.this, source)
            other = self._alternatives(condition.expression, source)
            if isinstance(condition, exp.Or):
                return None if one is None or other is None else one + other
            if one is None or other is None:
                return one or other
            return min(one, other, key=lambda keys: _cost(keys, source))
        equality = self._equality(condition)
        if equality is None or equality[0][0] != source.alias:
            return None
        (_, column), values = equality
        return tuple((column, value) for value in values)

    def _equality(self, condition: Node) -> tuple[Reference, Values] | None:
        if isinstance(condition, exp.EQ):
            for one, other in (
                (condition.this, condition.expression),
                (condition.expression, condition.this),
            ):
                at = self._reference(one)
                if at is None:
                    continue
                operand = operand_of(other.unnest())
                if operand is not None:
                    return at, (operand,)
                values = self._from_around(other, self._narrowing(at))
                if values is not None:
                    return at, values
        elif isinstance(condition, exp.In) and condition.expressions:
            at = self._reference(condition.this)
            operands = [operand_of(one.unnest()) for one in condition.expressions]
            if at is not None and not condition.args.get("query") and None not in operands:
                return at, tuple(operand for operand in operands if operand is not None)
        return None

    def _from_around(self, node: Node, column: Column) -> Values | None:
        """The values of a column of a query around this one."""
        node = node.unnest()
        if not isinstance(node, exp.Column) or not node.table:
            return None
        alias = node.table.lower()
        if alias in self.sources:
            return None
        return self.around.get((alias, f"{node.name.lower()}:{column.kind.value}"))

    def _equalities(self, condition: Node) -> Iterator[tuple[Reference, Reference]]:
        """Pairs of columns of one kind that a conjunction holds equal."""
        condition = condition.unnest()
        if isinstance(condition, exp.And):
            yield from self._equalities(condition.this)
            yield from self._equalities(condition.expression)
        elif isinstance(condition, exp.EQ):
            one, other = self._reference(condition.this), self._reference(condition.expression)
            if (
                one is not None
                and other is not None
                and self._narrowing(one).kind is self._narrowing(other).kind
            ):
                yield one, other

    def _narrowing(self, at: Reference) -> Column:
        shape = self.sources[at[0]].shape
        assert shape is not None  # `_reference` has seen to it
        return shape.narrowing[at[1]]

    def _reference(self, node: Node) -> Reference | None:
        """The narrowing column of one of the sources that `node` is."""
        node = node.unnest()
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return None
        column = node.name.lower()
        if node.table:
            alias = node.table.lower()
        elif len(self.sources) == 1:
            [alias] = self.sources
        else:
            return None
        source = self.sources.get(alias)
        if source is None or source.shape is None or column not in source.shape.narrowing:
            return None
        return alias, column

    def for_inner(self) -> dict[Reference, Values]:
        """What queries inside this one may take for granted of its columns."""
        hidden = {at: values for at, values in self.around.items() if at[0] not in self.sources}
        ours = {
            (alias, f"{column}:{self._narrowing((alias, column)).kind.value}"): values
            for (alias, column), values in self.strong.items()
        }
        return {**hidden, **ours}


def _cost(keys: Keys, source: Source) -> tuple[int, int]:
    assert source.shape is not None
    narrowing = source.shape.narrowing
    return max((not narrowing[column].unique for column, _ in keys), default=False), len(keys)
