"""Each validator's 304 against an empty 304 view, Django's ``condition``, and the plain page.

``python -m benchmarks.validators``: in process, then over HTTP (:mod:`benchmarks.served`); with the
real caches after ``scripts/services start redis memcached``. Prints Markdown.

Rule: this process and the cache server share one processor core. Otherwise what is measured is how
long a core takes to wake: on a virtual machine up to four times a trip from process to process.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.interleaved import Ratio, as_markdown, compare

NAMES = [
    "empty-304",
    "plain",
    "django-condition",
    "condition",
    "django-token",
    "token",
    "field-one",
    "field",
    "table",
    "combine",
    "content",
    "cached-304",
    "held-304",
]
WITHOUT_TAG = {"empty-304", "plain", "cached-304", "held-304"}
WITH_SERVER = [
    "empty-304",
    "plain",
    "django-condition",
    "condition",
    "django-token",
    "token",
    *NAMES[-2:],
]


TARGETS = {"memcached": 1.5, "redis": 1.6}
"""How many empty 304 views a 304 by `token` shall cost at most."""


def say_target(cache: str, ratios: list[Ratio]) -> None:
    """Whether `token` met its target, and what the trip to the cache alone has cost."""
    medians = {ratio.name: ratio.median for ratio in ratios}
    met = "met" if medians["token"] <= TARGETS[cache] else "**not met**"
    print(
        f"\n`token`: {medians['token']:.2f}, the target of {TARGETS[cache]} is {met}; "
        f"the trip alone (`held-304`) is {medians['held-304']:.2f}, and by hand with Django's own "
        f"means (`django-token`) it is {medians['django-token']:.2f}."
    )


@contextmanager
def on_one_core(process: int) -> Iterator[None]:
    """That process and the cache servers on the same core, for as long as this lasts."""
    everywhere = os.sched_getaffinity(0)
    core = {max(everywhere)}
    threads = [
        int(task.name)
        for pid in [process, *_servers()]
        for task in Path("/proc", str(pid), "task").iterdir()
    ]
    for thread in threads:
        os.sched_setaffinity(thread, core)
    try:
        yield
    finally:
        for thread in threads:
            os.sched_setaffinity(thread, everywhere)


def _servers() -> list[int]:
    """The processes that ``scripts/services`` has started for the caches."""
    script = [sys.executable, "scripts/services", "status", "redis", "memcached"]
    status = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid in re.findall(r"pid (\d+)", status)]


def measure(cache: str) -> None:
    """One cache, in a process of its own."""
    from benchmarks.project import application, caller

    handler = application()
    calls = {}
    for name in NAMES if cache == "locmem" else WITH_SERVER:
        tag = None
        if name not in WITHOUT_TAG:
            _, tag = caller(handler, name, None)()
        calls[name] = caller(handler, name, tag)
        calls[name]()
        status, _ = calls[name]()
        assert status.startswith("200" if name == "plain" else "304"), (name, status)
    print(f"\n### In process, tokens in {cache}\n")
    with on_one_core(os.getpid()):
        ratios = compare(calls, "empty-304")
        print(as_markdown(ratios, "empty 304 view"))
        if cache in TARGETS:
            say_target(cache, ratios)
        if cache == "locmem":
            pair = {name: calls[name] for name in ("django-condition", "condition")}
            print("\n### The same callable under Django's `condition` and ours\n")
            pairs = compare(pair, "django-condition", rounds=151)
            print(as_markdown(pairs, "Django's `condition`"))


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    caches = ["locmem"]
    caches += ["memcached"] if os.environ.get("NOTMODIFIED_MEMCACHED") else []
    caches += ["redis"] if os.environ.get("NOTMODIFIED_REDIS_URL") else []
    with tempfile.TemporaryDirectory() as directory:
        for cache in caches:
            environment = os.environ | {
                "DJANGO_SETTINGS_MODULE": "benchmarks.project",
                "BENCH_DATABASE": str(Path(directory) / "bench.sqlite3"),
                "BENCH_CACHE": cache,
            }
            for module in ("validators", "served"):
                command = [sys.executable, "-m", f"benchmarks.{module}", cache]
                subprocess.run(command, env=environment, check=True)
    missing = {"memcached", "redis"} - set(caches)
    if missing:
        print(f"\nLeft out, for want of a server: {', '.join(sorted(missing))}.")


if __name__ == "__main__":
    main()
