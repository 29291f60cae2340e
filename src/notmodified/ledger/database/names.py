"""The tables of every ledger in a database, and the key that stands for all others."""

from __future__ import annotations

from typing import Final

LOG: Final = "notmodified_log"
"""A line per key that moved."""

LEDGER: Final = "notmodified_ledger"
"""One line: what else a ledger has to remember."""

EVERYTHING: Final = "*"
"""A move of this key is a move of every key; ledgers ask for it unasked."""

KEEPS: Final = 100_000
"""A log of fewer lines is not worth compacting, however old they are."""
