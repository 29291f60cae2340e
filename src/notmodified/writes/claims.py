"""Who says that a connection writes, before it does, and takes it back when that has ended: for
tokens, by what is written; for the ledger in shared memory, that anything is.

Rule of this module: a claim that cannot be made is an error, so that nothing is written unsaid.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Protocol

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified import conf
from notmodified.ledger.shared.memory import SharedMemory, SharedMemoryError
from notmodified.ledger.store import NO_CLAIM, StoreError
from notmodified.ledger.stores import store_for
from notmodified.ledger.tokens import Tokens
from notmodified.writes.dependencies import Keys, watched
from notmodified.writes.shared import memory_of, session_of
from notmodified.writes.statements import may_write, writes_of

MOST_KEYS: Final = 256
"""A statement that moves more than so many single rows counts as one that may move any row."""

logger = logging.getLogger("notmodified")


class TokenStoreError(DatabaseError):
    """The marks of a write could not be stored, so the statement was not run."""


class MarkError(DatabaseError):
    """A write could not be marked in shared memory, so the statement was not run."""


class Claim(Protocol):
    """One connection's claim: of nothing, as long as it writes nothing."""

    def is_wanted(self) -> bool:
        """Whether there is anybody to whom writes make a difference."""

    def before(self, sql: str, params: Any, many: bool) -> None:
        """A statement is about to be run."""

    def before_anything(self) -> None:
        """Something is about to be done of which nobody knows what it writes."""

    def release(self) -> None:
        """What was claimed has been committed or rolled back."""

    def lose(self) -> None:
        """Nobody knows what becomes of it, so the claim stays."""

    def is_transactional(self) -> bool:
        """Whether releasing it is a statement of the same connection."""


def tokens() -> Tokens:
    """The tokens in the cache ``NOTMODIFIED["CACHE"]``."""
    return Tokens(store_for(conf.current().CACHE))


class TokenClaim:
    """Marks on the tokens of what is written."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._claim = NO_CLAIM

    def is_wanted(self) -> bool:
        return bool(watched())

    def before(self, sql: str, params: Any, many: bool) -> None:
        new = self._keys_of(sql, params, many) - self._claim.stamps.keys()
        if not new:
            return
        try:
            self._claim = tokens().mark(new, self._claim)
        except StoreError as error:
            raise TokenStoreError(
                f"A write to a model in NOTMODIFIED['WATCH'] could not be marked, so the statement "
                f"was not run: {error}"
            ) from error

    def before_anything(self) -> None:
        """Tokens do not see it, and the guarantees say so."""

    def release(self) -> None:
        claim, self._claim = self._claim, NO_CLAIM
        if not claim.stamps:
            return
        try:
            tokens().release(claim)
        except StoreError:
            # The write has ended and cannot be undone. Its marks stay, so nothing becomes stale.
            logger.exception("tokens: %d marks could not be taken back", len(claim.stamps))

    def lose(self) -> None:
        self._claim = NO_CLAIM

    def is_transactional(self) -> bool:
        return tokens().transactional

    def _keys_of(self, sql: str, params: Any, many: bool) -> set[str]:
        writes = writes_of(sql, self._connection.vendor)
        if writes == ():
            return set()
        maker = Keys(self._connection)
        keys: set[str] = set()
        for parameters in params if many else [params]:
            positional = parameters if isinstance(parameters, list | tuple) else None
            keys |= maker.moved_by(writes, positional)
            if len(keys) > MOST_KEYS:
                return keys | maker.moved_by(writes and [w.anywhere() for w in writes], None)
        return keys


class SharedClaim:
    """A mark in shared memory, from the first statement that may write to the transaction's end."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._mark: tuple[SharedMemory, int] | None = None

    def is_wanted(self) -> bool:
        return conf.current().LEDGER == conf.SHARED

    def before(self, sql: str, params: Any, many: bool) -> None:
        if self._mark is None and may_write(sql, self._connection.vendor):
            self.before_anything()

    def before_anything(self) -> None:
        if self._mark is not None:
            return
        try:
            memory = memory_of(self._connection)
            if memory is not None:
                self._mark = memory, memory.mark(session_of(self._connection))
        except SharedMemoryError as error:
            raise MarkError(
                f"A write could not be marked in shared memory, so it was not made: {error}."
            ) from error

    def release(self) -> None:
        mark, self._mark = self._mark, None
        if mark is not None:
            memory, place = mark
            memory.release(place)

    def lose(self) -> None:
        mark, self._mark = self._mark, None
        if mark is not None:
            memory, place = mark
            memory.lose(place)

    def is_transactional(self) -> bool:
        return False
