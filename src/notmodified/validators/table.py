"""The state of whole tables as a version: a hash of their rows, or the time of their last update.

For large lists that seldom change. Costs one or two statements per table, which read all of it
inside the database server (``benchmarks/RESULTS.md`` has the cost against its size), and sends a
line. Sees every writer, psql and mysql included, deletions and moves too.

The honest choice per engine is the default, ``method="hash"``:

- MariaDB and MySQL: two sums over 60 bits each of every row's SHA-2;
- PostgreSQL, whose statistics lag by seconds: two sums over 64-bit hashes of every row;
- SQLite, whose ``data_version`` means nothing outside its own connection: the rows are read in
  order and hashed here.

MariaDB and MySQL have two cheaper ways, for who knows what they are worth:

- ``method="checksum"`` asks ``CHECKSUM TABLE``. It adds up a CRC-32 of each row, and is nearly
  linear: exchanging two values between two rows goes unseen about once in some thousand times.
  Right for tables that are only ever appended to, or loaded anew.
- ``method="update_time"`` asks ``information_schema`` for ``UPDATE_TIME``, at the same cost for a
  table of any size. It has a resolution of one second, is NULL after the server restarts until the
  next write, and is that of the statement, not of the COMMIT. So there is no version while it is
  NULL or less than two seconds old, or while any transaction that has changed rows is open, which
  needs the privilege PROCESS to be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest

from notmodified.validators.base import UNKNOWN, Validator, Version, digest
from notmodified.writes.triggers.mysql import row_hash

SETTLED_AFTER: Final = 2
"""Seconds after which no change can hide behind an UPDATE_TIME."""


Method = Literal["hash", "checksum", "update_time"]


class table(Validator):
    """The state of the tables of `models`.

    Raises TypeError for what is no model, ValueError for a method that is none, or that the
    database does not have (when first used).
    """

    def __init__(
        self,
        *models_: type[models.Model],
        method: Method = "hash",
        using: str | None = None,
    ) -> None:
        if not models_:
            raise TypeError("table() needs at least one model.")
        for model in models_:
            if not (isinstance(model, type) and issubclass(model, models.Model)):
                raise TypeError(f"table() takes model classes, not {model!r}.")
        if method not in get_args(Method):
            raise ValueError(f"method must be one of {get_args(Method)}, not {method!r}.")
        self._models = models_
        self._method = method
        self._using = using

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        connection = connections[self._using or router.db_for_read(self._models[0])]
        tables = sorted({table for model in self._models for table in _tables(model)})
        vendor = connection.vendor
        if self._method != "hash" and vendor != "mysql":
            raise ValueError(
                f'method="{self._method}" needs MariaDB or MySQL; {vendor} has no such thing. '
                f"Leave method out, and the table's rows are hashed."
            )
        if self._method == "update_time":
            return _update_time(connection, tables)
        if self._method == "checksum":
            texts = _checksum_table(connection, tables)
        else:
            hashed = _HASHES.get(vendor, _hash_of_rows)
            texts = [hashed(connection, name) for name in tables]
        if None in texts:
            return UNKNOWN
        return Version(digest([*tables, *(text or "" for text in texts)]))


def _tables(model: type[models.Model]) -> list[str]:
    parents = [parent._meta.db_table for parent in model._meta.get_parent_list()]
    return [*parents, model._meta.db_table]


def _checksum_table(connection: BaseDatabaseWrapper, tables: list[str]) -> list[str | None]:
    """CHECKSUM TABLE with the columns' names; ``None`` for what has no checksum, such as a view."""
    names = ", ".join(map(connection.ops.quote_name, tables))
    with connection.cursor() as cursor:
        cursor.execute(f"CHECKSUM TABLE {names}")
        checksums = [row[1] for row in cursor.fetchall()]
        columns = [_columns(cursor, connection, table) for table in tables]
    return [
        None if checksum is None else f"{checksum} {names}"
        for checksum, names in zip(checksums, columns, strict=True)
    ]


def _sum_of_sha2(connection: BaseDatabaseWrapper, table: str) -> str:
    with connection.cursor() as cursor:
        columns = _columns(cursor, connection, table)
        cursor.execute(
            f"SELECT COUNT(*), SUM({row_hash(columns)}), SUM({row_hash(columns, start=16)}) "
            f"FROM {connection.ops.quote_name(table)}"
        )
        return " ".join([*columns, *map(str, cursor.fetchone())])


def _columns(cursor: Any, connection: BaseDatabaseWrapper, table: str) -> list[str]:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} LIMIT 0")
    return [connection.ops.quote_name(column[0]) for column in cursor.description]


def _sum_of_hashes(connection: BaseDatabaseWrapper, table: str) -> str:
    name = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(hashtextextended((notmodified_row.*)::text, 0)::numeric), "
            "sum(hashtextextended((notmodified_row.*)::text, 1)::numeric), "
            "(SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_catalog.pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped) "
            f"FROM {name} AS notmodified_row",
            [name],
        )
        return " ".join(map(str, cursor.fetchone()))


def _hash_of_rows(connection: BaseDatabaseWrapper, table: str) -> str:
    hash_ = blake2b(digest_size=16)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        # The names belong to the state: a renamed column gives other content.
        hash_.update(repr([column[0] for column in cursor.description]).encode())
        while rows := cursor.fetchmany(2000):
            # Row by row: how many come at a time is none of the version's business.
            hash_.update("\n".join(map(repr, rows)).encode("utf-8", "surrogatepass") + b"\n")
    return hash_.hexdigest()


_HASHES: Final[dict[str, Callable[[BaseDatabaseWrapper, str], str]]] = {
    "mysql": _sum_of_sha2,
    "postgresql": _sum_of_hashes,
}


def _update_time(connection: BaseDatabaseWrapper, tables: list[str]) -> Version:
    placeholders = ", ".join(["%s"] * len(tables))
    with connection.cursor() as cursor:
        # MySQL keeps what information_schema says for a day, unless told not to.
        cursor.execute(
            "SELECT /*+ SET_VAR(information_schema_stats_expiry = 0) */ table_name, "
            "unix_timestamp(update_time), unix_timestamp(create_time), unix_timestamp(now()), "
            "(SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified > 0) "
            "FROM information_schema.tables "
            f"WHERE table_schema = database() AND table_name IN ({placeholders}) "
            "ORDER BY table_name",
            tables,
        )
        rows = cursor.fetchall()
    if len(rows) != len(tables) or any(row[1] is None or row[4] for row in rows):
        return UNKNOWN
    # TRUNCATE makes the table anew, and leaves the time of its last update as it was.
    latest = int(max(max(updated, created) for _, updated, created, _, _ in rows))
    if int(rows[0][3]) - latest < SETTLED_AFTER:
        return UNKNOWN
    times = [f"{name} {updated} {created}" for name, updated, created, _, _ in rows]
    return Version(digest(times), last_modified=latest)
