"""The log in the database: what a question to it costs as it grows, and what its triggers cost
those who write.

``python -m benchmarks.log``: on SQLite, and on each server that the environment names. Prints
Markdown.

Rules of this module:

- The baseline of a question is ``SELECT 1`` on a connection of the driver that was made alike.
- The baseline of a write is the same write to a table that has no triggers, and else is the same.
- The servers are tuned to be fast, and not durable: where each commit waits for a disk, triggers
  weigh less.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from benchmarks.interleaved import Ratio, as_markdown, compare, say_targets
from benchmarks.scratch import on_each, on_one_core
from benchmarks.writers import writers

TRIP = "SELECT 1"
NOTHING = "10 keys, nothing written since"
ALL = "10 keys, all lines written since"
UNKNOWN = "10 keys, before the log was analysed"

SIZES = (1_000, 100_000, 1_000_000)
LARGE = 10_000_000
"""For PostgreSQL alone, if it takes less than `PATIENCE` seconds to fill."""
PATIENCE = 40.0

QUESTION_TARGET = {"PostgreSQL": 1.6}
WRITE_TARGETS = {
    "save() of a row": 1.25,
    "create() of a row": 1.25,
    "update() of 1,000 rows": 1.5,
    "bulk_create() of 1,000 rows": 1.5,
}
ROWS = 1_000

_KEY = "benchmarks_article\x1fid\x1f"
_KEYS = 1_000
_FILL = {
    "sqlite": (
        "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers "
        "WHERE n < {last}) INSERT INTO notmodified_log (key) SELECT '{key}' || n % {keys} "
        "FROM numbers"
    ),
    "postgresql": (
        "INSERT INTO notmodified_log (key) SELECT '{key}' || n % {keys} "
        "FROM generate_series({first}, {last}) AS n"
    ),
    "mysql": (
        "INSERT INTO notmodified_log (`key`, stamp) SELECT CONCAT('{key}', seq MOD {keys}), "
        "UUID_SHORT() FROM seq_{first}_to_{last}"
    ),
}


def questions(name: str) -> None:
    """What ``unmoved`` costs, however long the log is."""
    from django.db import connection

    from benchmarks.recorded import analysed, ledger

    _empty()
    asked = ledger()
    first, lines = asked.position(), 1
    known = [f"{_KEY}{n}" for n in range(10)]
    others = [f"{_KEY}{n}" for n in range(_KEYS, _KEYS + 10)]
    trip = _trip(asked._connect())
    sizes = list(SIZES)
    for size in sizes:
        start = time.perf_counter()
        with connection.cursor() as cursor:
            values = {"first": lines + 1, "last": size, "key": _KEY, "keys": _KEYS}
            cursor.execute(_FILL[connection.vendor].format(**values))
        took, lines = time.perf_counter() - start, size
        if connection.vendor == "postgresql" and size == SIZES[-1]:
            if took * LARGE / size < PATIENCE:
                sizes.append(LARGE)
            else:
                print(f"\nLeft out, for want of time: {LARGE:,} lines.")
        # Where every question reads the whole log, few questions must do.
        rounds = 5 if connection.vendor == "mysql" and size > 1_000 else 21
        unknown = None
        if connection.vendor == "postgresql" and size == 100_000:
            calls = {TRIP: trip, UNKNOWN: _asker(asked, known, asked.position())}
            with on_one_core():
                [_, unknown] = compare(calls, TRIP, rounds=rounds)
        analysed()
        calls = {
            TRIP: trip,
            NOTHING: _asker(asked, known, asked.position()),
            ALL: _asker(asked, others, first),
        }
        print(f"\n### {name}: a question to a log of {size:,} lines\n")
        with on_one_core():
            ratios = compare(calls, TRIP, rounds=rounds)
        print(as_markdown([*ratios, unknown] if unknown else ratios, TRIP) + "\n")
        target = QUESTION_TARGET.get(name)
        print(say_targets(ratios, {NOTHING: target}) if target else "No target here.")
    asked.close()


def _asker(asked: Any, keys: list[str], position: Any) -> Callable[[], object]:
    assert asked.unmoved(keys, position) is not None
    return lambda: asked.unmoved(keys, position)


def _trip(driver: Any) -> Callable[[], object]:
    """The least that can be asked, in the way in which the ledger asks."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return lambda: driver.execute(TRIP, prepare=True).fetchall()
    if connection.vendor == "sqlite":
        return lambda: driver.execute(TRIP).fetchall()

    def ask() -> object:
        cursor = driver.cursor()
        cursor.execute(TRIP)
        return cursor.fetchall()

    return ask


def _empty() -> None:
    """Have a log of one line."""
    from django.db import connection

    from notmodified.writes.log.install import bump

    with connection.cursor() as cursor:
        every = "DELETE FROM" if connection.vendor == "sqlite" else "TRUNCATE TABLE"
        cursor.execute(f"{every} notmodified_log")
    bump(connection)


def writes(name: str) -> None:
    """The same write with and without the log's triggers."""
    from django.db import connection
    from django.db.models import F

    from benchmarks.models import Bare, Logged

    def filled(model: Any) -> Callable[[], None]:
        def fill() -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {model._meta.db_table}")
            model.objects.bulk_create(_rows(model), batch_size=ROWS)

        return fill

    def by(model: Any) -> dict[str, Callable[[], object]]:
        """The writes; each leaves as many rows as it found, or they are deleted before the next."""
        filled(model)()
        row = model.objects.order_by("pk")[0]

        def save() -> None:
            row.number += 1
            row.save()

        return {
            "save() of a row": save,
            "create() of a row": lambda: model.objects.create(title="new", author_id=1),
            "update() of 1,000 rows": lambda: model.objects.update(number=F("number") + 1),
            "bulk_create() of 1,000 rows": lambda: model.objects.bulk_create(_rows(model)),
        }

    bare, logged = by(Bare), by(Logged)
    found: list[Ratio] = []
    with on_one_core():
        for title in WRITE_TARGETS:
            calls = {"without": bare[title], title: logged[title]}
            emptied = (
                {} if "create" not in title else {"without": filled(Bare), title: filled(Logged)}
            )
            found += compare(calls, "without", rounds=21, before=emptied)[1:]
    print(f"\n### {name}: writes with the log's triggers\n")
    print(as_markdown(found, "without triggers") + "\n")
    print(say_targets(found, WRITE_TARGETS))


def opening() -> None:
    """What the triggers cost whoever opens a connection to SQLite, which reads them all."""
    from django.db import connection

    path = str(connection.settings_dict["NAME"])
    bare = f"{path}.bare"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(bare)) as copy:
        source.backup(copy)
        named = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%log%'"
        names = [name for (name,) in copy.execute(named)]
        for name in names:
            copy.execute(f'DROP TRIGGER "{name}"')
        copy.commit()

    def opener(file: str) -> Callable[[], object]:
        def open_and_ask() -> None:
            with closing(sqlite3.connect(file)) as opened:
                opened.execute("SELECT 1 FROM benchmarks_article LIMIT 1").fetchall()

        return open_and_ask

    without, with_ = "without triggers", f"with {len(names)} triggers"
    with on_one_core():
        ratios = compare({without: opener(bare), with_: opener(path)}, without)
    print("\n### SQLite: a connection is opened, and asked once\n")
    print(as_markdown(ratios, without) + "\n")
    print("No target here: keep connections open.")


def _rows(model: Any) -> list[Any]:
    from benchmarks.recorded import AUTHORS

    return [model(title=f"Entry {n}", number=n, author_id=n % AUTHORS + 1) for n in range(ROWS)]


def main() -> None:
    if len(sys.argv) == 1:
        on_each("benchmarks.log")
        return
    from benchmarks.recorded import prepared

    prepared()
    from django.db import connection

    from notmodified.writes.log.install import uninstall

    uninstall(connection, {"benchmarks_bare"})
    questions(sys.argv[1])
    _empty()
    writes(sys.argv[1])
    if sys.argv[1] == "SQLite":  # which has one writer at a time
        opening()
    else:
        writers(sys.argv[1])


if __name__ == "__main__":
    main()
