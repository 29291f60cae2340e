"""What it costs that code is inspected, on Python 3.12 and later: the same renders with nothing
inspected.

``BENCH_DATABASE=sqlite:///bench.sqlite3 python3.12 -m benchmarks.inspection``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.interleaved import as_markdown, compare
from benchmarks.scratch import on_one_core

NOT_INSPECTED = "nothing is inspected"
MOST_MICROSECONDS = 3.0


def main() -> None:
    if sys.version_info < (3, 12):
        print("Before Python 3.12 there is no monitoring.")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.recorded")
    from benchmarks.project import caller
    from benchmarks.recorded import bare_handler, prepared

    prepared()
    bare = bare_handler()
    events: Any = sys.monitoring.events
    tool = next(tool for tool in (4, 3) if sys.monitoring.get_tool(tool) == "notmodified")

    def inspected(which: int, call: Callable[[], object]) -> Callable[[], None]:
        def switch() -> None:
            sys.monitoring.set_events(tool, which)
            call()  # code is made ready for what is watched when it is first run after that

        return switch

    both = events.PY_START | events.PY_RESUME
    for page, queries in {"one": "one query", "five": "5 queries", "twelve": "12 queries"}.items():
        calls = {
            NOT_INSPECTED: caller(bare, f"{page}/1", None),
            "inspected": caller(bare, f"{page}/1", None),
        }
        before = {
            name: inspected(which, calls[name])
            for name, which in ((NOT_INSPECTED, 0), ("inspected", both))
        }
        for name, call in calls.items():
            before[name]()
            for _ in range(50):
                call()
        print(f"\n### Rendering a page of {queries}\n")
        with on_one_core():
            ratios = compare(calls, NOT_INSPECTED, rounds=61, before=before)
        print(as_markdown(ratios, NOT_INSPECTED) + "\n")
        plain, watched = (ratio.microseconds for ratio in ratios)
        within = "within" if watched - plain <= MOST_MICROSECONDS else "**not within**"
        print(f"{watched - plain:+.1f} µs a request: {within} {MOST_MICROSECONDS:g} µs.")


if __name__ == "__main__":
    main()
