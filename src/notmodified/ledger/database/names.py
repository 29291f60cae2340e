"""The tables of every ledger in a database, and the key that stands for all others."""

from __future__ import annotations

from typing import Final

LOG: Final = "notmodified_log"
"""A line per key that moved."""

ROWS: Final = "notmodified_rows"
"""A view that nobody reads: what triggers say of a row, where they say it of one at a time."""

LEDGER: Final = "notmodified_ledger"
"""One line: what else a ledger has to remember."""

CHARGE: Final = "notmodified_charge"
"""At most one line: which ledger outside the database is in charge of it."""

EVERYTHING: Final = "*"
"""A move of this key is a move of every key; ledgers ask for it unasked."""

MOST_ROWS: Final = 100
"""A statement that writes more rows of a table may be taken to write all of them."""

MOST_LINES: Final = 64
"""The same where there is a trigger per row, which does not see the whole statement: as long as the
last line but so many is of the same moment, this is one of many rows."""

OPEN: Final = "\x1f*"
"""Where rows are written down one by one: the end of a line that says that every row of a table is
being written. While it is the last line, more such writes need no line; so no position may be taken
there."""

BETWEEN: Final = "\x1e"
"""Between keys, of which none holds it, where one text holds several."""

KEEPS: Final = 100_000
"""A log of fewer lines is not worth compacting, however old they are."""
