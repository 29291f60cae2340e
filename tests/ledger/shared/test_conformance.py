"""What every ledger must do, is done by this one too, but for what it does not hear of until it
asks the database for its word again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.database import harness
from tests.ledger.database.harness import Other
from tests.ledger.database.test_conformance import *  # noqa: F403

LATE = (
    "test_a_position_ends_with_the_connection",
    "test_what_was_read_after_a_backup_is_not_unmoved_once_it_is_back",
    "test_what_was_compacted_after_a_backup_is_back_with_it",
)
"""Nobody marks what happens there: a restarted server, a backup that is put back."""
for _name in LATE:
    del globals()[_name]


def test_a_backup_is_noticed_once_the_database_is_asked_for_its_word_again(
    ledger: Any, writer: Other, tmp_path: Path
) -> None:
    writer.move("a")
    ledger.close()
    writer.close()
    put_back: Callable[[], None] = harness.back_up(tmp_path)
    writer.move("b")
    writer.close()
    place = ledger.unmoved(["x"], ledger.position())
    assert place is not None
    ledger._until = 0.0  # a minute later, and at rest
    assert ledger.unmoved(["x"], place) is not None
    ledger.close()
    put_back()
    ledger._until = 0.0
    assert ledger.unmoved(["x"], place) is None


def test_a_position_ends_with_the_connection_once_something_is_written(
    ledger: Any, writer: Other
) -> None:
    place = ledger.unmoved(["x"], ledger.position())
    assert place is not None
    ledger.close()
    assert ledger.rests_at(place)
    writer.move("a")
    assert ledger.unmoved(["x"], place) is None


@pytest.fixture(autouse=True)
def nobody_is_left(ledger: Any) -> Any:
    yield
    assert ledger._memory.at_rest() is not None, "a mark was left"
