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

    def close(self) -> None: ...
