"""What a result depends on, and what a write moves: the same words on both sides."""

from __future__ import annotations

from typing import Final, NamedTuple

SEPARATOR: Final = "\x1f"
"""Between the parts of a key: no name and no value holds it."""

ANY: Final = "*"
"""In the place of a column: every row. Whatever depends on some of them depends on this too."""
SHAPE: Final = "+"
"""In the place of a column: rows that come, and changes of narrowing columns."""


class Dependency(NamedTuple):
    """Something that a result was made from.

    A table; or, in a table, the rows with `value` in `column`; or all of its rows at once, of which
    nobody says which they are (:data:`ANY`); or its :data:`SHAPE`. Names are in lower case.
    """

    table: str
    column: str | None = None
    value: str | None = None

    @property
    def key(self) -> str:
        """The dependency as one text, as ledgers keep it."""
        return SEPARATOR.join(part for part in self if part is not None)
