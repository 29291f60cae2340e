"""Protocols for a ledger outside the database: those that keep the promise, those that break it.

Rules of this module:

- Each is `tokens`, `without_marks`, `in_database` or `sequence`, with what is said beside it.
- A scenario is no larger than it has to be; a protocol that keeps the promise has in its own what
  breaks those next to it.
"""

from __future__ import annotations

from typing import Any, Final

from tests.model import steps, store
from tests.model.protocol import Variant
from tests.model.steps import begin, commit, pin, query
from tests.model.store import bump, find_no_mark, mark, note_position, note_token, unmark
from tests.model.world import Transaction, key_from_a_row, two_queries

FIRST: Final = Transaction("first", ("a",))
SECOND: Final = Transaction("second", ("a",))
OTHER: Final = Transaction("other", ("b",))
BOTH: Final = Transaction("both", ("a", "b"))

SENDS: Final = (begin, mark, steps.send_commit, steps.answered)
"""A writer that may die, or be cut off, while its COMMIT is on its way."""

FINDS: Final = (find_no_mark, note_token, query)
NOTES_IN_DATABASE: Final = (store.note_token_in_database, query)


def tokens(name: str, **changes: Any) -> Variant:
    """A token before each query, and per-writer marks."""
    defaults: dict[str, Any] = {
        "writer": (begin, mark, commit, bump, unmark),
        "readers": (FINDS,),
        "closing": (),
        "asking": (store.unmarked, store.same_tokens),
        "writers": (FIRST, SECOND),
    }
    return Variant(name, **{**defaults, **changes})


def without_marks(name: str, **changes: Any) -> Variant:
    """A token before the query, and nothing else."""
    defaults: dict[str, Any] = {
        "readers": ((note_token, query),),
        "asking": (store.same_tokens,),
    }
    return tokens(name, **{**defaults, **changes})


def in_database(name: str, **changes: Any) -> Variant:
    """Tokens that change in the transactions of their writers."""
    defaults: dict[str, Any] = {
        "writer": (begin, commit),
        "readers": (NOTES_IN_DATABASE,),
        "asking": (store.same_tokens_in_database,),
        "faults": (steps.crash, steps.roll_back),
    }
    return tokens(name, **{**defaults, **changes})


def sequence(name: str, **changes: Any) -> Variant:
    """One position at the start, per-writer marks, and nothing moved past it at the end."""
    defaults: dict[str, Any] = {
        "writer": (begin, mark, commit, bump, unmark),
        "readers": ((note_position, query, query),),
        "closing": (store.unmarked, store.unmoved),
        "asking": (store.read_present, store.unmarked, store.unmoved),
        "writers": (BOTH, OTHER),
        "page": two_queries,
    }
    return Variant(name, **{**defaults, **changes})


KEPT: Final = (
    without_marks(
        "bump after commit, no crash, asked when all is quiet",
        writer=(begin, commit, bump),
        patient=True,
    ),
    without_marks(
        "bumps before and after commit, no crash, asked when all is quiet",
        writer=(begin, bump, commit, bump),
        patient=True,
    ),
    tokens(
        "dirty flag, one writer",
        writer=(begin, store.raise_flag, commit, bump, store.lower_flag),
        writers=(FIRST,),
        faults=(steps.crash,),
    ),
    tokens("per-writer mark, token before the query", faults=(steps.crash,)),
    tokens("the same, two readers", readers=(FINDS, FINDS)),
    tokens(
        "per-writer mark, tokens before each of two queries that see the present",
        readers=(FINDS * 2,),
        writers=(BOTH, OTHER),
        page=two_queries,
    ),
    tokens(
        "marks freed when the process dies, COMMIT dies with it",
        events=(store.dead_are_cleared,),
        faults=(steps.crash,),
    ),
    tokens(
        "marks freed when the database's session has ended, COMMIT lands later",
        writer=(*SENDS, bump, unmark),
        events=(store.dead_are_cleared_after_their_sessions,),
        faults=(steps.crash,),
    ),
    tokens(
        "random tokens, flush, asked when all is quiet",
        faults=(store.flush_tokens,),
        patient=True,
    ),
    in_database("tokens in the database, read before the query"),
    in_database(
        "tokens in the database, read before each of two queries",
        readers=(NOTES_IN_DATABASE * 2, (pin, *NOTES_IN_DATABASE * 2)),
        writers=(BOTH, OTHER),
        page=two_queries,
    ),
    sequence("sequence"),
    sequence("sequence, one snapshot", readers=((note_position, pin, query, query),)),
    sequence(
        "sequence, crash, two readers, two requests",
        readers=((note_position, pin, query, query), (note_position, query, query)),
        faults=(steps.crash,),
        requests=2,
    ),
    sequence(
        "sequence, COMMIT that errs and lands later",
        writer=(*SENDS, steps.session_ended, bump, unmark),
        events=(store.dead_are_cleared_after_their_sessions,),
        faults=(steps.crash, steps.cut_off),
    ),
    sequence(
        "sequence, key learned late",
        page=key_from_a_row,
        faults=(steps.crash, steps.roll_back),
    ),
    sequence(
        "sequence, flush, epoch and quiet",
        readers=((store.note_position_in_quiet, query, query),),
        writer=(*SENDS, bump, unmark),
        faults=(steps.crash, store.flush_numbers),
    ),
    sequence(
        "sequence, nothing asked at the end: the record is older, and is asked later",
        readers=((note_position, query, query), (note_position, pin, query, query)),
        closing=(),
    ),
)
"""Those that keep the promise."""

BROKEN: Final = (
    without_marks("nothing asked", asking=(store.ask_nothing,), writer=(begin, commit)),
    without_marks("bump before commit", writer=(begin, bump, commit)),
    without_marks("bump after commit", writer=(begin, commit, bump)),
    without_marks(
        "bump after commit, crash, asked when all is quiet",
        writer=(begin, commit, bump),
        faults=(steps.crash,),
        patient=True,
    ),
    without_marks("bumps before and after commit", writer=(begin, bump, commit, bump)),
    without_marks(
        "bumps before and after commit, crash, asked when all is quiet",
        writer=(begin, bump, commit, bump),
        faults=(steps.crash,),
        patient=True,
    ),
    tokens(
        "dirty flag, two writers",
        writer=(begin, store.raise_flag, commit, bump, store.lower_flag),
    ),
    tokens(
        "per-writer mark, token after the query",
        readers=((find_no_mark, query, store.note_token_after),),
        closing=(store.unmarked,),
    ),
    tokens("token asked before the marks", asking=(store.same_tokens, store.unmarked)),
    tokens(
        "per-writer mark, tokens before each of two queries in one snapshot",
        readers=((find_no_mark, note_token, pin, query, *FINDS),),
        writers=(BOTH, OTHER),
        page=two_queries,
    ),
    tokens("snapshot older than the token", readers=((pin, *FINDS),)),
    sequence("snapshot older than the position", readers=((pin, note_position, query, query),)),
    tokens(
        "counters for tokens, flush, asked when all is quiet",
        writer=(begin, mark, commit, store.bump_counters, unmark),
        faults=(store.flush_numbers,),
        patient=True,
    ),
    tokens("random tokens, flush, no epoch", faults=(store.flush_tokens,)),
    sequence(
        "sequence, flush, no epoch",
        closing=(store.unmarked, store.unmoved_in_any_epoch),
        asking=(store.read_present, store.unmarked, store.unmoved_in_any_epoch),
        faults=(store.flush_numbers,),
    ),
    sequence("sequence, flush, epoch but no quiet", faults=(store.flush_numbers,)),
    tokens("mark with a time limit", faults=(store.mark_expires,)),
    tokens(
        "marks freed when the process dies, COMMIT lands later",
        writer=(*SENDS, bump, unmark),
        events=(store.dead_are_cleared,),
        faults=(steps.crash,),
    ),
    sequence(
        "mark freed by an error of COMMIT that lands later",
        writer=(*SENDS, bump, unmark),
        faults=(steps.cut_off,),
    ),
    tokens(
        "lagging replica, tokens",
        readers=((find_no_mark, note_token, steps.query_replica),),
        events=(steps.replica_catches_up,),
    ),
    sequence(
        "lagging replica, sequence",
        readers=((note_position, steps.query_replica, steps.query_replica),),
        events=(steps.replica_catches_up,),
    ),
    in_database(
        "tokens in the database, read after the query",
        readers=((query, store.note_token_in_database_after),),
    ),
    sequence(
        "sequence, the record takes a position read after the questions",
        asking=(store.unmarked, store.unmoved, store.read_present),
        requests=2,
    ),
    sequence(
        "sequence, only the key known at the start asked for",
        closing=(store.unmarked, steps.of_first_key(store.unmoved)),
        asking=(store.read_present, store.unmarked, steps.of_first_key(store.unmoved)),
        page=key_from_a_row,
        writers=(FIRST, OTHER),
    ),
)
"""Those that break it."""
