"""Planted defects: each is found by a check of the conformance suite, named beside it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from notmodified.ledger.database.names import EVERYTHING, LEDGER, LOG
from notmodified.records import databases
from tests.ledger.database import harness
from tests.ledger.database import test_conformance as checks
from tests.ledger.database.harness import Other

pytestmark = pytest.mark.django_db(transaction=True)

Patch = tuple[Any, str, Any]
Mutant = tuple[Callable[[], list[Patch]], Callable[..., None]]
"""What is altered, and the check that finds it."""


def _class() -> Any:
    return type(databases._ledger(connection))


def _question(old: str, new: str) -> list[Patch]:
    """The question altered: what has moved, and where the ledger is now."""
    module = harness.MODULES[connection.vendor]
    if connection.vendor == "postgresql":
        return [(module, "_UNMOVED", _altered(module._UNMOVED, old, new))]
    question = module._question
    return [(module, "_question", lambda keys: _altered(question(keys), old, new))]


def _position(old: str, new: str) -> list[Patch]:
    """Both questions altered."""
    module = harness.MODULES[connection.vendor]
    return [(module, "_POSITION", _altered(module._POSITION, old, new)), *_question(old, new)]


def _compacting(old: str, new: str) -> list[Patch]:
    module = harness.MODULES[connection.vendor]
    return [(module, "_COMPACT", _altered(module._COMPACT, old, new))]


def _altered(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def _methods(**changed: Any) -> list[Patch]:
    return [(_class(), name, method) for name, method in changed.items()]


def _without_everything() -> list[Patch]:
    if connection.vendor == "postgresql":
        return [(harness.MODULES["postgresql"], "EVERYTHING", "nothing")]
    return _question(f"'{EVERYTHING}'", "'nothing'")


def _asking_twice() -> list[Patch]:
    unmoved = _class().unmoved
    return _methods(
        unmoved=lambda self, keys, at: None if unmoved(self, keys, at) is None else self.position()
    )


def _asking_for_one() -> list[Patch]:
    unmoved = _class().unmoved
    return _methods(unmoved=lambda self, keys, at: unmoved(self, keys[:1], at))


def _outliving() -> list[Patch]:
    patches = _methods(_life=property(lambda self: 0, lambda self, life: None))
    if connection.vendor == "postgresql":  # each of the two is enough
        patches += _position(", pg_backend_pid()", "")
    return patches


def _held_for_ever() -> list[Patch]:
    connect = _class()._connection
    return _methods(_connection=lambda self: self._held or connect(self))


def _losing_sums() -> list[Patch]:
    compacting = _class().compact

    def forgetful(self: Any, keep: int) -> Any:
        done = compacting(self, keep)
        self._connection().cursor().execute(f"UPDATE {LEDGER} SET forgotten = 0")
        return done

    return _methods(compact=forgetful)


_SNAPSHOT = "%(snapshot)s::text::pg_snapshot"
_VISIBLE = f"NOT pg_visible_in_snapshot(transaction, {_SNAPSHOT})"

OF_ALL: dict[str, Mutant] = {
    "nothing is asked": (
        lambda: _methods(unmoved=lambda self, keys, at: self.position()),
        checks.test_a_committed_write_moves_its_keys_and_no_others,
    ),
    "only the first key is asked for": (
        _asking_for_one,
        checks.test_a_committed_write_moves_its_keys_and_no_others,
    ),
    "a move of everything is no move of a key": (
        _without_everything,
        checks.test_everything_moves_every_key_and_none,
    ),
    "a position is renewed by a second question": (
        _asking_twice,
        checks.test_a_commit_in_the_middle_of_a_question_is_not_lost,
    ),
    "positions outlive the connection": (
        _outliving,
        checks.test_a_position_ends_with_the_connection,
    ),
    "a reader in a snapshot has the position of others": (
        lambda: _methods(position_of=lambda self, reader, since: self.unmoved((), since)),
        checks.test_a_reader_in_a_snapshot_has_no_later_position,
    ),
    "a reader in a transaction has the position of others": (
        lambda: _methods(position_of=lambda self, reader, since: self.unmoved((), since)),
        checks.test_a_reader_that_has_written,
    ),
    "a reader has a position whatever has moved": (
        lambda: _methods(position_of=lambda self, reader, since: self.position()),
        checks.test_a_reader_has_none_since_everything_moved,
    ),
    "the clock is slow": (
        lambda: _methods(clock=property(lambda self: time.time() - 60, lambda self, now: None)),
        checks.test_the_clock_tells_when_a_position_was_taken,
    ),
}

OF_ONE: dict[str, dict[str, Mutant]] = {
    "sqlite": {
        "the line of the position has moved since": (
            lambda: _question("id > ?", "id >= ?"),
            checks.test_what_moved_before_a_position_has_not_moved_since,
        ),
        "the line after the position has not": (
            lambda: _question("id > ?", "id > ? + 1"),
            checks.test_a_committed_write_moves_its_keys_and_no_others,
        ),
        "there is no horizon": (
            lambda: _question(
                f"EXISTS (SELECT 1 FROM {LOG} WHERE id = ? AND stamp = ?)", "? + ? IS NOT NULL"
            ),
            checks.test_compaction_leaves_nothing_unmoved_that_has_moved,
        ),
        "lines are known by their numbers": (
            lambda: _question("stamp = ?", "? IS NOT NULL"),
            checks.test_what_was_read_after_a_backup_is_not_unmoved_once_it_is_back,
        ),
        "nobody seems to commit": (
            lambda: _methods(_version=lambda self: 0),
            checks.test_what_was_found_unmoved_once_may_move,
        ),
        "another file is not noticed": (
            _held_for_ever,
            checks.test_a_connection_that_is_cut_is_made_anew,
        ),
    },
    "postgresql": {
        "late commits are judged by the last transaction": (
            lambda: _question(_VISIBLE, f"transaction >= pg_snapshot_xmax({_SNAPSHOT})"),
            checks.test_transactions_that_commit_in_another_order_than_they_began,
        ),
        "late commits are not looked for": (
            lambda: _question(
                "transaction >= pg_snapshot_xmin(", "transaction >= pg_snapshot_xmax("
            ),
            checks.test_transactions_that_commit_in_another_order_than_they_began,
        ),
        "what was visible has moved": (
            lambda: _question("NOT pg_visible_in_snapshot(", "pg_visible_in_snapshot("),
            checks.test_a_late_commit_under_later_ones,
        ),
        "what is running has moved": (
            lambda: _question(_VISIBLE, "true"),
            checks.test_transactions_that_commit_in_another_order_than_they_began,
        ),
        "there is no horizon": (
            lambda: _question(f"ledger.horizon <= pg_snapshot_xmin({_SNAPSHOT})", "true"),
            checks.test_compaction_leaves_nothing_unmoved_that_has_moved,
        ),
        "more is forgotten than the horizon says": (
            lambda: _compacting("WHERE transaction < moved.horizon", "WHERE true"),
            checks.test_compaction_leaves_nothing_unmoved_that_has_moved,
        ),
        "another table is the same": (
            lambda: _position("ledger.tableoid, ", ""),
            checks.test_what_was_read_after_a_backup_is_not_unmoved_once_it_is_back,
        ),
    },
    "mysql": {
        "the last line of the position has moved since": (
            lambda: _question("id > %s", "id >= %s"),
            checks.test_what_moved_before_a_position_has_not_moved_since,
        ),
        "the line after the position has not": (
            lambda: _question("id > %s", "id > %s + 1"),
            checks.test_a_committed_write_moves_its_keys_and_no_others,
        ),
        "late commits are not looked for": (
            lambda: _question(", 0) = %s", ", 0) + %s IS NOT NULL"),
            checks.test_transactions_that_commit_in_another_order_than_they_began,
        ),
        "there is neither a horizon nor a sum": (
            lambda: _question(", 0) = %s AND ledger.horizon <= %s", ", 0) + %s + %s IS NOT NULL"),
            checks.test_compaction_leaves_nothing_unmoved_that_has_moved,
        ),
        "lines are counted": (
            lambda: _position("SUM(stamp)", "COUNT(*)"),
            checks.test_what_was_read_after_a_backup_is_not_unmoved_once_it_is_back,
        ),
        "compaction loses the sum of what it forgets": (
            _losing_sums,
            checks.test_a_position_that_is_renewed_lives_for_ever,
        ),
    },
}


MUTANTS = {**OF_ALL, **OF_ONE[connection.vendor]}

OTHERWISE: dict[str, Any] = {"end": Other.roll_back, "written": 3}
"""What a check is given that is no fixture."""


@pytest.mark.parametrize("tables", harness.JOURNALS[-1:], indirect=True)  # where readers may stay
@pytest.mark.parametrize(("alter", "check"), MUTANTS.values(), ids=MUTANTS.keys())
def test_a_defect_would_be_found(
    alter: Callable[[], list[Patch]],
    check: Callable[..., None],
    tables: None,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for patch in alter():
        monkeypatch.setattr(*patch, raising=False)  # `_life` is the objects', not the class's
    given = {
        name: OTHERWISE[name] if name in OTHERWISE else request.getfixturevalue(name)
        for name in inspect.signature(check).parameters
    }
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(**given)
