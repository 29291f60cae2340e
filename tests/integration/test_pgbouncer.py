"""A site behind pgbouncer, which gives each transaction another of its connections to PostgreSQL:
304s, none of them stale, and nothing left behind on connections that others use too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from notmodified.ledger.database import postgresql
from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.postgresql import PostgresqlLedger
from tests.integration.servers import ROOT, free_port
from tests.integration.stress import stress
from tests.integration.test_stress import ENOUGH, SECONDS, Site

pytestmark = pytest.mark.services

_TRACKED = {"application_name", "client_encoding", "DateStyle", "TimeZone"}
"""What pgbouncer itself sets on each connection, for the client whose transaction comes."""


def connected(url: str) -> Any:
    """In autocommit. Prepared statements of other programs cannot live behind pgbouncer."""
    import psycopg

    return psycopg.connect(url, autocommit=True, prepare_threshold=None)


def url_of(name: str) -> str:
    url = os.environ.get(name)
    if not url:
        pytest.skip(f"{name} is not set")
    return url.rpartition("/")[0]


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a database of its own."""
    url, name = url_of("NOTMODIFIED_POSTGRESQL_URL"), f"pooled_{os.getpid()}"
    with connected(f"{url}/postgres") as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def direct(name: str) -> str:
    return f"{url_of('NOTMODIFIED_POSTGRESQL_URL')}/{name}"


@pytest.fixture
def pooled(name: str) -> str:
    return f"{url_of('NOTMODIFIED_PGBOUNCER_URL')}/{name}"


def left_behind(direct: str, pooled: str) -> list[tuple[Any, ...]]:
    """What is set or prepared on any of pgbouncer's connections to a database."""
    for _ in range(50):
        pids = processes(direct)
        seen, found = set(), []
        with ExitStack() as stack:
            for _ in pids:  # all at once, so that no two get the same
                client = stack.enter_context(connected(pooled))
                client.execute("BEGIN")
                seen.add(client.execute("SELECT pg_backend_pid()").fetchone()[0])
                found += client.execute("SELECT name, statement FROM pg_prepared_statements")
                found += client.execute(
                    "SELECT name, setting FROM pg_settings WHERE source = 'session'"
                )
        if pids and seen == pids:
            return [one for one in found if one[0] not in _TRACKED]
        time.sleep(0.1)  # a client that came without pgbouncer has just gone
    raise AssertionError(f"{seen} are not {pids}")


def processes(direct: str) -> set[int]:
    """Those of the server that answer others in this database."""
    with connected(direct) as admin:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in found}


@pytest.mark.parametrize("kept", [0, 60], ids=["a connection per request", "kept connections"])
def test_no_304_is_stale_and_nothing_is_left_behind(
    direct: str, pooled: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One writer goes through pgbouncer as well, and the other does not."""
    monkeypatch.setenv("TESTS_POOLED", str(kept))
    ways = cycle([direct, pooled])
    site = Site(pooled, lambda: connected(next(ways)))
    with site.serving() as url:
        seen = stress(url, site.connect, SECONDS, enough=ENOUGH)
        assert left_behind(direct, pooled) == []
    print(dict(seen))
    assert seen[304] >= ENOUGH, seen
    assert seen[200] >= ENOUGH, seen


class TestLedger:
    """The ledger alone, behind pgbouncer, in a database that holds nothing else."""

    @pytest.fixture
    def ledger(self, direct: str, pooled: str) -> Iterator[PostgresqlLedger]:
        with connected(direct) as admin:
            for statement in postgresql.TABLES:
                admin.execute(statement)
        ledger = PostgresqlLedger(lambda: connected(pooled))
        yield ledger
        ledger.close()

    def test_whoever_answers_knows(
        self, ledger: PostgresqlLedger, direct: str, pooled: str
    ) -> None:
        """The one who answered first is busy, so that another has to."""
        position = ledger.position()
        with connected(pooled) as busy, connected(direct) as admin:
            busy.execute("BEGIN")
            assert ledger.unmoved(["a"], position) is not None
            admin.execute("INSERT INTO notmodified_log (key) VALUES ('a')")
            assert ledger.unmoved(["a"], position) is None
            assert ledger.unmoved(["%s ' \\' b"], position) is not None
            assert ledger.compact(keep=0)
        assert left_behind(direct, pooled) == []

    def test_the_reader_comes_by_the_same_way(
        self, ledger: PostgresqlLedger, direct: str, pooled: str
    ) -> None:
        position = ledger.position()
        with connected(pooled) as reader:
            assert ledger.position_of(reader, position) is not None
            reader.execute("BEGIN")
            with pytest.raises(LedgerError, match="under way"):
                ledger.position_of(reader, position)
        with connected(direct) as reader, pytest.raises(LedgerError, match="another server"):
            ledger.position_of(reader, position)

    def test_statistics_that_are_reset_end_a_history(
        self, ledger: PostgresqlLedger, direct: str
    ) -> None:
        """As a crash resets them, and so whoever does."""
        position = ledger.position()
        with connected(direct) as admin:
            admin.execute("SELECT pg_stat_reset_shared('bgwriter')")
        assert ledger.unmoved([], position) is None
        assert ledger.unmoved([], ledger.position()) is not None

    def test_an_old_server_has_no_positions(
        self, ledger: PostgresqlLedger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgresql, "_LEAST_BEHIND_A_POOLER", 990000)
        with pytest.raises(LedgerError, match="PostgreSQL 15 or later"):
            ledger.position()


class Servers:
    """A PostgreSQL of its own, to be killed, and a pgbouncer in front of it."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in ("postgresql", "pgbouncer")}
        self._environment = os.environ | {"NOTMODIFIED_SERVICES_DIR": str(folder)}
        for name, port in self.ports.items():
            self._environment[f"NOTMODIFIED_{name.upper()}_PORT"] = str(port)

    def __call__(self, action: str) -> None:
        script = str(ROOT / "scripts" / "services")
        command = [sys.executable, script, action, *self.ports]
        subprocess.run(command, env=self._environment, check=True)

    def url(self, name: str) -> str:
        return f"postgresql://notmodified@127.0.0.1:{self.ports[name]}/notmodified"

    def name_of_the_shelf(self) -> str:
        with connected(self.url("postgresql")) as admin:
            [(name,)] = admin.execute("SELECT name FROM site_shelf WHERE id = 1")
        return str(name)

    def crash(self) -> None:
        """Kill one of the server's processes, which makes it end all others, and recover."""
        import psycopg

        with connected(self.url("postgresql")) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                victim.execute("SELECT pg_sleep(20)")
        for _ in range(200):
            with suppress(psycopg.OperationalError):
                self.name_of_the_shelf()
                return
            time.sleep(0.1)
        raise AssertionError("the server did not recover")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    if not os.environ.get("NOTMODIFIED_PGBOUNCER_URL"):
        pytest.skip("NOTMODIFIED_PGBOUNCER_URL is not set")
    servers = Servers(tmp_path / "services")
    try:
        servers("start")
        yield servers
    finally:
        servers("stop")


@pytest.mark.parametrize("way", ["postgresql", "pgbouncer"])
def test_a_server_that_crashed_and_lost_what_it_had_shown(
    way: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same postmaster goes on; pgbouncer's clients do not even notice."""
    monkeypatch.setenv("TESTS_POOLED", "0")
    site = Site(servers.url(way), lambda: connected(servers.url("postgresql")))
    with site.connect() as admin:
        admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        admin.execute("SELECT pg_reload_conf()")
    with (
        site.serving("--workers", "1", "--threads", "1") as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
    ):
        for number in range(1, 6):
            client.get("/one/1/")  # from here on, what the process asks once is asked
            with site.connect() as admin:
                admin.execute("CHECKPOINT")  # no more than what follows may get lost
                admin.execute(f"UPDATE site_shelf SET name = '{number}' WHERE id = 1")
            shown = client.get("/one/1/")
            conditions = {"If-None-Match": shown.headers["ETag"]}
            assert client.get("/one/1/", headers=conditions).status_code == 304
            servers.crash()
            again = client.get("/one/1/", headers=conditions)
            if servers.name_of_the_shelf() != shown.text:
                assert (again.status_code, again.text) == (200, servers.name_of_the_shelf())
                return
    raise AssertionError("the server never lost anything")
