"""The records in memory: what one takes, and whether anything costs more as they become many.

``python -m benchmarks.records``: on SQLite, and on each server that the environment names. Prints
Markdown.

Rules of this module:

- What a record takes is measured: the memory that Python gets back when records are forgotten. The
  baseline is the estimate by which records are bounded.
- The baseline of many records is the same thing among few, in the same process: all records are
  there all the time, and only who looks for them sees few or many.
- Many records are copies of a real one under other paths. Each has its own proof; texts and header
  fields are shared, so that many fit into memory.
"""

from __future__ import annotations

import gc
import random
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

from benchmarks.interleaved import as_markdown, compare, say_targets
from benchmarks.scratch import on_each, on_one_core

MEASURED = 2_000
MOST_BYTES = 2_000
"""What a record of ten dependencies shall take at most."""

FEW = 1_000
MANY = {"SQLite": (100_000, 1_000_000), "PostgreSQL": (100_000,), "MariaDB": (100_000,)}
MOST_GROWTH = 1.2
"""How much longer something may take among many records than among few. A processor's caches do not
hold a million records, which is what remains to be seen."""
PATHS = 5_000


def size(name: str) -> None:
    """What a record takes in memory."""
    from benchmarks.project import caller
    from benchmarks.recorded import DEPENDENCIES, warmed
    from notmodified.records.store import RECORDS

    handler = warmed()
    RECORDS.forget()
    gc.collect()
    tracemalloc.start()
    last = MEASURED - DEPENDENCIES
    for pk in range(1, last + 1):
        caller(handler, f"nine/{pk}", None)()
    assert len(RECORDS) == last
    gc.collect()
    estimated, full = RECORDS.bytes / last, tracemalloc.get_traced_memory()[0]
    RECORDS.forget()
    gc.collect()
    taken = (full - tracemalloc.get_traced_memory()[0]) / last
    tracemalloc.stop()
    met = "met" if taken <= MOST_BYTES else "**not met**"
    print(f"\n### {name}: the memory of a record with {DEPENDENCIES} dependencies\n")
    print("| | × the estimate | bytes |\n|---|---:|---:|")
    print(f"| the estimate that bounds the memory | 1.00 | {estimated:.0f} |")
    print(f"| measured over {last:,} records | {taken / estimated:.2f} | {taken:.0f} |\n")
    print(f"- {taken:.0f} bytes, the target of at most {MOST_BYTES:,} is {met}.")


def growth(name: str) -> None:
    """A check, and a write, among few records and many."""
    from benchmarks.models import Author
    from benchmarks.project import caller
    from benchmarks.recorded import warmed
    from notmodified.records.store import RECORDS, Records
    from notmodified.wsgi import NotModifiedApplication

    handler = warmed()
    RECORDS.forget()
    _, tag = caller(handler, "nine/1", None)()
    [(key, record)] = RECORDS.items()
    stores: dict[int, Records] = {}
    gc.disable()
    for many in (FEW, *MANY[name]):
        stores[many] = Records(sys.maxsize)
        for number in range(many):
            stores[many].put((*key[:6], f"/nine/{number}/", key[7]), replace(record))
    gc.enable()
    author = Author.objects.get(pk=1)
    application = NotModifiedApplication(handler)

    def among(many: int) -> Callable[[], None]:
        def prepare() -> None:
            vars(RECORDS).update(vars(stores[many]))

        return prepare

    def check(many: int) -> Callable[[], object]:
        numbers = random.Random(0).sample(range(many), min(many, PATHS))
        visits = cycle([caller(application, f"nine/{number}", tag) for number in numbers])
        return lambda: next(visits)()

    checks = {many: check(many) for many in stores}
    for title, calls in {
        "304 by the wrapper": checks,
        "write: save() of a row": dict.fromkeys(stores, author.save),
    }.items():
        named = {f"{title}, {many:,} records": call for many, call in calls.items()}
        first = next(iter(named))
        before = {text: among(many) for text, many in zip(named, stores, strict=True)}
        if calls is checks:
            among(FEW)()
            assert calls[FEW]()[0] == "304 Not Modified"  # type: ignore[index]
        print(f"\n### {name}: {title} among many records\n")
        with on_one_core():
            ratios = compare(named, first, rounds=21, before=before)
        print(as_markdown(ratios, f"among {FEW:,}") + "\n")
        print(say_targets(ratios, dict.fromkeys(list(named)[1:], MOST_GROWTH)))
    vars(RECORDS).update(vars(Records()))


def main() -> None:
    if len(sys.argv) == 1:
        on_each("benchmarks.records")
        return
    from benchmarks.recorded import prepared

    prepared()
    size(sys.argv[1])
    growth(sys.argv[1])


if __name__ == "__main__":
    main()
