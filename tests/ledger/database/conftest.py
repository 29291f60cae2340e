"""A database with the tables of its ledger, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.ledger.database import harness


@pytest.fixture(params=harness.JOURNALS)
def tables(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tables of the ledger, without anything that writes into them."""
    connection.close()  # in a file that is replaced, nobody is to be left
    harness.drop_tables()
    harness.set_journal(request.param)
    harness.make_tables()
    yield
    harness.drop_tables()
    harness.set_journal(harness.JOURNALS[0])


@pytest.fixture
def ledger(tables: None) -> Iterator[Any]:
    with harness.opened() as found:
        yield found


@pytest.fixture
def writer(tables: None) -> Iterator[harness.Other]:
    with harness.another() as other:
        yield other


@pytest.fixture
def second(tables: None) -> Iterator[harness.Other]:
    """Another writer."""
    with harness.another() as other:
        yield other


@pytest.fixture
def reader(tables: None) -> Iterator[harness.Other]:
    """Who reads what a response is made from."""
    with harness.another() as other:
        yield other
