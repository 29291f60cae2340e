"""Times several things in turn, round by round, and gives their ratios to one of them.

Rule: no figure stands alone. Each round runs everything once, in an order that changes, so that a
slow moment of the machine meets all alike; what is reported is the median of the rounds' ratios
to the baseline of the same round, with the quartiles as spread.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How long something took against the baseline of the same round."""

    name: str
    microseconds: float
    """The median of one call, for orientation."""
    median: float
    lower: float
    upper: float


def compare(
    calls: Mapping[str, Callable[[], object]],
    baseline: str,
    *,
    rounds: int = 31,
    seconds_per_turn: float = 0.02,
    before: Mapping[str, Callable[[], object]] | None = None,
) -> list[Ratio]:
    """Time `calls`, at least `seconds_per_turn` of each in each of `rounds`.

    What is in `before` under a call's name is run before each of its turns, and not timed.
    """
    before = before or {}
    repeats = {}
    for name, call in calls.items():
        before.get(name, _nothing)()
        repeats[name] = _repeats(call, seconds_per_turn)
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            call, repeat = calls[name], repeats[name]
            before.get(name, _nothing)()
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            times[name].append((time.perf_counter() - start) / repeat)
    found = []
    for name in calls:
        ratios = [one / base for one, base in zip(times[name], times[baseline], strict=True)]
        lower, median, upper = statistics.quantiles(ratios, n=4)
        found.append(Ratio(name, statistics.median(times[name]) * 1e6, median, lower, upper))
    return found


def _nothing() -> None:
    """What is done before most turns."""


def _repeats(call: Callable[[], object], seconds: float) -> int:
    call()
    start = time.perf_counter()
    call()
    return max(1, int(seconds / max(time.perf_counter() - start, 1e-9)))


def as_markdown(ratios: list[Ratio], baseline: str) -> str:
    lines = [f"| | × {baseline} | quartiles | µs |", "|---|---:|---:|---:|"]
    for ratio in ratios:
        spread = f"{ratio.lower:.2f}–{ratio.upper:.2f}"
        lines.append(f"| {ratio.name} | {ratio.median:.2f} | {spread} | {ratio.microseconds:.0f} |")
    return "\n".join(lines)


def say_targets(ratios: list[Ratio], targets: Mapping[str, float]) -> str:
    """A line for each of `targets`, the most that something may take: whether it is met."""
    medians = {ratio.name: ratio.median for ratio in ratios}
    return "\n".join(
        f"- {name}: {medians[name]:.2f} ×, the target of at most {most:g} × is "
        + ("met." if medians[name] <= most else "**not met**.")
        for name, most in targets.items()
    )
