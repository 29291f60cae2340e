"""The ledger of the tests' database, and others who write and read there meanwhile.

Rules of this module:

- What is written are lines of the log, as triggers write them: any key, without a table.
- Everybody has a connection of their own, and all run in one thread, so that what happens between
  them happens in the order of the program.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from notmodified.ledger.database import mysql, postgresql, sqlite
from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import CHARGE, EVERYTHING, LEDGER, LOG, ROWS
from notmodified.records import databases

MODULES: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}
JOURNALS = ["DELETE", "WAL"] if connection.vendor == "sqlite" else [""]
"""SQLite keeps readers and writers apart in one of two ways."""

KEY = "`key`" if connection.vendor == "mysql" else "key"
_MOVE = (
    f"INSERT INTO {LOG} ({KEY}, stamp) VALUES (%s, UUID_SHORT())"
    if connection.vendor == "mysql"
    else f"INSERT INTO {LOG} ({KEY}) VALUES (%s)"
)
_BEGIN_SNAPSHOT = {
    "sqlite": ("BEGIN",),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ",),
    "mysql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "BEGIN"),
}


class Other:
    """Somebody else's connection, in autocommit until a transaction is begun; made when needed."""

    def __init__(self) -> None:
        self._wrapper: Any = connection.copy()

    @property
    def driver(self) -> Any:
        self._wrapper.ensure_connection()
        return self._wrapper.connection

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._wrapper.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def move(self, *keys: str) -> None:
        for key in keys:
            self.run(_MOVE, key)

    def begin(self) -> None:
        self.run("BEGIN")

    def pin(self) -> None:
        """Begin a transaction all of whose statements see what is committed by now."""
        for statement in _BEGIN_SNAPSHOT[connection.vendor]:
            self.run(statement)
        self.run(f"SELECT COUNT(*) FROM {LOG}")

    def commit(self) -> None:
        self.run("COMMIT")

    def roll_back(self) -> None:
        self.run("ROLLBACK")

    def close(self) -> None:
        self._wrapper.close()


@contextmanager
def another() -> Iterator[Other]:
    other = Other()
    try:
        yield other
    finally:
        other.close()


@contextmanager
def opened(between: Callable[[], None] | None = None) -> Iterator[Any]:
    """The ledger as responses use it; `between` is called before each statement that it sends."""
    found: Any = databases._ledger(connection)
    if between is not None:
        connect = itself(found)._connect
        itself(found)._connect = lambda: _Interrupted(connect(), between)
    try:
        yield found
    finally:
        found.close()


class _Interrupted:
    """A connection or a cursor, before each statement of which something else happens."""

    def __init__(self, one: Any, between: Callable[[], None]) -> None:
        self._one = one
        self._between = between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one, name)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self._between()
        return self._one.execute(*args, **kwargs)

    def exec_prepared(self, *args: Any) -> Any:
        self._between()
        return self._one.exec_prepared(*args)

    def cursor(self) -> Any:
        return _Interrupted(self._one.cursor(), self._between)

    @property
    def pgconn(self) -> Any:
        return _Interrupted(self._one.pgconn, self._between)


def compact(ledger: Any) -> None:
    """Forget what the ledger may forget, however little it is."""
    assert itself(ledger).compact(keep=0)


def itself(ledger: Any) -> Any:
    """The ledger in the database, behind one that looks into shared memory first."""
    return getattr(ledger, "_ledger", ledger)


def position_of(ledger: Any, reader: Other, since: Any) -> Any | None:
    """The position of a reader; ``None`` also where the ledger refuses."""
    try:
        return ledger.position_of(reader.driver, since)
    except LedgerError:
        return None


# The tables


def make_tables() -> None:
    with another() as other:
        for statement in MODULES[connection.vendor].TABLES:
            other.run(statement)


def drop_tables() -> None:
    with another() as other:
        if connection.vendor == "sqlite":
            other.run(f"DROP VIEW IF EXISTS {ROWS}")
        for table in (LOG, LEDGER, CHARGE):
            other.run(f"DROP TABLE IF EXISTS {table}")


def empty_ledger() -> None:
    """Without the line that is always there."""
    with another() as other:
        other.run(f"DELETE FROM {LOG if connection.vendor == 'sqlite' else LEDGER}")


def set_journal(mode: str) -> None:
    if connection.vendor == "sqlite":
        with another() as other:
            assert other.run(f"PRAGMA journal_mode = {mode}") == [(mode.lower(),)]


# What happens to files and servers


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _copy_of_file(to: Path) -> None:
    """With nothing in a write-ahead log beside the file."""
    with another() as other:
        other.run("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(_file(), to)


def cut(ledger: Any, folder: Path) -> None:
    """End what the ledger is connected to: the server's session; or the file, whose place a copy
    takes."""
    if connection.vendor == "sqlite":
        _copy_of_file(folder / "copy")
        for suffix in ("-wal", "-shm"):
            Path(f"{_file()}{suffix}").unlink(missing_ok=True)
        shutil.move(folder / "copy", folder / "moved")
        os.replace(folder / "moved", _file())
        return
    with another() as other:
        if connection.vendor == "postgresql":
            other.run(
                "SELECT pg_terminate_backend(%s, 5000)", itself(ledger)._held.info.backend_pid
            )
        else:
            other.run(f"KILL {itself(ledger)._held.thread_id()}")


def back_up(folder: Path) -> Callable[[], None]:
    """A backup of the tables as the programs of their makers make it; call it to put it back.

    Of a file, nobody but the ledger may have it open then.
    """
    backup = folder / "backup"
    if connection.vendor == "sqlite":
        _copy_of_file(backup)

        def put_back() -> None:
            with another() as other:
                other.run("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copyfile(backup, _file())

        return put_back
    if connection.vendor == "postgresql":
        tables = [f"--table={table}" for table in (LEDGER, LOG)]
        backup.write_bytes(_program("pg_dump", "--clean", "--if-exists", *tables))
        return lambda: _discard(_program("psql", "--quiet", "--set=ON_ERROR_STOP=1", read=backup))
    backup.write_bytes(_program("mariadb-dump", "{name}", LEDGER, LOG))
    return lambda: _discard(_program("mariadb", "{name}", read=backup))


def _discard(output: bytes) -> None:
    """What a program says when all went well."""


def _program(name: str, *arguments: str, read: Path | None = None) -> bytes:
    """What one of the database's own programs writes."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    of = {key: str(value) for key, value in connection.settings_dict.items()}
    if connection.vendor == "postgresql":
        to = ["--host", of["HOST"], "--port", of["PORT"], "--username", of["USER"]]
        to += ["--dbname", of["NAME"]]
    else:
        to = ["--protocol=tcp", "--host", of["HOST"], "--port", of["PORT"], "--user", of["USER"]]
    secret = {"PGPASSWORD": of["PASSWORD"], "MYSQL_PWD": of["PASSWORD"]}
    done = subprocess.run(
        [path, *to, *(argument.format(name=of["NAME"]) for argument in arguments)],
        input=read.read_bytes() if read else None,
        env={**os.environ, **secret},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


# Random histories


@dataclass
class _Writer:
    """A writer, and the keys of each savepoint of the transaction that it is in."""

    other: Other
    keys: list[list[str]] = field(default_factory=list)


class Stale(AssertionError):
    """A key was unmoved, and had moved."""


class History:
    """Writers whose transactions are interleaved at random, and questions between them.

    The oracle knows what was committed when, and nothing of positions. Counts are of what was
    answered: `kept` where nothing had moved, `gone` where the ledger said that something had.
    """

    def __init__(self, ledger: Any, seed: int) -> None:
        self._ledger = ledger
        self._random = random.Random(seed)
        # SQLite lets one write at a time, and the others wait.
        self._writers = [_Writer(Other()) for _ in range(1 if connection.vendor == "sqlite" else 3)]
        self._committed: list[str] = []
        self._positions: list[tuple[Any, int]] = []
        self.kept = self.gone = 0

    def run(self, steps: int) -> None:
        """Raises Stale."""
        self._take()
        actions = [self._write] * 6 + [self._end] * 3 + [self._ask] * 6 + [self._take, self._forget]
        try:
            for _ in range(steps):
                self._random.choice(actions)()
        finally:
            for writer in self._writers:
                writer.other.close()

    def _take(self) -> None:
        self._positions.append((self._ledger.position(), len(self._committed)))

    def _write(self) -> None:
        writer = self._random.choice(self._writers)
        if not writer.keys and self._random.random() < 0.7:
            writer.other.begin()
            writer.keys.append([])
        elif writer.keys and self._random.random() < 0.3:
            writer.other.run(f"SAVEPOINT s{len(writer.keys)}")
            writer.keys.append([])
        key = EVERYTHING if self._random.random() < 0.03 else self._random.choice("abcdefgh")
        writer.other.move(key)
        (writer.keys[-1] if writer.keys else self._committed).append(key)

    def _end(self) -> None:
        writer = self._random.choice(self._writers)
        if len(writer.keys) > 1 and self._random.random() < 0.5:
            writer.keys.pop()
            writer.other.run(f"ROLLBACK TO SAVEPOINT s{len(writer.keys)}")
        elif writer.keys:
            if self._random.random() < 0.3:
                writer.other.roll_back()
            else:
                writer.other.commit()
                self._committed += [key for keys in writer.keys for key in keys]
            writer.keys.clear()

    def _ask(self) -> None:
        position, at = self._random.choice(self._positions[-6:])
        keys = self._random.sample("abcdefgh", self._random.randint(0, 3))
        now = self._ledger.unmoved(keys, position)
        moved = {*self._committed[at:]} & {*keys, EVERYTHING}
        if now is None:
            self.gone += 1
            return
        if moved:
            raise Stale(f"{moved} of {keys}")
        self.kept += 1
        self._positions.append((now, len(self._committed)))

    def _forget(self) -> None:
        if connection.vendor == "sqlite" and any(writer.keys for writer in self._writers):
            return  # it would wait for the writer
        itself(self._ledger).compact(keep=0)
