"""Protocols for a ledger outside the database: which keep the promise, and which do not.

Rules of this module:

- A scenario is no larger than it has to be: what breaks a protocol is in it, and for one that keeps
  the promise whatever breaks its neighbours.
"""

from __future__ import annotations

from typing import Any, Final

from tests.model import store
from tests.model.protocol import Variant
from tests.model.steps import begin, commit, query
from tests.model.store import bump, mark, note_position, note_token, unmark
from tests.model.world import Transaction, two_queries

FIRST: Final = Transaction("first writer", ("a",))
SECOND: Final = Transaction("second writer", ("a",))
OTHER: Final = Transaction("other writer", ("b",))
BOTH: Final = Transaction("writer of both", ("a", "b"))

READ: Final = (note_token, query)
READ_MARKED: Final = (store.find_no_mark, note_token, query)
MARKED: Final = (begin, mark, commit, bump, unmark)


def tokens(name: str, **changes: Any) -> Variant:
    """Tokens of keys, noted before each query; a record holds as long as they are the same."""
    defaults: dict[str, Any] = {
        "writer": MARKED,
        "readers": (READ_MARKED,),
        "closing": (),
        "asking": (store.unmarked, store.same_tokens),
        "writers": (FIRST, SECOND),
    }
    return Variant(name, **{**defaults, **changes})


def sequence(name: str, **changes: Any) -> Variant:
    """One position at the start, per-writer marks, and nothing moved past it at the end."""
    defaults: dict[str, Any] = {
        "writer": MARKED,
        "readers": ((note_position, query, query),),
        "closing": (store.unmarked, store.unmoved),
        "asking": (store.read_present, store.unmarked, store.unmoved),
        "writers": (BOTH, SECOND),
        "page": two_queries,
    }
    return Variant(name, **{**defaults, **changes})


MARKED_WITH_ANSWER: Final = (
    begin,
    mark,
    steps.send_commit,
    steps.answered,
    steps.session_ended,
    bump,
    unmark,
)

SOUND: Final = (
    tokens("per-writer marks, tokens before the query", faults=(steps.crash,)),
    tokens("the same with one more reader", readers=(READ_MARKED, READ_MARKED)),
    tokens(
        "a dirty flag with one writer",
        writer=(begin, store.raise_flag, commit, bump, store.lower_flag),
        writers=(FIRST,),
        faults=(steps.crash,),
    ),
    tokens(
        "bump after commit, no crash, asked when all is quiet",
        writer=(begin, commit, bump),
        asking=(store.same_tokens,),
        readers=(READ,),
        patient=True,
    ),
    tokens(
        "bumps before and after commit, no crash, asked when all is quiet",
        writer=(begin, bump, commit, bump),
        asking=(store.same_tokens,),
        readers=(READ,),
        patient=True,
    ),
    tokens(
        "tokens in the database, read before the query",
        writer=(begin, commit),
        readers=((store.note_token_in_database, query),),
        asking=(store.same_tokens_in_database,),
        faults=(steps.crash, steps.roll_back),
    ),
    tokens(
        "tokens in the database, read before each of two",
        writer=(begin, commit),
        readers=(
            (store.note_token_in_database, query) * 2,
            (pin, *(store.note_token_in_database, query) * 2),
        ),
        asking=(store.same_tokens_in_database,),
        faults=(steps.crash, steps.roll_back),
        writers=(BOTH, SECOND, OTHER),
        page=two_queries,
    ),
    tokens(
        "per-writer marks, page of two in two snapshots",
        readers=(READ_MARKED * 2,),
        writers=(BOTH, SECOND),
        page=two_queries,
    ),
    tokens(
        "cleared when process dies, sync", events=(store.dead_are_cleared,), faults=(steps.crash,)
    ),
    tokens(
        "cleared when session ended, in flight",
        writer=MARKED_WITH_ANSWER,
        events=(store.dead_are_cleared_after_their_sessions,),
        faults=(steps.crash,),
    ),
    sequence("sequence"),
    sequence("sequence pin", readers=((note_position, pin, query, query),)),
    sequence(
        "sequence two readers",
        readers=((note_position, pin, query, query), (note_position, query, query)),
        faults=(steps.crash,),
        requests=2,
    ),
    sequence(
        "sequence async",
        writer=MARKED_WITH_ANSWER,
        events=(store.dead_are_cleared_after_their_sessions,),
        faults=(steps.crash, steps.cut_off),
        requests=2,
    ),
    sequence("sequence late", page=key_from_a_row, faults=(steps.crash,), writers=(BOTH, OTHER)),
    sequence(
        "sequence flush",
        readers=((store.note_position_in_quiet, query, query),) * 2,
        faults=(steps.crash, store.flush_numbers),
    ),
    sequence(
        "sequence closing nothing",
        closing=(),
        faults=(steps.crash,),
        readers=((note_position, query, query), (note_position, pin, query, query)),
    ),
)
