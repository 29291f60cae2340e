"""Statements after which a text may mean something else on a connection than elsewhere.

``SET search_path``, ``USE``, ``ATTACH``, a temporary table: until the connection is made anew, what
is read there may not be what the log tells of. And settings under which a text says something else
than it is read as here, such as ``sql_mode``.

Rule of this module: only what is listed here is harmless, by the words at its beginning.
"""

from __future__ import annotations

import re
from contextlib import closing, suppress
from functools import lru_cache
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.causes import Cause
from notmodified.reads.analysis import NotProvableError
from notmodified.sql.text import without_front

_FLAGS: Final = re.IGNORECASE | re.DOTALL
_READS_OR_WRITES: Final = re.compile(
    r"[(\s]*(?:SELECT|WITH|VALUES|TABLE|INSERT|UPDATE|DELETE|REPLACE|MERGE|DECLARE|FETCH|MOVE|CLOSE"
    r"|COPY)\b",
    _FLAGS,
)
_INTO: Final = re.compile(r"(?<![^\W\d])INTO\b", _FLAGS)
"""It follows a number without a blank, too."""
_WRITES_INTO: Final = re.compile(r"(?:INSERT|REPLACE|MERGE)\b", _FLAGS)
_CONTROL: Final = re.compile(
    r"(?:(?:BEGIN|START|COMMIT|ROLLBACK|END|ABORT)(?:\s+(?:TRANSACTION|WORK|DEFERRED|IMMEDIATE"
    r"|EXCLUSIVE|READ|ONLY|WRITE|AND|NO|CHAIN|WITH|CONSISTENT|SNAPSHOT|RELEASE))*"
    r"|(?:ROLLBACK(?:\s+(?:WORK|TRANSACTION))?\s+TO|RELEASE)(?:\s+SAVEPOINT)?\s+\S+"
    r"|SAVEPOINT\s+\S+)\s*\Z",
    _FLAGS,
)
_SETS: Final = re.compile(
    r"SET\s+(?:SESSION\s+|LOCAL\s+)?(?:"
    r"(?:TRANSACTION|CONSTRAINTS)\b(?!.*\b(?:UNCOMMITTED|SNAPSHOT)\b)"
    r"|(?:lock_timeout|statement_timeout|lock_wait_timeout|innodb_lock_wait_timeout"
    r"|foreign_key_checks|unique_checks)\b[^,]*\Z)"
    r"|PRAGMA\s+(?:foreign_key\w*|legacy_alter_table|journal_mode|synchronous|busy_timeout"
    r"|cache_size|table_\w+|index_\w+|optimize|wal_checkpoint|user_version|data_version"
    r"|schema_version|integrity_check|quick_check)\b",
    _FLAGS,
)
_DEFINES: Final = re.compile(
    r"(?:(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:UNLOGGED\s+|UNIQUE\s+|MATERIALIZED\s+"
    r"|EVENT\s+|FOREIGN\s+|VIRTUAL\s+|CONSTRAINT\s+|FULLTEXT\s+|SPATIAL\s+|RECURSIVE\s+)*"
    r"(?:TABLE|INDEX|TRIGGER|VIEW|SEQUENCE|TYPE|DOMAIN|POLICY|EXTENSION|COLLATION|RULE|STATISTICS)"
    r"|(?:DROP|ALTER)\s+(?:FUNCTION|PROCEDURE)"
    r"|TRUNCATE|ANALY[ZS]E|VACUUM|EXPLAIN|SHOW|DESC|DESCRIBE|LOCK|UNLOCK|CHECKSUM|CHECK|COMMENT"
    r"|GRANT|REVOKE|RENAME|REINDEX|OPTIMIZE|REFRESH|CLUSTER|LISTEN|NOTIFY|UNLISTEN|KILL)\b",
    _FLAGS,
)
_ROUTINE: Final = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", _FLAGS)
"""To define one runs nothing of it."""
_BODY: Final = re.compile(
    r"""(\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b(?:[^'"$/;-]|"[^"$]*")*)"""
    r"\$(\w*)\$.*?\$\2\$",
    _FLAGS,
)
"""Of PostgreSQL, with nothing before it in which a dollar sign might stand for itself."""
_IN_TRIGGER: Final = re.compile(
    r"END(?:\s+IF)?\s*\Z|IF\b(?!.*\b(?:EXECUTE|CALL|USE|PREPARE|SET(?!\s+NEW\.))\b)", _FLAGS
)
"""MariaDB's and MySQL's, which have semicolons without quotes around them."""
_TEMPORARY: Final = re.compile(r"(?<![^\W\d])(?:(?:TEMP|TEMPORARY)\b|pg_temp)", _FLAGS)
_SETTINGS: Final = re.compile(r"set_config|pg_settings|\bU&\"", _FLAGS)
"""A function, a view that is written to, and names whose characters are written otherwise."""
_UNSURE: Final = re.compile(r"/\*M!|/\*(?:(?!\*/).)*/\*|\r(?!\n)", _FLAGS)
"""Comments that one database runs, that nest in one only, or end with different lines."""

_STRANGE: Final = "_notmodified_strange"
_UNDERSTOOD: Final = "_notmodified_understood"
_SAYS_OTHERWISE: Final = frozenset(
    {
        *("PIPES_AS_CONCAT", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "HIGH_NOT_PRECEDENCE"),
        *("IGNORE_SPACE", "EMPTY_STRING_IS_NULL", "PAD_CHAR_TO_FULL_LENGTH", "ORACLE"),
    }
)
"""Of ``sql_mode``: with it, a text is not what it is read as here."""


def notice(connection: BaseDatabaseWrapper, sql: str) -> None:
    """A statement is about to be run, recorded or not."""
    if _makes_strange(sql, connection.vendor):
        make_strange(connection)


def notice_set_up(connection: BaseDatabaseWrapper, sql: str) -> None:
    """The same for one that is run on every new connection: what it sets is the same on all, but
    not what is in a table of its own."""
    if _TEMPORARY.search(sql):
        make_strange(connection)


def make_strange(connection: BaseDatabaseWrapper) -> None:
    """Nobody knows any more what is seen on the connection as it is."""
    _mark(connection, _STRANGE)


def are_strange(connection: BaseDatabaseWrapper) -> bool:
    """Whether such a statement was run on the connection as it is."""
    return _is_marked(connection, _STRANGE)


def check_dialect(connection: BaseDatabaseWrapper) -> None:
    """Raises NotProvableError if texts say something else on the connection than they are read as.

    That a setting is changed later makes the connection strange.
    """
    if connection.vendor == "postgresql":
        # The server tells of each change, so that nobody has to ask.
        told = connection.connection.info.parameter_status("standard_conforming_strings")
        if told != "on":
            raise NotProvableError("standard_conforming_strings is off", Cause.CONNECTION)
    elif connection.vendor == "mysql" and not _is_marked(connection, _UNDERSTOOD):
        found = _SAYS_OTHERWISE.intersection(_sql_mode(connection).upper().split(","))
        if found:
            raise NotProvableError(f"sql_mode has {', '.join(sorted(found))}", Cause.CONNECTION)
        _mark(connection, _UNDERSTOOD)


def _sql_mode(connection: BaseDatabaseWrapper) -> str:
    """Asked below everything that looks at the project's queries."""
    wrapper: Any = connection
    try:
        with closing(wrapper.create_cursor()) as cursor:
            cursor.execute("SELECT @@sql_mode")
            [[mode]] = cursor.fetchall()
    except wrapper.Database.Error as error:
        raise NotProvableError(f"sql_mode is not told: {error}", Cause.CONNECTION) from error
    return str(mode)


def _mark(connection: BaseDatabaseWrapper, name: str) -> None:
    driver = connection.connection
    setattr(connection, name, driver)
    # A pool may give it to somebody else. SQLite's, which has none, takes no attributes.
    with suppress(AttributeError):
        setattr(driver, name, True)


def _is_marked(connection: BaseDatabaseWrapper, name: str) -> bool:
    driver = connection.connection
    if driver is None:
        return False
    return getattr(connection, name, None) is driver or getattr(driver, name, False) is True


@lru_cache(maxsize=4096)
def _makes_strange(sql: str, vendor: str) -> bool:
    if _SETTINGS.search(sql):
        return True
    if vendor == "postgresql" and "$" in sql:
        sql = _BODY.sub(r"\1 ''", sql, count=1)
    # SQLite runs one statement at a time. Elsewhere each may begin behind any semicolon: those
    # within quotes are taken for ends too, because settings say where quotes end.
    parts = [sql] if vendor == "sqlite" else sql.split(";")
    return not all(_is_harmless(part, vendor) for part in parts)


def _is_harmless(sql: str, vendor: str) -> bool:
    rest = without_front(sql)
    if _UNSURE.search(sql, 0, len(sql) - len(rest)):
        return False
    if _READS_OR_WRITES.match(rest):
        # Only PostgreSQL makes a table by SELECT … INTO.
        return (
            vendor != "postgresql" or _WRITES_INTO.match(rest) is not None or not _INTO.search(rest)
        )
    if _DEFINES.match(rest) or (vendor == "mysql" and _IN_TRIGGER.match(rest)):
        return not _TEMPORARY.search(rest) and not (vendor == "postgresql" and _makes(rest))
    rest = rest.rstrip()
    return not rest or any(one.match(rest) for one in (_CONTROL, _SETS, _ROUTINE))


def _makes(sql: str) -> bool:
    """Whether EXPLAIN, or what else is in front of a statement, hides one that makes a table."""
    return sql[:7].upper() == "EXPLAIN" and _INTO.search(sql) is not None
