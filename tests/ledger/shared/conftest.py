"""The ledger of the tests' database, with shared memory in charge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from notmodified.ledger.shared.ledger import SharedLedger
from notmodified.writes import shared
from tests.ledger.database import harness
from tests.ledger.database.conftest import reader, second, tables, writer

__all__ = ["reader", "second", "tables", "writer"]


@pytest.fixture
def in_charge(tables: None, tmp_path: Path) -> Iterator[None]:
    ours = {"LEDGER": "shared", "SHARED_DIRECTORY": str(tmp_path)}
    with override_settings(NOTMODIFIED=ours):
        shared.forget()
        memory = shared.memory_of(connection)
        assert memory is not None
        shared.put_in_charge(connection, memory)
        connection.close()
        yield
        shared.forget()
        memory.path.unlink()


@pytest.fixture
def ledger(in_charge: None) -> Iterator[Any]:
    with harness.opened() as found:
        assert isinstance(found, SharedLedger)
        found.unmoved((), found.position())
        assert found.is_in_charge
        yield found
