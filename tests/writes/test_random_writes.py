"""Random writes through the ORM: no page's token may outlive what the page shows."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notmodified.writes import claims, dependencies, statements
from tests.writes.harness import FEW, WRITES, Stale, Write, random_writes, run

pytestmark = pytest.mark.django_db

numbers = st.integers(1, FEW)
writes = st.tuples(st.sampled_from(sorted(WRITES)), numbers, numbers, numbers)


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(writes, min_size=1, max_size=6), st.booleans())
def test_no_text_stands_for_two_contents(performed: list[Write], rolls_back: bool) -> None:
    run(performed, in_transaction=rolls_back)


@pytest.mark.parametrize("name", sorted(WRITES))
def test_every_kind_of_write_is_seen(name: str) -> None:
    memory = run([(name, 1, 2, 3), (name, 2, 1, 1)])
    assert memory.answers > 100


def _mutant_rows(self: Any, column: str, parameters: Any) -> Any:
    """Only the first value of an IN."""
    found = _rows(self, column, parameters)
    return found[:1] if found else found


_rows = statements.Write.rows
_new_values = statements.Write.new_values
_writes_of = statements.writes_of


def _ignoring_or(sql: str, vendor: str) -> Any:
    """A disjunction taken for its first half."""
    return _writes_of(sql.split(" OR ")[0], vendor)


def _inserts_without_sets(self: Any, column: str, parameters: Any) -> Any:
    return [None] if self.inserts else _new_values(self, column, parameters)


def _updates_without_sets(self: Any, column: str, parameters: Any) -> Any:
    return _new_values(self, column, parameters) if self.inserts else []


def _wide_writes_keep_rows(self: Any, write: Any, parameters: Any) -> Any:
    pk = dependencies.watched()[write.table][0]._meta.pk
    values = write.rows(str(pk.column).lower(), parameters)
    return (self.row(write.table, dependencies.canonical(pk, value)) for value in values or [])


def _rows_without_parents(self: Any, instance: Any) -> Any:
    meta = instance._meta
    return [self.row(meta.db_table, dependencies.canonical(meta.pk, instance.pk))]


def _deletes_unseen(sql: str, vendor: str) -> Any:
    found = _writes_of(sql, vendor)
    return () if sql.startswith("DELETE") else found


def _only_the_first_of_many(self: Any, sql: str, params: Any, many: bool) -> Any:
    return _keys_of(self, sql, params[:1] if many else params, many)


_keys_of = claims.TokenClaim._keys_of

MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "IN names its first row only": (statements.Write, "rows", _mutant_rows),
    "OR is its first half": (claims, "writes_of", _ignoring_or),
    "an insert joins no set": (statements.Write, "new_values", _inserts_without_sets),
    "an update joins no set": (statements.Write, "new_values", _updates_without_sets),
    "a wide write moves no row": (dependencies.Keys, "_rows_of", _wide_writes_keep_rows),
    "a row is in one table": (dependencies.Keys, "of_instance", _rows_without_parents),
    "a delete is no write": (claims, "writes_of", _deletes_unseen),
    "of many the first counts": (claims.TokenClaim, "_keys_of", _only_the_first_of_many),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_defect_in_the_analysis_would_be_found(
    mutant: tuple[Any, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*mutant)
    random_ = random.Random(7)
    with pytest.raises(Stale):
        for _ in range(60):
            run(random_writes(random_, 6))
