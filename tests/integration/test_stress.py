"""Real servers under stress: zero stale out of every 304, on each database."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.servers import ROOT, free_port, running
from tests.integration.stress import ROWS, Connect, Stale, stress

SECONDS = 60.0
ENOUGH = 100
"""Fewer 304s would have shown nothing; how long they take is the machine's business."""


def run(code: str, url: str) -> None:
    """Python within the project, as a program of its own."""
    run_with(code, environment(url))


def run_with(code: str, variables: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-c", f"import django\ndjango.setup()\n{code}"],
        check=True,
        env=variables,
        cwd=ROOT,
    )


def environment(url: str, isolation: str = "", **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return os.environ | {
        **more,
        "DJANGO_SETTINGS_MODULE": "tests.integration.plain_project",
        "PYTHONPATH": path,
        "TESTS_DATABASE_URL": url,
        "TESTS_ISOLATION": isolation,
    }


FILL = f"""
from django.core.management import call_command
from tests.site.models import Book, Shelf
call_command("migrate", run_syncdb=True, verbosity=0)
for pk in range(1, {ROWS} + 1):
    Shelf.objects.create(pk=pk, name="0")
    Book.objects.create(pk=pk, shelf_id=pk)
"""


class Site:
    """A database of its own, filled, and how a program other than Django connects to it."""

    def __init__(self, url: str, connect: Connect, isolation: str = "") -> None:
        self.url = url
        self.connect = connect
        self.isolation = isolation
        self.variables: dict[str, str] = {}
        run(FILL, url)

    def serving(self, *options: str) -> Any:
        port = free_port()
        command = [
            *(sys.executable, "-m", "gunicorn", "--workers", "2", "--threads", "2", *options),
            *("--bind", f"127.0.0.1:{port}", "--log-level", "warning"),
            "tests.integration.plain_project:application",
        ]
        return running(command, port, **environment(self.url, self.isolation, **self.variables))


@pytest.fixture(params=["sqlite", "sqlite-wal", "postgresql", "postgresql-rr", "mariadb"])
def site(request: Any, tmp_path: Path) -> Iterator[Site]:
    if request.param.startswith("sqlite"):
        yield _sqlite(tmp_path / "site.sqlite3", wal=request.param.endswith("wal"))
        return
    name = (
        "NOTMODIFIED_POSTGRESQL_URL" if "postgres" in request.param else "NOTMODIFIED_MARIADB_URL"
    )
    url = os.environ.get(name)
    if not url:
        pytest.skip(f"{name} is not set")
    own, base = f"stress_{os.getpid()}", url.rpartition("/")[0]
    admin = _server(url)
    admin().execute(f"CREATE DATABASE {own}")
    try:
        isolation = "REPEATABLE_READ" if request.param.endswith("rr") else ""
        connect = _server(f"{base}/{own}")
        yield Site(f"{base}/{own}", connect, isolation)
    finally:
        forced = " WITH (FORCE)" if "postgres" in request.param else ""
        admin().execute(f"DROP DATABASE {own}{forced}")


def _sqlite(path: Path, *, wal: bool) -> Site:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)

    if wal:
        connect().execute("PRAGMA journal_mode = WAL")
    return Site(f"sqlite:///{path}", connect)


class _Connection:
    """A driver's connection in autocommit, with a cursor of which every program has one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def cursor(self) -> Any:
        return self._connection.cursor()

    def execute(self, sql: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
        self._connection.close()

    def close(self) -> None:
        self._connection.close()


def _server(url: str) -> Connect:
    from tests.settings import database

    parts: Any = database(url)

    def connect() -> _Connection:
        if url.startswith("postgresql"):
            import psycopg

            return _Connection(psycopg.connect(url, autocommit=True))
        import MySQLdb

        connection = MySQLdb.connect(
            host=parts["HOST"],
            port=parts["PORT"],
            user=parts["USER"],
            password=parts["PASSWORD"],
            database=parts["NAME"],
            autocommit=True,
        )
        return _Connection(connection)

    return connect


def test_no_304_is_stale(site: Site) -> None:
    with site.serving() as url:
        seen = stress(url, site.connect, SECONDS, enough=ENOUGH)
    print(site.url.partition(":")[0], site.isolation, dict(seen))
    assert seen[304] >= ENOUGH, seen
    assert seen[200] >= ENOUGH, seen


def test_a_defect_would_be_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is not judged at its end."""
    monkeypatch.setenv("TESTS_DEFECT", "yes")
    with site.serving() as url, pytest.raises(Stale):
        stress(url, site.connect, SECONDS)


def kill_a_worker(url: str, chance: random.Random) -> None:
    """Of the server at `url`."""
    workers = subprocess.run(
        ["pgrep", "-f", "--", f"--bind {url.removeprefix('http://')}"],
        capture_output=True,
        text=True,
    ).stdout.split()
    os.kill(int(chance.choice(workers[1:])), signal.SIGKILL)


def test_nor_while_workers_are_killed(site: Site) -> None:
    kill = partial(kill_a_worker, chance=random.Random(0))
    with site.serving() as url:
        seen = stress(url, site.connect, SECONDS, partial(kill, url), enough=ENOUGH)
    assert seen[304] >= ENOUGH, seen
    assert seen[200] >= ENOUGH, seen
