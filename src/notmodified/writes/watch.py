"""Watches each connection's statements, for those who claim what they write.

Per connection, while somebody wants to know: a statement that writes is claimed before it runs;
when its transaction has ended, that is released. How a transaction ends is seen at
``_commit``, ``_rollback`` and ``close`` of the connection, wrapped on the object itself, because
``on_commit`` knows nothing of a rollback and is dropped when an earlier callback raises; and the
driver is asked, because a transaction can be begun and ended by SQL too.

Rules of this module:

- If the claim cannot be made, the statement fails: nothing was written, and nothing is stale.
- Where nobody knows whether a statement or a COMMIT has been carried out (a connection lost, a
  worker interrupted), the claims stay.
- Under ``TestCase`` the test's own transaction counts as the world around it.
- A token may be used in a transaction only as long as that has read nothing: in a snapshot the
  view would read a past that the token has left behind. The same holds while a cursor of SQLite is
  still being read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from threading import get_ident
from typing import Any, Final
from weakref import WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from notmodified.sql.text import without_front
from notmodified.writes.claims import Claim, SharedClaim, TokenClaim
from notmodified.writes.rows import Fetched, Reading, Rows
from notmodified.writes.statements import writes_of

_ATTRIBUTE: Final = "_notmodified_watch"
_BEGINS: Final = re.compile(
    r"BEGIN|START\s+TRANSACTION|XA\s|SET\b.*\bautocommit\s*=\s*(?:0|OFF)|.*\bAND\s+CHAIN\b",
    re.IGNORECASE | re.DOTALL,
)
_ENDS: Final = re.compile(
    r"COMMIT|ROLLBACK(?!\s+(?:\w+\s+)?TO\b)|XA\s+(?:COMMIT|ROLLBACK)"
    r"|SET\b.*\bautocommit\s*=\s*(?:1|ON)",
    re.IGNORECASE | re.DOTALL,
)


_CONTROL: Final = re.compile(
    r"\s*(?:BEGIN|START|SAVEPOINT|RELEASE|SET)\b(?!.*\b(?:SNAPSHOT|SELECT)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Statements that read nothing of the data, and pin no state of it."""


class Watch:
    """What is under way on one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._claims: tuple[Claim, ...] = (SharedClaim(connection), TokenClaim(connection))
        self._touched = False
        self._begun_by_sql = False
        self._being_read: WeakSet[Reading] = WeakSet()
        # First, because who takes a wrapper of theirs away again takes the last.
        connection.execute_wrappers.insert(0, self._execute)
        for name in ("_commit", "_rollback", "close"):
            setattr(connection, name, self._ending(getattr(connection, name)))
        connection.set_autocommit = self._settling(connection.set_autocommit)  # type: ignore[method-assign]

    def in_transaction(self) -> bool:
        """Whether a transaction is open, apart from those that a ``TestCase`` opened."""
        connection = self._connection
        if connection.in_atomic_block:
            blocks: list[Any] = connection.atomic_blocks
            return not all(block._from_testcase for block in blocks)
        if connection.connection is None:
            return False
        return not connection.autocommit or self._driver_in_transaction()

    def _driver_in_transaction(self) -> bool:
        driver: Any = self._connection.connection
        if self._connection.vendor == "sqlite":
            return bool(driver.in_transaction)
        if self._connection.vendor == "postgresql":
            return bool(driver.info.transaction_status)  # 0 is idle
        return self._begun_by_sql

    def before_anything(self) -> None:
        """Something is about to be done on the connection of which nobody knows what it writes. It
        counts as over when no transaction is open at the next statement, or at the end."""
        for claim in self._claims:
            if claim.is_wanted():
                claim.before_anything()

    def sees_present(self) -> bool:
        """Whether what the next statement reads is what is committed by now."""
        self._settle()
        return not self._touched and not self._being_read

    def _execute(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        claims = [claim for claim in self._claims if claim.is_wanted()]
        if not claims:
            return execute(sql, params, many, context)
        if many:
            params = list(params)  # a generator can be read once
        cursor = context["cursor"]
        if isinstance(cursor.cursor, Rows):
            cursor.cursor = cursor.cursor.cursor
        self._settle()
        try:
            for claim in claims:  # where one cannot be made, the others are taken back
                claim.before(str(sql), params, many)
            result = execute(sql, params, many, context)
        except BaseException as error:
            if not self.in_transaction():
                self._ended(error)
            raise
        if self._connection.vendor == "sqlite" and cursor.description is not None:
            writes = writes_of(str(sql), "sqlite") != ()
            cursor.cursor = (
                Fetched(cursor.cursor) if writes else Reading(cursor.cursor, self._being_read)
            )
        if self._connection.vendor == "mysql":
            self._notice_control(sql)
        self._touched = self.in_transaction() and (self._touched or not _CONTROL.match(str(sql)))
        self._settle()
        return result

    def _notice_control(self, sql: str) -> None:
        """The one driver that does not tell whether a transaction is open: read the statement."""
        control = without_front(str(sql))
        if _ENDS.match(control):
            self._begun_by_sql = False
        if _BEGINS.match(control) and not (_ENDS.match(control) and control[:2].upper() == "XA"):
            self._begun_by_sql = True

    def _release(self) -> None:
        for claim in self._claims:
            claim.release()

    def _settle(self) -> None:
        """Notice that no transaction is open, however it ended."""
        if not self.in_transaction():
            self._touched = False
            self._release()

    def _ended(self, error: BaseException | None) -> None:
        """A statement outside a transaction, or a transaction, has ended."""
        if error is not None:
            if not self._session_answers():
                for claim in self._claims:
                    claim.lose()  # perhaps it has been carried out, perhaps it will be
            elif self.in_transaction():
                return  # a COMMIT that was refused; the ROLLBACK is to come
        self._touched = self._begun_by_sql = False
        if not self._connection.autocommit and any(
            claim.is_wanted() and claim.is_transactional() for claim in self._claims
        ):
            return  # a statement now would open another transaction; autocommit is to come back
        self._release()

    def _session_answers(self) -> bool:
        """Whether the session is there after an error, and so has nothing under way any more."""
        if self._connection.vendor == "sqlite":
            return True
        return self._connection.connection is not None and self._connection.is_usable()

    def _settling(self, method: Callable[..., None]) -> Callable[..., None]:
        def settled(*args: Any, **kwargs: Any) -> None:
            method(*args, **kwargs)
            self._settle()

        return settled

    def _ending(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def ended(*args: Any, **kwargs: Any) -> Any:
            try:
                result = method(*args, **kwargs)
            except BaseException as error:
                # Django refuses connections of other threads, whose statement may be under way.
                if self._connection._thread_ident == get_ident():  # type: ignore[attr-defined]
                    self._ended(error)
                raise
            self._ended(None)
            return result

        return ended


def watch(connection: BaseDatabaseWrapper) -> Watch:
    """The watch on `connection`, set up where there is none yet."""
    found: Watch | None = getattr(connection, _ATTRIBUTE, None)
    if found is None:
        found = Watch(connection)
        setattr(connection, _ATTRIBUTE, found)
    return found


def may_write_anything(connection: BaseDatabaseWrapper) -> None:
    """Something is about to be done on `connection` of which nobody sees what it writes."""
    watch(connection).before_anything()


def watch_all() -> None:
    """Watch the connections that are open already, and every one to come."""
    connection_created.connect(_created, dispatch_uid="notmodified.watch")
    for connection in connections.all(initialized_only=True):
        watch(connection)


def _created(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    watch(connection)
