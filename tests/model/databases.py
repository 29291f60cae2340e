"""The ledgers in the database: what they withstand, what they do not, and what is planted to break
them.

Rules of this module:

- All three are put through the same scenarios.
- A defect is tried in a scenario that the unaltered ledger withstands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.model import altered, log, steps
from tests.model.ledgers import Ledger, Mysql, Postgresql, Sqlite
from tests.model.protocol import Step, Variant
from tests.model.steps import pin, query
from tests.model.variants import BOTH, FIRST, OTHER, SECOND
from tests.model.world import Fault, Transaction, key_from_a_row, one_query, two_queries

OWN: Final = Transaction("reader's own", ("a",))
LEDGERS: Final = (Sqlite(), Postgresql(), Mysql())


def judged_by(ledger: Ledger, scenario: str, **changes: Any) -> Variant:
    """A position before the first query, and one question at the end and for each request."""
    defaults: dict[str, Any] = {
        "writer": (log.write_to(ledger), steps.commit),
        "readers": (plain(ledger),),
        "closing": (log.unmoved_in(ledger),),
        "asking": (log.unmoved_in(ledger),),
        "writers": (BOTH, OTHER),
        "page": two_queries,
        "database": ledger.born(),
    }
    return Variant(f"{ledger.name}: {scenario}", **{**defaults, **changes})


def plain(ledger: Ledger) -> tuple[Step, ...]:
    """A reader in autocommit."""
    return log.position_in(ledger), query, query


def in_one_snapshot(ledger: Ledger) -> tuple[Step, ...]:
    """A reader all of whose queries see the same."""
    return log.position_in(ledger), pin, query, query


def in_older_snapshot(ledger: Ledger) -> tuple[Step, ...]:
    """The same, after a statement that nobody recorded."""
    return pin, *plain(ledger)


def out_of_order(ledger: Ledger) -> Variant:
    return judged_by(ledger, "commits in any order, three requests", requests=3)


def own_writes(ledger: Ledger) -> Variant:
    """One of two readers has written before; that is committed or rolled back at any time."""
    return judged_by(
        ledger,
        "own writes",
        readers=((log.write_own_to(ledger, OWN), *plain(ledger)), plain(ledger)),
        writers=(OTHER,),
        events=(steps.own_transaction_ends,),
    )


def compaction(ledger: Ledger) -> Variant:
    return judged_by(
        ledger,
        "compaction",
        page=one_query,
        writers=(FIRST, OTHER),
        faults=(log.compact_in(ledger),) * 3,
        requests=2,
    )


def backup(ledger: Ledger, put_back: Fault, scenario: str) -> Variant:
    return judged_by(
        ledger, scenario, writers=(FIRST, SECOND), faults=(steps.take_backup, put_back)
    )


def withstood_by(ledger: Ledger) -> Iterator[Variant]:
    """The scenarios that each of the three withstands."""
    yield out_of_order(ledger)
    yield judged_by(
        ledger,
        "crash, rollback, COMMIT that lands later",
        writer=(log.write_to(ledger), steps.send_commit, steps.answered),
        faults=(steps.crash, steps.roll_back),
        requests=2,
    )
    yield judged_by(
        ledger,
        "one snapshot, and one that is older than the position",
        readers=(in_one_snapshot(ledger), in_older_snapshot(ledger)),
    )
    yield judged_by(ledger, "key learned late", page=key_from_a_row, requests=2)
    yield own_writes(ledger)
    yield compaction(ledger)
    yield judged_by(
        ledger,
        "nothing asked at the end, but of each request since the start",
        readers=(plain(ledger), in_one_snapshot(ledger)),
        closing=(),
    )


def breaking(ledger: Ledger) -> Iterator[Variant]:
    """What breaks each of the three."""
    position, unmoved = log.position_in(ledger), log.unmoved_in(ledger)
    present = log.present_in(ledger)
    yield judged_by(ledger, "position after the first query", readers=((query, position, query),))
    yield judged_by(ledger, "nothing asked at the end, position of the end", closing=(present,))
    yield judged_by(
        ledger,
        "position renewed by a second question",
        asking=(log.unmoved_alone_in(ledger), present),
        requests=2,
    )
    yield judged_by(
        ledger,
        "only the key known at the start asked for",
        page=key_from_a_row,
        closing=(steps.of_first_key(unmoved),),
        asking=(steps.of_first_key(unmoved),),
    )


KEPT: Final = (
    *(variant for ledger in LEDGERS for variant in withstood_by(ledger)),
    backup(Sqlite(), steps.load_backup_between_pages, "backup put back"),
    backup(Sqlite(), steps.restart_from_backup, "backup put back in a render"),
    backup(Postgresql(), steps.restart_from_backup, "restart with less than was shown"),
    backup(Mysql(), steps.restart_from_backup, "restart with less than was shown"),
    backup(Mysql(), steps.load_backup_between_pages, "backup loaded"),
    # Each of the two is enough.
    compaction(altered.MysqlWithoutHorizon()),
    compaction(altered.MysqlWithoutForgotten()),
)
"""Those that keep the promise."""

BROKEN: Final = (
    *(variant for ledger in LEDGERS for variant in breaking(ledger)),
    # What the ledgers do not withstand as they are: the position is in the backup, too, and what
    # was read after it is not.
    backup(altered.SqliteOfAnyFile(), steps.restart_from_backup, "backup put back in a render"),
    backup(Mysql(), steps.load_backup, "backup loaded in a render"),
    out_of_order(altered.LastNumber()),
    out_of_order(altered.PostgresqlWithoutRunning()),
    own_writes(altered.SqliteAskedElsewhere()),
    own_writes(altered.PostgresqlInTransactions()),
    own_writes(altered.MysqlAskedElsewhere()),
    own_writes(altered.SqliteWithoutStamps()),
    compaction(altered.SqliteWithoutHorizon()),
    compaction(altered.PostgresqlWithoutHorizon()),
    compaction(altered.MysqlWithoutEither()),
    backup(altered.SqliteWithoutStamps(), steps.load_backup_between_pages, "backup put back"),
    backup(altered.PostgresqlOfAllLives(), steps.restart_from_backup, "restart"),
    backup(altered.MysqlCount(), steps.load_backup_between_pages, "backup loaded"),
)
"""Those that break it."""
