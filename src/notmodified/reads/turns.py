"""Asks a database for the next value of a column of times.

Rule of this module: it asks on the connection of whoever records, below everything that looks at
the project's queries.
"""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.causes import Cause
from notmodified.reads.analysis import NotProvableError

_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
"""A time as Django writes it into a database that has no type for it."""


def next_value(
    connection: BaseDatabaseWrapper, sql: str, parameters: tuple[Any, ...]
) -> datetime | None:
    """The time that `sql` asks for, in the time zone of the connection; ``None`` if there is none.
    Raises NotProvableError for what is not read as a time."""
    wrapper: Any = connection
    try:
        wrapper.ensure_connection()
        with closing(wrapper.create_cursor()) as cursor:
            cursor.execute(sql, parameters)
            [(value,)] = cursor.fetchall()
    except (DatabaseError, wrapper.Database.Error) as error:
        raise NotProvableError(
            f"a time that the database does not tell: {error}", Cause.TIME
        ) from error
    if value is None:
        return None
    if isinstance(value, str) and _WRITTEN.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise NotProvableError(f"a column of times that holds {value!r}", Cause.TIME)
    if value.tzinfo is None and settings.USE_TZ:
        return value.replace(tzinfo=wrapper.timezone)
    return value
