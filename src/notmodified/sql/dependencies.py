"""What a result depends on, and what a write moves: the same words on both sides."""

from __future__ import annotations

from typing import Final, NamedTuple

SEPARATOR: Final = "\x1f"
"""Between the parts of a key: no name and no value holds it."""

ANY: Final = "*"
SHAPE: Final = "+"
"""In the place of a column: rows that come, and changes of narrowing columns."""


class Dependency(NamedTuple):
    """Something that a result was made from.

    A table; or, in a table, the rows with `value` in `column`; where `value` is :data:`ANY`, rows
    that come to have it from nobody knows where; or a table's :data:`SHAPE`. Names are in lower
    case.
    """

    table: str
    column: str | None = None
    value: str | None = None

    @property
    def key(self) -> str:
        """The dependency as one text, as ledgers keep it."""
        return SEPARATOR.join(part for part in self if part is not None)
