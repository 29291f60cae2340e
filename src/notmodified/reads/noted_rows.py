"""Notes what the rows of a statement show, as they are fetched.

Rules of this module:

- It never raises into the view. Rows of a kind that nobody knows count as all.
- Whoever stops before the end of a result chooses rows by their order, as a LIMIT would, which
  nobody sees: then all of them count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol

from notmodified.reads.plans import Fetched
from notmodified.reasons import logger


class Recording(Protocol):
    """Whoever wants to know."""

    closed: bool


MOST_ROWS: Final = 500
"""How many rows of one table a statement may depend on one by one; above that, on all."""


class NoteRows:
    """Notes what a statement's rows show."""

    __slots__ = ("_by_rows", "_has_ended", "_keys", "_recorder", "_seen")

    def __init__(self, recorder: Recording, keys: set[str], by_rows: Sequence[Fetched]) -> None:
        self._recorder = recorder
        self._keys = keys
        self._by_rows = by_rows
        self._seen: list[set[Any]] = [set() for _ in by_rows]
        self._has_ended = False

    def __call__(self, rows: Collection[Any]) -> None:
        if self._recorder.closed:
            return
        try:
            self._note(rows)
        except Exception:  # rows of a kind that nobody knows
            logger.debug("rows that cannot be read", exc_info=True)
            self.all()

    def ended(self) -> None:
        """There are no more rows."""
        self._has_ended = True

    def close(self) -> None:
        """Nobody fetches any more."""
        if not self._has_ended:
            self.all()

    def all(self) -> None:
        """Every row of the tables counts."""
        self._keys.update(fetched.whole for fetched in self._by_rows)

    def _note(self, rows: Collection[Any]) -> None:
        for fetched, seen in zip(self._by_rows, self._seen, strict=True):
            if len(seen) > MOST_ROWS:
                continue
            at = fetched.at
            new = {row[at] for row in rows} - seen
            seen |= new
            for value in new:
                key = fetched.key(value)
                if key is not None:
                    self._keys.add(key)
            if len(seen) > MOST_ROWS:
                self._keys.add(fetched.whole)
