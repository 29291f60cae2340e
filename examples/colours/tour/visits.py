"""One kind of page, visited once per validator before and after a change.

The visits: *first* (until both workers have answered), *back* (several times, with the copy's
validators), the change, *changed* (with the same validators: they are out of date now), and
*again* (several times, with the new ones).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tour.browser import Browser, Unexpected, Visit

RETURNS: Final = 5
"""How often a visitor comes back, for the median."""


@dataclass(frozen=True, slots=True)
class Way:
    """A validator's address, and what is to be expected of it."""

    name: str
    path: str
    validates: bool = True
    """Whether there is anything to come back with."""
    dated: bool = False
    """Whether it is asked by date alone; a date is given once its second has passed."""
    stale_seconds: int = 0
    """For how long the site itself wants a changed page to be answered as it was."""
    most_queries: int | None = None
    """How many queries a 304 may make."""


@dataclass(slots=True)
class Row:
    """What came out for one validator."""

    way: Way
    first: Visit
    back: list[Visit]
    changed: Visit | None = None
    again: list[Visit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def queries(self) -> int:
        return max(visit.queries for visit in [*self.back, *self.again])

    @property
    def milliseconds(self) -> float:
        return median(visit.milliseconds for visit in [*self.back, *self.again])

    @property
    def size(self) -> int:
        return max(visit.size for visit in [*self.back, *self.again])

    def statuses(self) -> tuple[str, str, str, str]:
        changed = self.changed.status if self.changed else 0
        return str(self.first.status), _all(self.back), str(changed), _all(self.again)


def _all(visits: list[Visit]) -> str:
    return "/".join(sorted({str(visit.status) for visit in visits})) or "–"


def tour(
    browser: Browser, ways: list[Way], change: Callable[[], None], *, tick: Callable[[str], None]
) -> list[Row]:
    """Every way before and after `change`; the first way is the one without a validator, which
    shows what the site would answer now. `tick` is told where the tour is."""
    plain = ways[0]
    now = browser.fresh(plain.path)
    rows = []
    for way in ways:
        tick(way.path)
        first = _first(browser, way)
        rows.append(Row(way, first, _returns(browser, way)))
        _check(rows[-1], rows[-1].back, first, now)
    change()
    before, now = now, browser.fresh(plain.path)
    if before.page == now.page:
        raise Unexpected(f"The change did not change {plain.path}.")
    for row in rows:
        tick(f"{row.way.path} after the change")
        row.changed = _changed(browser, row, now)
        if row.changed.status != 200:
            row.problems.append(f"{row.changed.status} for a page that has changed")
            continue
        first = _first(browser, row.way)
        row.again = _returns(browser, row.way)
        _check(row, row.again, first, now)
    return rows


def _first(browser: Browser, way: Way) -> Visit:
    visit = browser.warm(way.path)
    for _ in range(10):
        if not way.dated or visit.last_modified:
            break
        # A time is given only once its second has passed: a later change has a later one.
        time.sleep(0.5)
        visit = browser.warm(way.path)
    browser.keep(way.path, visit)
    return visit


def _returns(browser: Browser, way: Way) -> list[Visit]:
    return [browser.back(way.path, by_date=way.dated) for _ in range(RETURNS)]


def _changed(browser: Browser, row: Row, now: Visit) -> Visit:
    """The first visit with out-of-date validators; where the site keeps its pages for a while on
    purpose, the first that is answered differently, or the last of that while."""
    until = time.monotonic() + row.way.stale_seconds
    while True:
        visit = browser.back(row.way.path, by_date=row.way.dated)
        if visit.status != 304 or time.monotonic() > until:
            break
        time.sleep(0.5)
    if visit.status == 200 and visit.page != now.page:
        row.problems.append("200 with a page that is not the present one")
    return visit


def _check(row: Row, visits: list[Visit], copy: Visit, now: Visit) -> None:
    """Note in `row` what is wrong with `visits`, made while the page was as in `now`."""
    way = row.way
    expected = 304 if way.validates else 200
    if copy.page != now.page:
        row.problems.append("the copy is not the present page")
    if any(visit.status != expected for visit in visits):
        row.problems.append(f"expected {expected} for an unchanged page, got {_all(visits)}")
    if any(visit.status == 304 and visit.size for visit in visits):
        row.problems.append("a 304 with a body")
    most = way.most_queries
    if most is not None and any(visit.queries > most for visit in visits):
        row.problems.append(f"more than {most} queries for an unchanged page")
