"""The ledger of a MariaDB database, where it differs from others."""

from __future__ import annotations

from typing import Any

import pytest

from notmodified.ledger.database.names import LEDGER
from tests.ledger.database.harness import Other
from tests.site.pages import only_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def here() -> None:
    only_on("mysql")


def test_another_ledger_is_not_judged(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.run(f"UPDATE {LEDGER} SET id = UUID()")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def test_two_do_not_compact_at_once(ledger: Any, writer: Other) -> None:
    writer.move("a")
    writer.begin()
    writer.run(f"SELECT next FROM {LEDGER} FOR UPDATE")
    assert not ledger.compact(keep=0)
    writer.commit()
    assert ledger.compact(keep=0)


def test_the_clock_goes_through_no_hour_twice(ledger: Any) -> None:
    """As the clock of a time zone with summer time does every year."""
    ledger.position()
    cursor = ledger._held.cursor()
    cursor.execute("SELECT @@SESSION.time_zone")
    assert cursor.fetchall() == (("+00:00",),)
