"""Which file in shared memory belongs to a database, and what its sessions are called there.

Rules of this module:

- The file of a SQLite database lies beside it, where SQLite's own ``-shm`` does: who can write the
  one can write the other, in whichever container. Another database's lies in
  ``NOTMODIFIED["SHARED_DIRECTORY"]``, by the database's own identity.
- A forked child maps it anew: what its parent has marked is its parent's.
"""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, Final

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified import conf
from notmodified.ledger.database.names import CHARGE
from notmodified.ledger.database.postgresql import BY_TRANSACTION
from notmodified.ledger.shared.memory import SharedMemory, SharedMemoryError
from notmodified.writes.dependencies import identity

BESIDE: Final = "-notmodified"
"""What the name of a SQLite database's file ends with, behind its own."""

PATIENCE: Final = 60.0
"""Seconds to wait for the end of transactions."""

_known: Final[dict[Path, SharedMemory]] = {}
_paths: Final[dict[tuple[Any, ...], Path]] = {}
_lock = Lock()


def memory_of(connection: BaseDatabaseWrapper) -> SharedMemory | None:
    """The file that says whether somebody writes to the database of `connection`; ``None`` for a
    database that no other connection can read. Raises SharedMemoryError."""
    path = _path_of(connection)
    if path is None:
        return None
    found = _known.get(path)
    if found is None or found.process != os.getpid():  # not every server tells Python of its forks
        with _lock:
            found = _known.get(path)
            if found is None or found.process != os.getpid():
                found = _known[path] = SharedMemory(path)
    return found


def session_of(connection: BaseDatabaseWrapper) -> int:
    """The number by which the server knows the session of an open connection."""
    driver: Any = connection.connection
    if connection.vendor == "postgresql":
        return int(driver.info.backend_pid)
    return int(driver.thread_id()) if connection.vendor == "mysql" else 0


def in_charge(connection: BaseDatabaseWrapper) -> str | None:
    """What the database says of the ledger outside it that is in charge; ``None`` for none."""
    if CHARGE not in connection.introspection.table_names():
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ledger FROM {CHARGE}")
        rows = cursor.fetchall()
    return rows[0][0] if rows else None


def put_in_charge(connection: BaseDatabaseWrapper, memory: SharedMemory) -> None:
    """Have the database say that all who write to it mark it in `memory`, which has to be so.
    Raises SharedMemoryError where a transaction of before does not end."""
    if connection.vendor == "postgresql":
        _wait_for_transactions(connection)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for statement in BY_TRANSACTION:
                cursor.execute(statement)
        cursor.execute(f"DELETE FROM {CHARGE}")
        cursor.execute(f"INSERT INTO {CHARGE} (ledger) VALUES (%s)", [memory.new_charge()])


def _wait_for_transactions(connection: BaseDatabaseWrapper) -> None:
    """Until all that were under way have ended: what their writers marked, nobody knows."""
    deadline = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        # A number of one's own: that of a snapshot's end is of what has ended, not of what runs.
        cursor.execute("SELECT pg_current_xact_id()::text")
        [own] = cursor.fetchone()
        while True:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", [own])
            if cursor.fetchone()[0]:
                return
            if time.monotonic() > deadline:
                raise SharedMemoryError("a transaction has been open for long: see who writes")
            time.sleep(0.05)


def take_out_of_charge(connection: BaseDatabaseWrapper) -> None:
    """Have the database say that nobody outside of it knows who writes."""
    if CHARGE in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {CHARGE}")


def forget() -> None:
    """Close the files, which are opened again when they are needed."""
    with _lock:
        for memory in _known.values():
            memory.close()
        _known.clear()
        _paths.clear()


def _path_of(connection: BaseDatabaseWrapper) -> Path | None:
    settings = connection.settings_dict
    parts = (settings[name] for name in ("NAME", "HOST", "PORT", "OPTIONS"))
    key = (connection.vendor, *map(repr, parts))
    found = _paths.get(key)
    if found is not None:
        return found
    wrapper: Any = connection
    if connection.vendor == "sqlite":
        if wrapper.is_in_memory_db():
            return None
        connection.ensure_connection()
        [(_, _, file), *_] = wrapper.connection.execute("PRAGMA database_list").fetchall()
        path = Path(os.path.realpath(file) + BESIDE)
    else:
        name = blake2b(identity(connection).encode(), digest_size=16).hexdigest()
        path = Path(conf.current().SHARED_DIRECTORY or _default_directory()) / name
    _paths[key] = path
    return path


def _default_directory() -> str:
    return "/dev/shm/notmodified"


def _after_fork() -> None:
    global _lock
    _lock = Lock()
    for memory in _known.values():
        memory.close()
    _known.clear()


os.register_at_fork(after_in_child=_after_fork)
