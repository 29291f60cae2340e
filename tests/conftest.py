"""What every test starts with."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection

from notmodified.exchange import audit
from notmodified.reads.memories import forget_memories
from notmodified.records import databases
from notmodified.records.headers import MEMORY
from notmodified.records.store import RECORDS


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    """No test remembers another one's pages."""
    MEMORY.forget()
    RECORDS.forget()
    forget_memories()


@pytest.fixture(autouse=True)
def no_audit_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests count which views run; those of the audit ask for it."""
    monkeypatch.setattr(audit, "chance", lambda: 0.999)


@pytest.fixture
def log(request: Any, transactional_db: None) -> Iterator[None]:
    """The log with its triggers, on all tables of the tests' site.

    They stay from one test to the next, where to make each takes as long as a statement on a disk;
    what a test has changed of them is mended, and nothing is in the log.
    """
    from notmodified.writes.log.install import install

    databases.forget()
    if "without_log" in request.keywords:
        _take_log_away()
    else:
        _empty_log()
        install(connection, databases.all_tables(connection))
        _LOGGED.add(connection.alias)
    forget_memories()
    yield
    databases.forget()
    _execute("DROP TABLE IF EXISTS odd")
    if "without_log" in request.keywords:  # it may have made one of its own kind
        _take_log_away()


_LOGGED: Final[set[str]] = set()
"""The databases that have a log now."""


@pytest.fixture(autouse=True)
def no_log(request: Any) -> None:
    """Tests that do not ask for the log have none."""
    if _LOGGED and "log" not in request.fixturenames:
        with request.getfixturevalue("django_db_blocker").unblock():
            _take_log_away()


def _empty_log() -> None:
    if "notmodified_log" in connection.introspection.table_names():
        _execute("DELETE FROM notmodified_log")


def _take_log_away() -> None:
    from notmodified.writes.log.install import uninstall

    uninstall(connection)
    if connection.vendor == "sqlite":
        _execute("DROP VIEW IF EXISTS notmodified_rows")
    for table in ("notmodified_log", "notmodified_ledger", "notmodified_charge"):
        _execute(f"DROP TABLE IF EXISTS {table}")
    _LOGGED.clear()


def _execute(sql: str) -> None:
    from tests.site.pages import execute

    execute(sql)
