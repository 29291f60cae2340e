"""What every ledger in a database must do, whichever database the tests run on.

Rules of this module:

- A check says what must never be ("unmoved" of what has moved), and, where ledgers promise it, that
  nothing is lost without need.
- What only one of them does is in the module of its own name.
- The defects that these checks find are in `test_defects`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import EVERYTHING, LOG
from tests.ledger.database import harness
from tests.ledger.database.harness import Other, compact, position_of
from tests.site.pages import only_on

pytestmark = pytest.mark.django_db(transaction=True)

SEVERAL_WRITERS = ("postgresql", "mysql")

# What moves


def test_nothing_has_moved_where_nothing_was_written(ledger: Any) -> None:
    position = ledger.position()
    later = ledger.unmoved(["a", "b"], position)
    assert later is not None
    assert ledger.unmoved(["a", "b"], later) is not None
    assert ledger.unmoved(["a", "b"], position) is not None


def test_a_committed_write_moves_its_keys_and_no_others(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.move("a", "b")
    for keys in (["a"], ["b"], ["a", "b"], ["a", "x"], ["x", "b"], ["x", "a", "y"]):
        assert ledger.unmoved(keys, position) is None
    for keys in ([], ["x"], ["x", "y"]):
        assert ledger.unmoved(keys, position) is not None


def test_what_was_found_unmoved_once_may_move(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    assert ledger.unmoved(["a"], position) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["a"], position) is None


def test_what_moved_before_a_position_has_not_moved_since(ledger: Any, writer: Other) -> None:
    writer.move("a")
    position = ledger.position()
    assert ledger.unmoved(["a"], position) is not None
    writer.move("b")
    assert ledger.unmoved(["a"], position) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], position) is None


def test_everything_moves_every_key_and_none(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.move(EVERYTHING)
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved([], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def test_a_transaction_moves_its_keys_when_it_commits(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.begin()
    writer.move("a")
    assert ledger.unmoved(["a"], position) is not None
    writer.commit()
    assert ledger.unmoved(["a"], position) is None


def test_what_is_rolled_back_has_not_moved(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.begin()
    writer.move("a")
    during = ledger.position()
    writer.roll_back()
    assert ledger.unmoved(["a"], position) is not None
    assert ledger.unmoved(["a"], during) is not None


def test_of_a_savepoint_that_is_rolled_back_nothing_has_moved(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.begin()
    writer.move("a")
    writer.run("SAVEPOINT s")
    writer.move("b")
    writer.run("ROLLBACK TO SAVEPOINT s")
    writer.move("c")
    writer.commit()
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) is not None
    assert ledger.unmoved(["c"], position) is None


def test_what_was_written_in_a_savepoint_moves_with_its_transaction(
    ledger: Any, writer: Other
) -> None:
    writer.begin()
    writer.run("SAVEPOINT s")
    writer.move("a")
    writer.run("RELEASE SAVEPOINT s")
    position = ledger.position()
    writer.commit()
    assert ledger.unmoved(["a"], position) is None


# In which order


def test_a_transaction_that_began_before_the_position(ledger: Any, writer: Other) -> None:
    writer.begin()
    writer.move("a")
    position = ledger.position()
    writer.move("b")
    assert ledger.unmoved(["a", "b"], position) is not None
    writer.commit()
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) is None


def test_transactions_that_commit_in_another_order_than_they_began(
    ledger: Any, writer: Other, second: Other
) -> None:
    only_on(*SEVERAL_WRITERS)
    writer.begin()
    writer.move("a")
    second.move("b")
    position = ledger.position()
    assert ledger.unmoved(["a", "b"], position) is not None
    writer.commit()
    assert ledger.unmoved(["a"], position) is None
    # MariaDB cannot tell which line was late.
    assert connection.vendor == "mysql" or ledger.unmoved(["b"], position) is not None


def test_a_late_commit_under_later_ones(ledger: Any, writer: Other, second: Other) -> None:
    only_on(*SEVERAL_WRITERS)
    before = ledger.position()
    writer.begin()
    writer.move("a")
    second.move("b")
    between = ledger.position()
    second.move("c")
    writer.commit()
    second.move("d")
    for position in (before, between):
        assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def test_two_late_commits_in_the_other_order(ledger: Any, writer: Other, second: Other) -> None:
    only_on(*SEVERAL_WRITERS)
    writer.begin()
    writer.move("a")
    second.begin()
    second.move("b")
    position = ledger.position()
    second.commit()
    between = ledger.position()
    writer.commit()
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) is None
    assert ledger.unmoved(["a"], between) is None


# Renewed positions


def test_a_renewed_position_misses_nothing(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.move("b")
    later = ledger.unmoved(["a"], position)
    assert later is not None
    assert ledger.unmoved(["b"], later) is not None
    writer.move("c")
    latest = ledger.unmoved(["a", "b"], later)
    writer.move("a")
    for one in (position, later, latest):
        assert one is not None
        assert ledger.unmoved(["a"], one) is None


def test_a_position_that_is_renewed_while_somebody_writes(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.begin()
    writer.move("a")
    later = ledger.unmoved(["a"], position)
    assert later is not None
    latest = ledger.unmoved(["a"], later)
    assert latest is not None
    writer.commit()
    assert ledger.unmoved(["a"], later) is None
    assert ledger.unmoved(["a"], latest) is None


def test_a_commit_in_the_middle_of_a_question_is_not_lost(tables: None, writer: Other) -> None:
    """Before whichever of the ledger's statements it comes."""
    moves: list[Callable[[], None]] = []
    for statement in range(8):
        with harness.opened(between=lambda: moves.pop()() if moves else None) as ledger:
            position = ledger.position()
            writer.move("b")  # so that there is something to look for
            nothing: list[Callable[[], None]] = [lambda: None] * statement
            moves[:] = [lambda: writer.move("a"), *nothing]
            now = ledger.unmoved(["a"], position)
            while moves:
                moves.pop()()
            assert now is None or ledger.unmoved(["a"], now) is None


# Keys


@pytest.mark.parametrize("count", [0, 1, 2, 10, 1000])
def test_few_keys_and_many(ledger: Any, writer: Other, count: int) -> None:
    keys = [f"key {number}" for number in range(count)]
    position = ledger.position()
    assert ledger.unmoved(keys, position) is not None
    writer.move("other")
    assert ledger.unmoved(keys, position) is not None
    for key in {*keys[:1], *keys[-1:]}:
        position = ledger.position()
        writer.move(key)
        assert ledger.unmoved(keys, position) is None


ODD_KEYS = [
    "it's",
    'a "key"',
    "a `key`",
    "back\\slash",
    "100 %s",
    "%(keys)s",
    "?",
    "a,b",
    "{a,b}",
    "NULL",
    "null",
    "",
    " ",
    "-- x",
    "table\x1fcolumn\x1f1",
    "table\x1fcolumn\x1f*",
    "table\x1fcolumn\x1f12",
    "schlüssel",
    "SCHLÜSSEL",
    "schlussel",
    "表",
    "x" * 255,
    "x" * 254 + "ü",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_a_text_whatever_is_in_it(ledger: Any, writer: Other, key: str) -> None:
    others = [other for other in ODD_KEYS if other.strip() != key.strip()]
    position = ledger.position()
    writer.move(*others)
    assert ledger.unmoved([key], position) is not None
    position = ledger.position()
    writer.move(key)
    assert ledger.unmoved([key], position) is None
    assert ledger.unmoved(others, position) is not None


# Positions of readers


def test_a_reader_in_autocommit_has_a_position(ledger: Any, writer: Other, reader: Other) -> None:
    since = ledger.position()
    writer.move("a")
    position = ledger.position_of(reader.driver, since)
    assert position is not None
    assert ledger.unmoved(["a"], position) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], position) is None


def test_a_reader_has_none_since_everything_moved(
    ledger: Any, writer: Other, reader: Other
) -> None:
    since = ledger.position()
    writer.move(EVERYTHING)
    assert ledger.position_of(reader.driver, since) is None
    assert ledger.position_of(reader.driver, ledger.position()) is not None


def test_a_reader_in_a_snapshot_has_no_later_position(
    ledger: Any, writer: Other, reader: Other, request: pytest.FixtureRequest
) -> None:
    since = ledger.position()
    reader.pin()
    if connection.vendor == "sqlite" and reader.run("PRAGMA journal_mode") == [("delete",)]:
        pytest.skip("there a reader keeps writers waiting")
    writer.move("a")
    position = position_of(ledger, reader, since)
    assert reader.run(f"SELECT 1 FROM {LOG} WHERE {harness.KEY} = 'a'") == []
    assert position is None or ledger.unmoved(["a"], position) is None
    reader.roll_back()


def test_a_reader_in_a_transaction_without_statements(
    ledger: Any, writer: Other, reader: Other
) -> None:
    since = ledger.position()
    reader.begin()
    position = position_of(ledger, reader, since)
    reader.roll_back()
    writer.move("a")
    assert position is None or ledger.unmoved(["a"], position) is None


@pytest.mark.parametrize("end", [Other.commit, Other.roll_back], ids=["commit", "rollback"])
def test_a_reader_that_has_written(
    ledger: Any, reader: Other, end: Callable[[Other], None]
) -> None:
    """It sees what nobody else sees, and maybe nobody ever will."""
    since = ledger.position()
    reader.begin()
    reader.move("a")
    position = position_of(ledger, reader, since)
    assert position is None or ledger.unmoved(["a"], position) is None
    end(reader)
    if end is Other.roll_back:
        reader.move("a")  # by the same number, where numbers come back
        assert position is None or ledger.unmoved(["a"], position) is None


@pytest.mark.parametrize("begin", [Other.begin, Other.pin], ids=["begun", "read"])
@pytest.mark.parametrize("written", [False, True], ids=["", "written"])
def test_a_reader_in_a_transaction_is_refused(
    ledger: Any, reader: Other, begin: Callable[[Other], None], written: bool
) -> None:
    """Where nothing tells from which position its next statement reads."""
    only_on(*SEVERAL_WRITERS)
    since = ledger.position()
    begin(reader)
    if written:
        reader.move("a")
    with pytest.raises(LedgerError, match="under way"):
        ledger.position_of(reader.driver, since)
    reader.roll_back()
    assert ledger.position_of(reader.driver, since) is not None


def test_a_reader_that_is_closed_is_refused_and_nobody_else(ledger: Any, reader: Other) -> None:
    since = ledger.position()
    driver = reader.driver
    reader.close()
    with pytest.raises(LedgerError):
        ledger.position_of(driver, since)
    assert ledger.unmoved(["a"], since) is not None
    assert ledger.position_of(reader.driver, since) is not None


# Compaction


def test_compaction_leaves_nothing_unmoved_that_has_moved(ledger: Any, writer: Other) -> None:
    positions = [ledger.position()]
    writer.move("b")
    positions.append(ledger.position())
    writer.move("a")
    for _ in range(5):
        writer.move("b")
        compact(ledger)
        for position in positions:
            assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def test_a_position_from_before_the_horizon_is_judged_no_more(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.move("a")
    compact(ledger)
    compact(ledger)
    assert ledger.unmoved(["b"], position) is None
    assert ledger.unmoved([], position) is None


def test_a_position_from_after_a_compaction_outlives_the_next(ledger: Any, writer: Other) -> None:
    writer.move("a", "b")
    compact(ledger)
    position = ledger.position()
    compact(ledger)
    assert ledger.unmoved(["a", "b"], position) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["b"], position) is not None


def test_a_position_that_is_renewed_lives_for_ever(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    for _ in range(5):
        writer.move("b", "c")
        compact(ledger)
        position = ledger.unmoved(["a"], position)
        assert position is not None
    writer.move("a")
    assert ledger.unmoved(["a"], position) is None


def test_what_an_open_transaction_wrote_is_not_forgotten(
    ledger: Any, writer: Other, second: Other
) -> None:
    only_on(*SEVERAL_WRITERS)
    writer.begin()
    writer.move("a")
    second.move("b", "c")
    positions = [ledger.position()]
    for _ in range(3):
        second.move("b")
        compact(ledger)
        positions.append(ledger.position())
    writer.commit()
    for position in positions:
        assert ledger.unmoved(["a"], position) is None


def test_a_short_log_is_not_compacted(ledger: Any, writer: Other) -> None:
    position = ledger.position()
    writer.move("a", "b")
    if connection.vendor == "postgresql":
        writer.run(f"ANALYZE {LOG}")  # it is the server's own estimate that counts
    assert not ledger.compact()
    assert not ledger.compact()
    assert ledger.unmoved(["c"], position) is not None


# Connections, tables, backups


def test_a_position_ends_with_the_connection(ledger: Any, reader: Other) -> None:
    position = ledger.position()
    ledger.close()
    assert ledger.unmoved([], position) is None
    assert ledger.position_of(reader.driver, position) is None
    again = ledger.position()
    assert ledger.unmoved(["a"], again) is not None
    ledger.close()
    ledger.close()
    assert ledger.unmoved(["a"], again) is None


def test_a_connection_that_is_cut_is_made_anew(
    ledger: Any, writer: Other, reader: Other, tmp_path: Path
) -> None:
    position = ledger.position()
    harness.cut(ledger, tmp_path)
    try:
        assert ledger.unmoved(["a"], position) is None
    except LedgerError:
        assert connection.vendor != "sqlite"
    assert ledger.unmoved(["a"], position) is None
    again = ledger.position()
    assert ledger.position_of(reader.driver, again) is not None
    assert ledger.unmoved(["a"], again) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], again) is None


def test_without_tables_there_is_no_ledger(ledger: Any, writer: Other, reader: Other) -> None:
    writer.move("a")
    position = ledger.position()
    harness.drop_tables()
    _refuses(ledger, reader, position)
    with pytest.raises(LedgerError):
        ledger.compact()
    harness.make_tables()
    assert ledger.unmoved([], position) is None
    again = ledger.position()
    assert ledger.unmoved(["a"], again) is not None
    writer.move("a")
    assert ledger.unmoved(["a"], again) is None


def test_without_its_line_there_is_no_ledger(ledger: Any, reader: Other) -> None:
    position = ledger.position()
    harness.empty_ledger()
    _refuses(ledger, reader, position)
    harness.make_tables()
    assert ledger.unmoved([], position) is None
    assert ledger.unmoved(["a"], ledger.position()) is not None


def _refuses(ledger: Any, reader: Other, position: Any) -> None:
    with pytest.raises(LedgerError):
        ledger.unmoved(["a"], position)
    with pytest.raises(LedgerError):
        ledger.unmoved([], position)
    with pytest.raises(LedgerError):
        ledger.position()
    with pytest.raises(LedgerError):
        ledger.position_of(reader.driver, position)


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_what_was_read_after_a_backup_is_not_unmoved_once_it_is_back(
    ledger: Any, writer: Other, tmp_path: Path, written: int
) -> None:
    """Also where as many lines are written anew as were lost, or more."""
    writer.move("a", "b")
    writer.close()
    put_back = harness.back_up(tmp_path)
    writer.move("a", "b")
    position = ledger.position()
    assert ledger.unmoved(["x"], position) is not None
    writer.close()
    put_back()
    writer.move(*["c"] * written)
    assert ledger.unmoved(["a", "b"], position) is None
    assert ledger.unmoved(["x"], position) is None
    again = ledger.position()
    writer.move("a")
    assert ledger.unmoved(["a"], again) is None
    assert ledger.unmoved(["b"], again) is not None


def test_what_was_compacted_after_a_backup_is_back_with_it(
    ledger: Any, writer: Other, tmp_path: Path
) -> None:
    writer.move("a", "b")
    writer.close()
    put_back = harness.back_up(tmp_path)
    writer.move("a")
    compact(ledger)
    compact(ledger)
    position = ledger.position()
    writer.close()
    put_back()
    writer.move("b")
    assert ledger.unmoved(["a"], position) is None
    assert ledger.unmoved(["x"], position) is None


# All together


def test_threads_that_share_it_in_turn(ledger: Any) -> None:
    lock = threading.Lock()
    errors: list[BaseException] = []

    def write_and_ask(name: str) -> None:
        try:
            with harness.another() as other:
                for _ in range(15):
                    with lock:
                        position = ledger.position()
                    other.move(name)
                    with lock:
                        assert ledger.unmoved([name], position) is None
                        assert ledger.unmoved([name], ledger.position()) is not None
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write_and_ask, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_the_clock_tells_when_a_position_was_taken(
    ledger: Any, writer: Other, reader: Other
) -> None:
    position = None
    last = time.time() - 1  # the server's clock is this machine's, give or take a rounding
    for _ in range(3):
        position = ledger.position() if position is None else position
        assert last <= ledger.clock <= time.time() + 1
        last = ledger.clock
        time.sleep(0.002)
        assert ledger.position_of(reader.driver, position) is not None
        assert last < ledger.clock <= time.time() + 1
        last = ledger.clock
        writer.move("b")
        position = ledger.unmoved(["a"], position)
        assert last <= ledger.clock <= time.time() + 1
        last = ledger.clock


@pytest.mark.parametrize("seed", range(6))
def test_random_histories(ledger: Any, seed: int) -> None:
    history = harness.History(ledger, seed)
    history.run(300)
    assert history.kept > 5  # otherwise nothing has been shown
    assert history.gone > 5
