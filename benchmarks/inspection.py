"""What it costs that code is inspected, on Python 3.12 and later: how often a render that is not
the first is interrupted for it, and the same renders with nothing inspected.

``BENCH_DATABASE=sqlite:///bench.sqlite3 python3.12 -m benchmarks.inspection``
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from math import sqrt
from typing import Any

from benchmarks.scratch import on_one_core

MOST_MICROSECONDS = 3.0
ROUNDS = 150
WARMING = 60
"""So many renders come after each switch, before any is timed: what is watched changes the code,
which has to grow fast again."""
TIMED = 40


def main() -> None:
    if sys.version_info < (3, 12):
        print("Before Python 3.12 there is no monitoring.")
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.recorded")
    from benchmarks.project import caller
    from benchmarks.recorded import bare_handler, prepared

    prepared()
    bare = bare_handler()
    print("| a page of | interrupted, per render | longer, per render | of |")
    print("|---|---:|---:|---:|")
    for page, queries in {"one": "one query", "five": "5 queries"}.items():
        render = caller(bare, f"{page}/1", None)
        with on_one_core():
            interrupted, (difference, error, whole) = interruptions(render), longer(render)
        print(
            f"| {queries} | {interrupted:g} | {difference:+.1f} ± {error:.1f} µs | {whole:.0f} µs |"
        )
    print(
        "\nA median of differences between neighbours, with an interval of 95 %; "
        f"the target is at most {MOST_MICROSECONDS:g} µs."
    )


def tool() -> int:
    return next(tool for tool in (4, 3) if sys.monitoring.get_tool(tool) == "notmodified")


def interruptions(render: Callable[[], object], renders: int = 100) -> float:
    """How often a render calls us, once it was rendered."""
    monitoring: Any = sys.monitoring
    count = 0
    events = (monitoring.events.PY_START, monitoring.events.PY_RESUME)
    ours = {event: monitoring.register_callback(tool(), event, None) for event in events}

    def counting(started: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any) -> Any:
            nonlocal count
            count += 1
            return started(*args)

        return called

    for event, started in ours.items():
        monitoring.register_callback(tool(), event, counting(started))
    for _ in range(3):
        render()
    count = 0
    for _ in range(renders):
        render()
    for event, started in ours.items():
        monitoring.register_callback(tool(), event, started)
    return count / renders


def longer(render: Callable[[], object]) -> tuple[float, float, float]:
    """How many microseconds longer a render takes while code is inspected, how far that may be off,
    and how long it takes."""
    both = sys.monitoring.events.PY_START | sys.monitoring.events.PY_RESUME
    differences, plain = [], []
    for number in range(ROUNDS):
        order = (0, both) if number % 2 else (both, 0)
        took = {which: timed(render, which) for which in order}
        differences.append(took[both] - took[0])
        plain.append(took[0])
    differences.sort()
    off = round(0.98 * sqrt(ROUNDS))  # ranks of a median's interval of 95 %
    middle = ROUNDS // 2
    low, high = differences[middle - off], differences[middle + off]
    return statistics.median(differences), (high - low) / 2, statistics.median(plain)


def timed(render: Callable[[], object], which: int) -> float:
    sys.monitoring.set_events(tool(), which)
    for _ in range(WARMING):
        render()
    took = []
    for _ in range(TIMED):
        start = time.perf_counter()
        render()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e6


if __name__ == "__main__":
    main()
