"""What every ledger in a database can do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol


class Ledger(Protocol):
    """See the ledgers themselves; a position is theirs alone, and opaque to others.

    `clock` is the time at which the last position was taken, in seconds since 1970, by the one
    clock that all who read this database share.
    """

    clock: float

    def position(self) -> Any: ...

    def position_of(self, reader: Any, since: Any) -> Any | None: ...

    def unmoved(self, keys: Collection[str], position: Any) -> Any | None: ...

    def compact(self) -> bool: ...

    def moved_since(self, position: Any) -> tuple[list[str], Any] | None:
        """The keys that have moved since `position`, and the position now; ``None`` where that
        cannot be told. Raises LedgerError."""

    def charge(self) -> str | None:
        """Which ledger outside the database is in charge of it, by its own word; ``None`` for none.
        Raises LedgerError."""

    def has_ended(self, session: int) -> bool:
        """Whether the session of that number (:func:`session_of`) has nothing under way any more,
        and never will. Raises LedgerError."""

    def close(self) -> None: ...
