"""The ledger in shared memory: what a 304 costs that asks nobody, what a write costs that says so,
and how many pages need no question after one row was written.

``python -m benchmarks.shared``: on SQLite, and on each server that the environment names. Prints
Markdown.

Rules of this module:

- The baseline of an answer is an empty 304 view behind Django's default middleware; that of a write
  is the same write to a table without triggers, under a ledger that is not told.
- Questions are counted at the ledger in the database.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.interleaved import as_markdown, compare, say_targets
from benchmarks.scratch import on_each, on_one_core

EMPTY = "empty 304 view"
AT_REST = "wrapper, nothing written since"
ANSWER_TARGETS = {AT_REST: 0.03}
WRITE_TARGETS = {"SQLite": 1.15, "PostgreSQL": 1.10}
REACH_TARGET = 0.998


def use(ledger: str, directory: str) -> None:
    """Have the process run with `ledger`."""
    from django.conf import settings

    from notmodified import conf

    # No view is run by chance, to be compared.
    settings.NOTMODIFIED = {"LEDGER": ledger, "SHARED_DIRECTORY": directory, "AUDIT": 0}
    conf.current.cache_clear()


def answers(name: str) -> None:
    """A 304 in front of Django."""
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
    wrapper = caller(NotModifiedApplication(handler), "nine/1", tag)
    taken = record.proofs
    Author.objects.create(pk=10_001, name="somebody else")

    def before_that_write() -> None:
        record.proofs = taken

    calls: dict[str, Callable[[], Any]] = {
        EMPTY: caller(bare, "empty-304/1", None),
        AT_REST: wrapper,
        "wrapper, after a write elsewhere that is known": lambda: (before_that_write(), wrapper()),
    }
    runs = RUNS[0]
    assert wrapper()[0] == "304 Not Modified"
    assert RUNS[0] == runs
    assert calls[EMPTY]()[0] == "304 Not Modified"
    assert record.proofs[0].database.rests_at(record.proofs[0].position)
    print(f"\n### {name}: a 304 with {DEPENDENCIES} dependencies, by shared memory\n")
    with on_one_core():
        ratios = compare(calls, EMPTY)
    print(as_markdown(ratios, EMPTY) + "\n")
    print(say_targets(ratios, ANSWER_TARGETS))


def writes(name: str, directory: str) -> None:
    """A row is saved."""
    from benchmarks.models import Bare, Logged

    rows = {}
    for model in (Bare, Logged):
        model.objects.create(title="one", number=1, author_id=1)
        rows[model] = model.objects.order_by("pk")[0]

    def saving(model: Any) -> Callable[[], None]:
        row = rows[model]

        def save() -> None:
            row.number += 1
            row.save()

        return save

    bare, told = "without triggers", "save() of a row"
    calls = {bare: saving(Bare), "with triggers alone": saving(Logged), told: saving(Logged)}
    before: dict[str, Callable[[], None]] = {
        bare: lambda: use("database", directory),
        "with triggers alone": lambda: use("database", directory),
        told: lambda: use("shared", directory),
    }
    print(f"\n### {name}: a row is saved, and marked\n")
    with on_one_core():
        ratios = compare(calls, bare, rounds=41, before=before)
    use("shared", directory)
    print(as_markdown(ratios, bare) + "\n")
    target = WRITE_TARGETS.get(name)
    print(say_targets(ratios, {told: target}) if target else "No target here.")


def reach(name: str) -> None:
    """Of the pages that do not show a row, those that need neither a view nor a question."""
    from benchmarks import reach as pages
    from notmodified.records import databases

    [database] = databases._known.values()
    ledger: Any = database._ledger
    asked = [0]

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*arguments: Any) -> Any:
            asked[0] += 1
            return original(*arguments)

        return ask

    for method in ("unmoved", "moved_since", "position", "charge"):
        setattr(ledger._ledger, method, counted(getattr(ledger._ledger, method)))
    readers = pages.Readers()
    visit, own = readers._visit, [0]

    def visit_counting(pk: int, tag: str | None) -> Any:
        """What the page that shows the row asks, to be recorded anew, is its own business."""
        before = asked[0]
        found = visit(pk, tag)
        if pk == pages.WRITTEN:
            own[0] += asked[0] - before
        return found

    readers._visit = visit_counting  # type: ignore[assignment]
    readers.come_back()
    readers.come_back()
    print(f"\n### {name}: one row of {pages.PAGES:,} is written, and nobody asks\n")
    print("| | × all other pages | questions | views |\n|---|---:|---:|---:|")
    shares = []
    for title, write in pages.writes().items():
        write()
        asked[0] = own[0] = 0
        found = readers.come_back()
        assert found.pop(pages.WRITTEN) == ("200", True), title
        ran = sum(view for _, view in found.values())
        questions = asked[0] - own[0]
        shares.append(1 - (ran + questions) / len(found))
        print(f"| {title} | {shares[-1]:.3f} | {questions} | {ran} |")
    met = "met" if min(shares) >= REACH_TARGET else "**not met**"
    print(f"\n- At least {min(shares):.3f} ×, the target of at least {REACH_TARGET} × is {met}.")


def main() -> None:
    if len(sys.argv) == 1:
        on_each("benchmarks.shared")
        return
    from benchmarks.recorded import prepared

    prepared()
    from django.core.management import call_command
    from django.db import connection

    from notmodified.writes.log.install import uninstall

    uninstall(connection, {"benchmarks_bare"})
    with tempfile.TemporaryDirectory() as directory:
        use("shared", directory)
        call_command("notmodified", "ledger", "use", "shared")
        answers(sys.argv[1])
        reach(sys.argv[1])
        writes(sys.argv[1], directory)


if __name__ == "__main__":
    main()
