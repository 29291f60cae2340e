"""Writes, the lines that they leave in the log, and the ledger that judges by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection

from notmodified.reads.plans import Planner
from notmodified.sql.dependencies import Dependency
from tests.ledger.database.harness import opened
from tests.reads import harness


def moved_by(write: Callable[[], Any]) -> set[str]:
    """The keys that a write moves, with the separators as dots."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notmodified_log")
        write()
        cursor.execute("SELECT * FROM notmodified_log")
        return {
            value.replace("\x1f", ".")
            for row in cursor.fetchall()
            for value in row
            if isinstance(value, str) and value[:1].isalpha()
        }


def search(seeds: range) -> tuple[int, int]:
    """Random queries between random writes, judged by the ledger. Raises Stale."""
    planner = Planner(connection.vendor, harness.schema())
    with opened() as ledger:

        def judge() -> Callable[[], harness.HasMoved]:
            position: Any = ledger.position()

            def has_moved(needed: set[Dependency]) -> bool:
                return ledger.unmoved([one.key for one in needed], position) is None

            return lambda: has_moved

        runs = [harness.search(planner, s, rounds=25, queries=20, judge=judge) for s in seeds]
    return sum(compared for compared, _ in runs), sum(changed for _, changed in runs)
