"""Statements after which the names of tables may mean others on a connection than elsewhere.

``SET search_path``, ``USE``, ``ATTACH``, a temporary table: until the connection is made anew, what
is read there may not be what the log tells of.

Rule of this module: of what sets something, only what is listed here is harmless.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

_SETS: Final = re.compile(
    r"\s*(?:(?:SET|RESET|USE|ATTACH|DETACH|DISCARD|PRAGMA|LOAD)\b"
    r"|CREATE\s+(?:OR\s+REPLACE\s+)?(?:LOCAL\s+|GLOBAL\s+)?TEMP)",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(
    r"\s*(?:SET\s+(?:SESSION\s+|LOCAL\s+)?(?:TRANSACTION|CONSTRAINTS|lock_timeout"
    r"|statement_timeout|lock_wait_timeout|foreign_key_checks)\b"
    r"|PRAGMA\s+(?:foreign_keys|foreign_key_check|legacy_alter_table|journal_mode|synchronous"
    r"|busy_timeout|cache_size|table_\w+|index_\w+)\b)",
    re.IGNORECASE,
)
_STRANGE: Final = "_notmodified_strange"
"""On a connection: that of the driver, if it was set so."""


def notice(connection: BaseDatabaseWrapper, sql: str) -> None:
    """A statement is about to be run, recorded or not."""
    if _makes_strange(sql):
        setattr(connection, _STRANGE, connection.connection)


@lru_cache(maxsize=4096)
def _makes_strange(sql: str) -> bool:
    return bool(_SETS.match(sql) and not _HARMLESS.match(sql)) or "set_config" in sql


def are_strange(connection: BaseDatabaseWrapper) -> bool:
    """Whether such a statement was run on the connection as it is."""
    strange = getattr(connection, _STRANGE, None)
    return strange is not None and strange is connection.connection
