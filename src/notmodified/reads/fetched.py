"""Tables that count only by the rows of theirs that are fetched: ``select_related``, many-to-many.

An alias that is joined to another by an equality of narrowing columns, and used for nothing but to
be shown, decides by these columns alone which rows there are. What counts of it besides are the
rows that are shown, whose values in these columns are among what is fetched.

Rules of this module:

- The value is taken from a selected column: for a LEFT join from the other side of its equality,
  because a row that is absent has none of its own, and its later insert must be seen.
- An inner join drops what has no partner, so a row that comes, or whose narrowing columns change,
  may bring others to light: it also depends on the *shape* of the table.
- Used for nothing else means: in the list of what is selected, in equalities between narrowing
  columns, and in an ORDER BY that decides nothing else (there is no LIMIT). What is LEFT-joined is
  also used by whatever is LEFT-joined to it and is used itself: its rows decide which those are.
- Only of the outermost SELECT the rows are seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from notmodified.reads.facts import Reference, Source

_DECIDES: Final = ("group", "having", "distinct", "windows", "locks", "offset")
"""Parts of a SELECT after which its rows are not those of the join, or not all of them."""


@dataclass(frozen=True, slots=True)
class ByRow:
    """The rows of an alias that count have, in `column`, a value that is fetched at `index`.

    `inner` says that the shape of the table counts as well.
    """

    column: str
    index: int
    inner: bool


@dataclass(frozen=True, slots=True)
class _Link:
    """An equality between narrowing columns of two aliases; `of` is the alias that is LEFT-joined
    by it."""

    one: Reference
    other: Reference
    of: str | None

    def sides(self, alias: str) -> Iterator[tuple[Reference, Reference]]:
        """The link as seen from `alias`: its own column, and the other."""
        if self.one[0] == alias:
            yield self.one, self.other
        if self.other[0] == alias:
            yield self.other, self.one


def by_row(node: exp.Select, sources: Mapping[str, Source]) -> dict[str, ByRow]:
    """The aliases of the outermost SELECT that count only by the rows that are fetched."""
    if any(node.args.get(part) for part in _DECIDES) or len(sources) < 2:
        return {}
    selected = list(node.expressions)
    if any(one.find(exp.AggFunc, exp.Window, exp.Star) for one in selected):
        return {}
    links: list[_Link] = []
    used: set[str | None] = set()
    where = node.args.get("where")
    if where is not None:
        _sort(where.this, None, sources, links, used)
    for source in sources.values():
        if source.on is not None:
            _sort(source.on, source.alias if source.outer else None, sources, links, used)
    limit, order = node.args.get("limit"), node.args.get("order")
    if limit is not None and order is not None:
        if limit.args.get("offset") or any(_is_ordinal(one.this) for one in order.expressions):
            return {}
        used |= _aliases(order)
    for query in node.find_all(exp.Query):
        if query is not node:
            used |= _aliases(query)
    if None in used or None in _aliases(node.args.get("order")):
        return {}
    shown = _shown(selected)
    through = _used_through(links, used)
    found = {}
    for source in sources.values():
        if source.alias in (through if source.outer else used):
            continue
        if source.table is not None:
            row = (_outer if source.outer else _inner)(source, sources, links, shown)
            if row is not None:
                found[source.alias] = row
    return found


def _used_through(links: list[_Link], used: set[str | None]) -> set[str | None]:
    """What is used, and what that is LEFT-joined to."""
    found: set[str | None] = set()
    frontier = used
    while frontier:
        found |= frontier
        joined = [link for link in links if link.of is not None and link.of in frontier]
        sides: list[str | None] = [at[0] for link in joined for at in (link.one, link.other)]
        frontier = set(sides) - found
    return found


def _inner(
    source: Source,
    sources: Mapping[str, Source],
    links: list[_Link],
    shown: Mapping[Reference, int],
) -> ByRow | None:
    for link in links:
        for own, other in link.sides(source.alias):
            if link.of is not None or sources[other[0]].outer:
                continue
            index = shown.get(own, shown.get(other))
            if index is not None:
                return ByRow(own[1], index, inner=True)
    return None


def _outer(
    source: Source,
    sources: Mapping[str, Source],
    links: list[_Link],
    shown: Mapping[Reference, int],
) -> ByRow | None:
    own_links = [link for link in links if link.of == source.alias]
    if len(own_links) != 1:
        return None
    if any(link.of is None for link in links for _ in link.sides(source.alias)):
        return None  # what is joined to it by an inner join drops rows
    for own, other in own_links[0].sides(source.alias):
        index = shown.get(other)
        if index is not None:
            return ByRow(own[1], index, inner=False)
    return None


def _sort(
    condition: Any,
    of: str | None,
    sources: Mapping[str, Source],
    links: list[_Link],
    used: set[str | None],
) -> None:
    """Take the conjuncts of a condition apart: links, and uses of any other kind."""
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        _sort(condition.this, of, sources, links, used)
        _sort(condition.expression, of, sources, links, used)
        return
    if isinstance(condition, exp.EQ):
        one = _narrowing(condition.this, sources)
        other = _narrowing(condition.expression, sources)
        if one is not None and other is not None and one[0] != other[0]:
            kinds = {_column(at, sources).kind for at in (one, other)}
            if len(kinds) == 1:
                links.append(_Link(one, other, of))
                return
    used |= _aliases(condition)


def _is_ordinal(node: Any) -> bool:
    """Whether an ORDER BY names a selected expression by its number."""
    return isinstance(node.unnest(), exp.Literal | exp.Placeholder)


def _narrowing(node: Any, sources: Mapping[str, Source]) -> Reference | None:
    node = node.unnest()
    if not isinstance(node, exp.Column) or not node.table:
        return None
    at = node.table.lower(), node.name.lower()
    source = sources.get(at[0])
    if source is None or source.shape is None or at[1] not in source.shape.narrowing:
        return None
    return at


def _column(at: Reference, sources: Mapping[str, Source]) -> Any:
    shape = sources[at[0]].shape
    assert shape is not None  # `_narrowing` has seen to it
    return shape.narrowing[at[1]]


def _aliases(node: Any) -> set[str | None]:
    """The aliases whose columns occur in `node`; ``None`` for a column that names no alias."""
    if node is None:
        return set()
    return {column.table.lower() or None for column in node.find_all(exp.Column)}


def _shown(selected: list[Any]) -> dict[Reference, int]:
    """Where the columns are that are selected as they are."""
    found: dict[Reference, int] = {}
    for index, one in enumerate(selected):
        column = one.this if isinstance(one, exp.Alias) else one
        if isinstance(column, exp.Column) and column.table:
            found.setdefault((column.table.lower(), column.name.lower()), index)
    return found
