"""Positions in PostgreSQL's log: snapshots, whatever order transactions commit in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from notmodified.ledger.database import postgresql
from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import LEDGER
from notmodified.ledger.database.postgresql import PostgresqlLedger
from notmodified.sql.dependencies import Dependency
from tests.site.models import Shelf
from tests.site.pages import elsewhere, execute, only_on
from tests.writes.log.harness import opened


@pytest.fixture
def ledger() -> Iterator[PostgresqlLedger]:
    only_on("postgresql")
    with opened() as found:
        assert isinstance(found, PostgresqlLedger)
        yield found


def key(pk: int) -> str:
    return Dependency("site_shelf", "id", str(pk)).key


class TestPositions:
    def test_a_key_moves_and_others_do_not(self, ledger: PostgresqlLedger) -> None:
        position = ledger.position()
        Shelf.objects.create(pk=1)
        assert ledger.unmoved([key(1)], position) is None
        later = ledger.unmoved([key(2)], position)
        assert later is not None
        assert ledger.unmoved([key(1)], later) is not None

    def test_transactions_that_commit_in_another_order_than_they_began(
        self, ledger: PostgresqlLedger
    ) -> None:
        """The first began before the position and commits after it."""
        with transaction.atomic():
            Shelf.objects.create(pk=1)
            elsewhere(lambda: Shelf.objects.create(pk=2))
            position = ledger.position()
            assert ledger.unmoved([key(1), key(2)], position) is not None
        assert ledger.unmoved([key(1)], position) is None
        assert ledger.unmoved([key(2)], position) is not None

    def test_a_subtransaction_is_its_transaction(self, ledger: PostgresqlLedger) -> None:
        position = ledger.position()
        with transaction.atomic(), transaction.atomic():
            Shelf.objects.create(pk=1)
        assert ledger.unmoved([key(1)], position) is None

    def test_a_position_before_the_horizon_is_judged_no_more(
        self, ledger: PostgresqlLedger
    ) -> None:
        early = ledger.position()
        Shelf.objects.create(pk=1)
        late = ledger.position()
        assert ledger.compact(keep=0)
        assert ledger.compact(keep=0)
        assert ledger.unmoved([key(2)], early) is None
        assert ledger.unmoved([key(1)], late) is not None

    def test_a_transaction_that_is_open_keeps_its_lines_from_compaction(
        self, ledger: PostgresqlLedger
    ) -> None:
        with transaction.atomic():
            Shelf.objects.create(pk=1)
            position = ledger.position()
            ledger.compact(keep=0)
            ledger.compact(keep=0)
        assert ledger.unmoved([key(1)], position) is None

    def test_another_history_is_not_judged(self, ledger: PostgresqlLedger) -> None:
        position = ledger.position()
        execute(f"UPDATE {LEDGER} SET id = gen_random_uuid()")
        assert ledger.unmoved([key(1)], position) is None

    def test_a_database_without_a_ledger_is_an_error(self, ledger: PostgresqlLedger) -> None:
        execute(f"DELETE FROM {LEDGER}")
        with pytest.raises(LedgerError, match="no ledger here"):
            ledger.position()


@pytest.mark.parametrize(
    ("replaced", "by"),
    [
        ("NOT pg_visible_in_snapshot(", "pg_visible_in_snapshot("),
        ("transaction >= pg_snapshot_xmin(", "transaction >= pg_snapshot_xmax("),
    ],
)
def test_a_defect_in_the_question_would_be_found(
    replaced: str, by: str, monkeypatch: pytest.MonkeyPatch, ledger: PostgresqlLedger
) -> None:
    asked = postgresql._UNMOVED.replace(replaced, by)
    assert asked != postgresql._UNMOVED
    monkeypatch.setattr(postgresql, "_UNMOVED", asked)
    with pytest.raises(AssertionError):
        TestPositions().test_transactions_that_commit_in_another_order_than_they_began(ledger)
