"""The ledger of a PostgreSQL database, where it differs from others."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import LEDGER, LOG
from tests.ledger.database.harness import Other
from tests.site.pages import only_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def here() -> None:
    only_on("postgresql")


def test_another_history_is_not_judged(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.run(f"UPDATE {LEDGER} SET id = gen_random_uuid()")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def test_a_reader_of_another_server_is_refused(ledger: Any) -> None:
    """Or of the same by another name, which nobody can tell."""
    import psycopg

    since = ledger.position()
    parameters = dict(connection.get_connection_params(), host="localhost")
    names = ("host", "port", "user", "password", "dbname")
    given: dict[str, Any] = {name: parameters[name] for name in names if name in parameters}
    with psycopg.connect(**given) as reader, pytest.raises(LedgerError, match="another server"):
        ledger.position_of(reader, since)


def test_two_do_not_compact_at_once(ledger: Any, writer: Other) -> None:
    writer.begin()
    writer.run(f"SELECT pg_advisory_xact_lock(hashtext('{LOG}'))")
    assert not ledger.compact(keep=0)
    writer.commit()
    assert ledger.compact(keep=0)
