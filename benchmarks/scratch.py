"""Empty databases to measure on: a SQLite file, and one on each server that the environment names.

Rules of this module:

- What it makes has a name of its own, and is dropped afterwards.
- SQLite has a write-ahead log, as Django's documentation advises for production; with a rollback
  journal, which is the default, each reading takes some system calls more.
- Each database is measured by a process of its own, under the settings of
  :mod:`benchmarks.recorded`.
- That process and the server's threads that serve it share one processor core, for the reason that
  :mod:`benchmarks.validators` gives.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

NAME = "notmodified_bench"
SQLITE = "SQLite"
ROLLBACK = "SQLite with a rollback journal"
SERVERS = {"PostgreSQL": "NOTMODIFIED_POSTGRESQL_URL", "MariaDB": "NOTMODIFIED_MARIADB_URL"}


def on_each(module: str, *besides: str) -> None:
    """Run ``python -m module DATABASE`` on an empty database of each kind, and some `besides`."""
    missing = [name for name, variable in SERVERS.items() if not os.environ.get(variable)]
    for name in (SQLITE, *besides, *SERVERS):
        if name in missing:
            continue
        with _made(name) as url:
            environment = os.environ | {
                "DJANGO_SETTINGS_MODULE": "benchmarks.recorded",
                "BENCH_DATABASE": url,
            }
            subprocess.run([sys.executable, "-m", module, name], env=environment, check=True)
    if missing:
        print(f"\nLeft out, for want of a server: {', '.join(missing)}.")


@contextmanager
def _made(name: str) -> Iterator[str]:
    """An empty database, by URL."""
    if name not in SERVERS:
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/bench.sqlite3"
            mode = "WAL" if name == SQLITE else "DELETE"
            with closing(sqlite3.connect(path)) as connection:
                connection.execute(f"PRAGMA journal_mode = {mode}")
            yield f"sqlite:///{path}"
        return
    url = urlsplit(os.environ[SERVERS[name]])
    execute = _postgresql(url.geturl()) if name == "PostgreSQL" else _mariadb(url)
    force = " WITH (FORCE)" if name == "PostgreSQL" else ""
    execute(f"DROP DATABASE IF EXISTS {NAME}{force}")
    execute(f"CREATE DATABASE {NAME}")
    try:
        yield urlunsplit(url._replace(path=f"/{NAME}"))
    finally:
        execute(f"DROP DATABASE {NAME}{force}")


def _postgresql(url: str) -> Callable[[str], Any]:
    import psycopg

    def execute(sql: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql)

    return execute


def _mariadb(url: Any) -> Callable[[str], Any]:
    import MySQLdb

    def execute(sql: str) -> None:
        connection = MySQLdb.connect(
            host=url.hostname, port=url.port, user=url.username, password=url.password or ""
        )
        connection.cursor().execute(sql)
        connection.close()

    return execute


_SERVED_BY = {
    "sqlite": None,
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT tid FROM information_schema.processlist WHERE db = DATABASE()",
}


@contextmanager
def on_one_core() -> Iterator[None]:
    """This process and who serves its database on the same core, for as long as this lasts.

    Only connections that are there already count; a server on another machine stays as it is.
    """
    from django.db import connection

    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    question = _SERVED_BY[connection.vendor]
    if question is not None:
        with connection.cursor() as cursor:
            cursor.execute(question)
            threads += [thread for (thread,) in cursor.fetchall()]
    everywhere = os.sched_getaffinity(0)
    core = {max(everywhere)}
    for thread in threads:
        with suppress(OSError):
            os.sched_setaffinity(thread, core)
    try:
        yield
    finally:
        for thread in threads:
            with suppress(OSError):
                os.sched_setaffinity(thread, everywhere)
