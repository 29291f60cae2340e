"""Random queries between random writes: no result may change without a dependency that moves."""

from __future__ import annotations

import os
from typing import Any

import pytest

from notmodified.reads import analysis, facts, fetched, functions
from notmodified.reads.facts import Facts
from notmodified.reads.plans import Planner
from tests.reads import harness
from tests.site.pages import only_on

pytestmark = pytest.mark.django_db(transaction=True)


def planner() -> Planner:
    from django.db import connection

    return Planner(connection.vendor, harness.schema())


SEEDS = range(*map(int, os.environ.get("NOTMODIFIED_SEEDS", "0:6").split(":")))
"""``NOTMODIFIED_SEEDS=1000:2250`` looks for longer."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_result_changes_unannounced(seed: int) -> None:
    compared, changed = harness.search(planner(), seed, rounds=40, queries=20)
    print("compared", compared, "changed", changed)
    # Otherwise nothing has been shown.
    assert compared > 500
    assert changed > 10


def _either_side(self: Facts, condition: Any) -> Any:
    found = _stated(self, condition)
    condition = condition.unnest()
    if isinstance(condition, facts.exp.Or):
        return {**self._stated(condition.this), **self._stated(condition.expression)}
    return found


def _one_alternative(self: Facts, condition: Any, source: Any) -> Any:
    condition = condition.unnest()
    if isinstance(condition, facts.exp.Or):
        one = self._alternatives(condition.this, source)
        return one or self._alternatives(condition.expression, source)
    return _alternatives(self, condition, source)


def _through_not(self: Facts, condition: Any, source: Any) -> Any:
    condition = condition.unnest()
    if isinstance(condition, facts.exp.Not):
        return self._alternatives(condition.this, source)
    return _alternatives(self, condition, source)


def _null_as_value(self: Facts, condition: Any) -> Any:
    if isinstance(condition, facts.exp.Is):
        at = self._reference(condition.this)
        return None if at is None else (at, (facts.operand_of(condition.expression),))
    return _equality(self, condition)


def _all_joins_inner(self: Facts, source: Any, on: Any) -> None:
    self._note(self.strong, self._stated(on))
    self._cross(on)


def _on_binds_all(self: Facts, source: Any, on: Any) -> None:
    self._note(self.strong, self._stated(on) if source.outer else {})
    _join(self, source, on)


def _everything_from_around(self: Facts) -> Any:
    for source in self.sources.values():
        if source.on is not None:
            self._note(self.strong, self._stated(source.on))
    return _for_inner(self)


def _without_subqueries(self: Any, node: Any, names: Any, around: Any) -> None:
    if not isinstance(node, facts.exp.Query):
        _inside(self, node, names, around)


def _without_common_tables(self: Any, node: Any, names: Any, around: Any, **more: Any) -> None:
    if node.args.get("with_") is not None:
        names |= {one.alias for one in node.args["with_"].expressions}
        node = node.copy()
        node.set("with_", None)
    _query(self, node, names, around, **more)


def _first_alias_only(self: Any, node: Any, names: Any, around: Any) -> Any:
    found = _sources(self, node, names, around)
    for source in found[2:]:
        source.table = None
    return found


def _first_of_in(self: Facts, condition: Any) -> Any:
    found = _equality(self, condition)
    return found and (found[0], found[1][:1])


def _any_alias(self: Facts, node: Any) -> Any:
    node = node.unnest()
    if isinstance(node, facts.exp.Column):
        for alias, source in self.sources.items():
            if source.shape is not None and node.name.lower() in source.shape.narrowing:
                return alias, node.name.lower()
    return None


_stated, _alternatives, _equality = Facts._stated, Facts._alternatives, Facts._equality
_join, _for_inner = Facts._join, Facts.for_inner
_inside, _query, _sources = (
    analysis.Analysis._inside,
    analysis.Analysis.query,
    analysis.Analysis._sources,
)


def _own_key(source: Any, sources: Any, links: Any, shown: Any) -> Any:
    """Takes the key of the LEFT-joined row itself, which an absent row has not."""
    for link in links:
        for own, _ in link.sides(source.alias):
            if own in shown:
                return fetched.ByRow(own[1], shown[own], inner=False)
    return None


def _without_shape(*args: Any) -> Any:
    found = _inner(*args)
    return found and fetched.ByRow(found.column, found.index, inner=False)


def _though_rows_are_dropped(source: Any, sources: Any, links: Any, shown: Any) -> Any:
    own = [link for link in links if link.of == source.alias]
    return _outer(source, sources, own, shown)


def _used_alone(links: Any, used: set[Any]) -> set[Any]:
    return used


def _used_all_the_same(node: Any) -> set[Any]:
    return set()


_inner, _outer = fetched._inner, fetched._outer


MUTANTS: dict[str, list[tuple[Any, str, Any]]] = {
    "OR says what either side says": [(Facts, "_stated", _either_side)],
    "OR narrows to one side": [(Facts, "_alternatives", _one_alternative)],
    "NOT narrows like its condition": [(Facts, "_alternatives", _through_not)],
    "IS NULL is an equality": [(Facts, "_equality", _null_as_value)],
    "LEFT joins are inner joins": [(Facts, "_join", _all_joins_inner)],
    "ON of a LEFT join binds the preserved side": [(Facts, "_join", _on_binds_all)],
    "inner queries trust every ON": [(Facts, "for_inner", _everything_from_around)],
    "queries in expressions read nothing": [(analysis.Analysis, "_inside", _without_subqueries)],
    "common table expressions read nothing": [(analysis.Analysis, "query", _without_common_tables)],
    "the third table is forgotten": [(analysis.Analysis, "_sources", _first_alias_only)],
    "of IN the first counts": [(Facts, "_equality", _first_of_in)],
    "a column belongs to any table that has it": [(Facts, "_reference", _any_alias)],
    "an absent row is known by its own key": [(fetched, "_outer", _own_key)],
    "an inner join drops no row": [(fetched, "_inner", _without_shape)],
    "nor does one below a LEFT join": [(fetched, "_outer", _though_rows_are_dropped)],
    "what is LEFT-joined decides nothing": [(fetched, "_used_through", _used_alone)],
    "what conditions ask of a table is not seen": [(fetched, "_aliases", _used_all_the_same)],
}


BEGINS = {
    "what is LEFT-joined decides nothing": 134,
    "NOT narrows like its condition": 105,
    "nor does one below a LEFT join": 104,
    "of IN the first counts": 103,
    "an absent row is known by its own key": 103,
    **dict.fromkeys(
        (
            *("LEFT joins are inner joins", "ON of a LEFT join binds the preserved side"),
            *("inner queries trust every ON", "common table expressions read nothing"),
            *("the third table is forgotten", "a column belongs to any table that has it"),
        ),
        102,
    ),
}
"""Where the search for a defect begins, if not at 100: so that it ends soon."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_in_the_rules_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_on("sqlite")  # the rules are the same everywhere, and here the search is fast
    for mutant in MUTANTS[name]:
        monkeypatch.setattr(*mutant)
    begin = BEGINS.get(name, 100)
    with pytest.raises(harness.Stale):
        for seed in range(begin, begin + 40):
            harness.search(planner(), seed, rounds=40, queries=20)


def test_the_list_of_functions_is_what_keeps_the_clock_out() -> None:
    assert functions.impure(facts.exp.Rand()) is not None
