"""The rows that a statement on SQLite is still to give, which keep it from being over.

SQLite ends a statement, and with it the transaction of its own that it runs in, only when its last
row has been fetched. Two things follow.

- A write with a RETURNING clause is committed only then: its rows are fetched at once
  (:class:`Fetched`).
- A query pins the state of the database that it began with, for every other query on the same
  connection: who reads it to its end is waited for (:class:`Reading`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet


class Rows:
    """A driver's cursor after its statement has been executed, in place of the cursor itself."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)


class Fetched(Rows):
    """The rows have been fetched already, and are handed out as asked for."""

    def __init__(self, cursor: Any) -> None:
        super().__init__(cursor)
        self._rows = deque(cursor.fetchall())

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.popleft()

    def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.cursor.arraysize if size is None else size
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        return self.fetchmany(len(self._rows))


class Reading(Rows):
    """The rows are fetched from the driver; until the last one is, this is in `being_read`."""

    def __init__(self, cursor: Any, being_read: WeakSet[Reading]) -> None:
        super().__init__(cursor)
        self._being_read = being_read
        being_read.add(self)

    def _over(self) -> None:
        self._being_read.discard(self)

    def __iter__(self) -> Iterator[Any]:
        yield from self.cursor
        self._over()

    def fetchone(self) -> Any:
        row = self.cursor.fetchone()
        if row is None:
            self._over()
        return row

    def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.cursor.arraysize if size is None else size
        rows: list[Any] = self.cursor.fetchmany(wanted)
        if len(rows) < wanted:
            self._over()
        return rows

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self.cursor.fetchall()
        self._over()
        return rows

    def close(self) -> None:
        self.cursor.close()
        self._over()
