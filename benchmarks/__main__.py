"""Runs the benchmarks and writes ``benchmarks/RESULTS.md``: ``make bench``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """# Results

Made by `make bench`, on {machine}. Ratios to trust, not absolute times: each round runs everything
once in random order, and a ratio is to the baseline of the same round; the median of the rounds and
their quartiles are given.

"""
AUTOMATIC = {
    "automatic": """## The automatic 304

Plain views, whose pages are recorded, behind the middleware or in front of Django; in process. What
a 304 costs is compared with an empty 304 view behind Django's default middleware; what recording
adds to a page, with the same page where the package is not installed.""",
    "records": """## Records in memory

What a record takes, and whether anything costs more as they become many.""",
    "reach": """## How far a write reaches

A page for each of 1,000 articles, with its author and its tags. One row is written; of all other
pages, the share that needs no view to answer.""",
    "log": """## The log in the database

What it costs to ask it, against `SELECT 1` on a connection that was made alike; and what its
triggers cost those who write, against the same write to a table without them. The servers do not
wait for a disk, so that triggers weigh more than where they do.""",
    "shared": """## The ledger in shared memory

A 304 that asks nobody, against an empty 304 view; a row that is saved and marked, against the same
row without triggers and marks; and, of the other 999 pages after one row was written, those that
need neither a view nor a question.""",
}
"""What is measured of the automatic 304, and what is said of it."""


def run(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", *arguments]
    result = subprocess.run(
        command,
        check=True,
        env=os.environ | {"PYTHONPATH": "src:."} | environment,
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(result.stdout)
    return result.stdout


def main() -> None:
    import django

    machine = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Django {django.get_version()}"
    )
    parts = [HEAD.format(machine=machine)]
    parts.append("## A 304 by each validator\n")
    parts.append(
        "The whole of Django's handler with its default middleware, SQLite, a page of 200 rows as "
        "JSON; once called in process, and once over HTTP from gunicorn with one thread, on a "
        "connection kept alive. `held-304` is the floor: a view that makes one trip to the cache "
        "for two keys, by a client that is held, and answers an empty 304. `cached-304` asks "
        "Django's cache once instead. `django-token` is the practice by hand: Django's `etag` with "
        "a token from Django's cache. The cache server shares the worker's core: between two "
        "cores of a virtual machine, a trip takes up to four times as long.\n"
    )
    parts.append(run("benchmarks.validators"))
    parts.append("\n## `table()` and `field()` against the table's size\n")
    with tempfile.TemporaryDirectory() as directory:
        databases = {
            "SQLite": f"sqlite:///{directory}/bench.sqlite3",
            "PostgreSQL": os.environ.get("NOTMODIFIED_POSTGRESQL_URL", ""),
            "MariaDB": os.environ.get("NOTMODIFIED_MARIADB_URL", ""),
        }
        for name, url in databases.items():
            if url:
                parts.append(run("benchmarks.tables", name, NOTMODIFIED_TEST_DATABASE=url))
            else:
                parts.append(f"\nLeft out, for want of a server: {name}.\n")
    for module, text in AUTOMATIC.items():
        parts.append(f"\n{text}\n")
        parts.append(run(f"benchmarks.{module}"))
    (HERE / "RESULTS.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
