"""What every test starts with."""

from collections.abc import Iterator
from typing import Any

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
    """The log with its triggers, on all tables of the tests' site; taken away again."""
    from notmodified.writes.log.install import install, uninstall
    from tests.site.pages import execute

    databases.forget()
    if "without_log" not in request.keywords:
        install(connection, databases.all_tables(connection))
    forget_memories()
    yield
    uninstall(connection)
    databases.forget()
    if connection.vendor == "sqlite":
        execute("DROP VIEW IF EXISTS notmodified_rows")
    for table in ("notmodified_log", "notmodified_ledger", "odd"):
        execute(f"DROP TABLE IF EXISTS {table}")
