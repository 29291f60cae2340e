"""Asks a database for the time, and for the next value of a column of times.

Rule of this module: it asks on the connection of whoever records, below everything that looks at
the project's queries.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.causes import Cause
from notmodified.reads.analysis import NotProvableError
from notmodified.reads.now import Clocked, DatabaseNow

_MYSQL_TIMES: Final = frozenset({7, 12})
"""TIMESTAMP and DATETIME, in the protocol of MariaDB."""

_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
"""A time as Django writes it into a database that has no type for it."""


def next_value(
    connection: BaseDatabaseWrapper, sql: str, parameters: tuple[Any, ...]
) -> datetime | None:
    """The time that `sql` asks for, as the database holds it; ``None`` if there is none. Raises
    NotProvableError for what is not read as a time."""
    row, types = _row(connection, sql, parameters)
    if connection.vendor == "mysql" and types[0] not in _MYSQL_TIMES:
        # A time of day is compared as one of today, and a text by what can be read in it.
        raise NotProvableError("the time, beside a column that holds no times", Cause.TIME)
    value = row[0]
    if value is None:
        return None
    if connection.vendor == "sqlite" and isinstance(value, str) and _WRITTEN.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise NotProvableError(f"a column of times that holds {value!r}", Cause.TIME)
    return value


def time_of(connection: BaseDatabaseWrapper, expression: str, clocked: Clocked) -> DatabaseNow:
    """The time that `expression` gives. A statement that is run later is given none before that.

    How far the clock of the database is ahead, is known by a time that was taken here before: the
    answer took a while. SQLite's is that of this machine.
    """
    taken = time.time()
    # In a transaction, and to the second, an expression may tell a time that has passed.
    row, _ = _row(connection, f"SELECT {expression}, {_CLOCK[connection.vendor]}")
    shown, clock, utc = row
    if clock is None:
        return DatabaseNow(shown, 0.0, clocked)
    if utc is not None and clock != utc:
        raise NotProvableError("the time of a database that is not set to UTC", Cause.TIME)
    return DatabaseNow(shown, in_utc(clock).timestamp() - taken, clocked)


_CLOCK: Final = {
    "sqlite": "NULL, NULL",
    "postgresql": "clock_timestamp(), NULL",
    "mysql": "NOW(6), UTC_TIMESTAMP(6)",
}


def in_utc(value: datetime) -> datetime:
    """A time as a database holds it, whose clock shows UTC."""
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _row(
    connection: BaseDatabaseWrapper, sql: str, parameters: tuple[Any, ...] = ()
) -> tuple[tuple[Any, ...], list[Any]]:
    """The one row of a result, and the driver's numbers for the types of its columns."""
    wrapper: Any = connection
    try:
        wrapper.ensure_connection()
        with closing(wrapper.create_cursor()) as cursor:
            cursor.execute(sql, parameters or None)
            [row] = cursor.fetchall()
            types = [column[1] for column in cursor.description]
    except (DatabaseError, wrapper.Database.Error) as error:
        raise NotProvableError(
            f"a time that the database does not tell: {error}", Cause.TIME
        ) from error
    return row, types
