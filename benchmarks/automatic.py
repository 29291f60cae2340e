"""The automatic 304: what an answer from a record costs, what recording adds to a page, and plans.

``python -m benchmarks.automatic``: on SQLite, and on each server that the environment names. Prints
Markdown.

Rules of this module:

- The baseline of an answer is an empty 304 view behind Django's default middleware; that of a
  recording is the same page where the package is not installed, cursors included. What cannot be
  taken away again while a process lives is Python's audit hook, which stays in both.
- A page that is recorded is recorded anew each time, under plans that are known.
- What is named as a 304, is one, and what is named as recorded, is on record: both are asserted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.interleaved import as_markdown, compare, say_targets
from benchmarks.scratch import ROLLBACK, on_each, on_one_core

EMPTY = "empty 304 view"
PLAIN = "the page without us"

ANSWER_TARGETS = {"wrapper": 0.15, "middleware": 0.5}
"""How many empty 304 views a 304 from a record shall cost at most, on SQLite."""

RECORDING_TARGETS = {"one": 1.10, "five": 1.05, "twelve": 1.05}
"""How much longer the first render of a page shall take at most while it is recorded."""


def answers(name: str) -> None:
    """A 304 in front of Django, and one by the middleware."""
    from benchmarks.models import Author
    from benchmarks.project import caller
    from benchmarks.recorded import DEPENDENCIES, RUNS, bare_handler, warmed
    from notmodified.records.store import RECORDS
    from notmodified.wsgi import NotModifiedApplication

    handler, bare = warmed(), bare_handler()
    RECORDS.forget()
    _, tag = caller(handler, "nine/1", None)()
    [(_, record)] = RECORDS.items()
    [proof] = record.proofs
    assert len(proof.keys) == DEPENDENCIES
    taken = record.proofs
    Author.objects.create(pk=10_001, name="somebody else")

    def before_that_write() -> None:
        record.proofs = taken

    wrapper = caller(NotModifiedApplication(handler), "nine/1", tag)
    middleware = caller(handler, "nine/1", tag)
    calls: dict[str, Callable[[], Any]] = {
        EMPTY: caller(bare, "empty-304/1", None),
        "wrapper": wrapper,
        "middleware": middleware,
        "wrapper, the first after a write elsewhere": lambda: (before_that_write(), wrapper()),
        "a view that asks SELECT 1": caller(bare, "trip-304/1", None),
    }
    runs = RUNS[0]
    assert wrapper()[0] == middleware()[0] == "304 Not Modified"
    before_that_write()
    assert wrapper()[0] == "304 Not Modified"
    assert RUNS[0] == runs
    assert calls[EMPTY]()[0] == calls["a view that asks SELECT 1"]()[0] == "304 Not Modified"
    print(f"\n### {name}: a 304 from a record with {DEPENDENCIES} dependencies\n")
    with on_one_core():
        ratios = compare(calls, EMPTY)
    print(as_markdown(ratios, EMPTY) + "\n")
    print(say_targets(ratios, ANSWER_TARGETS) if name == "SQLite" else "No target here.")


def recordings(name: str) -> None:
    """The first render of a page, while it is recorded."""
    from django.conf import settings
    from django.db.backends.base.base import BaseDatabaseWrapper

    from benchmarks.project import caller
    from benchmarks.recorded import UNNOTED, bare_handler, warmed
    from notmodified import conf
    from notmodified.records.store import RECORDS

    wrapper: Any = BaseDatabaseWrapper
    noting = wrapper._prepare_cursor
    assert noting is not UNNOTED
    handler, bare = warmed(), bare_handler()

    def under(cursors: Any, ledger: str | None) -> Callable[[], None]:
        def prepare() -> None:
            wrapper._prepare_cursor = cursors
            settings.NOTMODIFIED = {"LEDGER": ledger}
            conf.current.cache_clear()

        return prepare

    for page, queries in {"one": "one query", "five": "5 queries", "twelve": "12 queries"}.items():
        recorded = f"{page}: recorded"
        plain, hashed = (caller(one, f"{page}/1", None) for one in (bare, handler))

        def record(render: Callable[[], object] = hashed) -> None:
            RECORDS.forget()
            render()

        calls = {PLAIN: plain, "content hash alone (LEDGER: None)": hashed, recorded: record}
        before = {
            PLAIN: under(UNNOTED, None),
            "content hash alone (LEDGER: None)": under(noting, None),
            recorded: under(noting, "auto"),
        }
        for name_, call in calls.items():
            before[name_]()
            RECORDS.forget()
            call()
            assert len(RECORDS) == (name_ == recorded), (name_, len(RECORDS))
        print(f"\n### {name}: the first render of a page of {queries}, recorded\n")
        with on_one_core():
            ratios = compare(calls, PLAIN, rounds=41, before=before)
        print(as_markdown(ratios, PLAIN) + "\n")
        print(say_targets(ratios, {recorded: RECORDING_TARGETS[page]}))
    under(noting, "auto")()
    RECORDS.forget()


def plans(name: str) -> None:
    """What it takes to see what a statement reads, when its text is new and when it is known."""
    from django.db import connection

    from benchmarks.recorded import ARTICLES
    from notmodified.reads.plans import Planner
    from notmodified.records.databases import all_tables

    planner = Planner(connection.vendor, all_tables(connection))
    statements = _statements()
    start = time.perf_counter()
    planner.plan(next(iter(statements.values()))[0])
    first = (time.perf_counter() - start) * 1e3
    print(f"\n### {name}: the plan of a statement\n")
    print(f"The first plan of a process takes {first:.1f} ms.\n")
    for title, (sql, parameters) in statements.items():
        assert planner.plan(sql).reason is None, planner.plan(sql)
        cursor = connection.cursor()

        def run(sql: str = sql, parameters: Any = parameters, cursor: Any = cursor) -> None:
            cursor.execute(sql, parameters)
            cursor.fetchall()

        def known(sql: str = sql, parameters: Any = parameters) -> None:
            planner.read(sql, parameters)

        def new(known: Callable[[], None] = known) -> None:
            planner.plan.cache_clear()
            known()

        statement = f"the statement itself, of {ARTICLES:,} articles"
        calls = {statement: run, "plan, text is new": new, "plan, text is known": known}
        with on_one_core():
            ratios = compare(calls, statement, rounds=15)
        print(f"{title}:\n\n{as_markdown(ratios, 'the statement')}\n")


def _statements() -> Mapping[str, tuple[str, Any]]:
    """Typical ones, as Django makes them."""
    from benchmarks.models import Article, Tag

    querysets = {
        "One row by its key, with a joined one": Article.objects.select_related("author").filter(
            pk=1
        ),
        "Rows through a many-to-many relation": Tag.objects.filter(article__in=[1]),
        "The latest ten": Article.objects.order_by("-pk")[:10],
    }
    return {title: found.query.sql_with_params() for title, found in querysets.items()}


def main() -> None:
    if len(sys.argv) == 1:
        on_each("benchmarks.automatic", ROLLBACK)
        return
    from benchmarks.recorded import prepared

    prepared()
    for measure in (plans, answers, recordings) if sys.argv[1] != ROLLBACK else (answers,):
        measure(sys.argv[1])


if __name__ == "__main__":
    main()
