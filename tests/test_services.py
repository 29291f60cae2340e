"""`scripts/services`: what it says and refuses; and, with the mark `services`, a server's life."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "services"
NAMES = ["postgresql", "pgbouncer", "mariadb", "redis", "memcached", "nginx"]


class Services:
    """The script, with a directory and a Redis port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.pid_file = folder / "redis" / "pid"
        self.port = port
        self.environment = {
            **{key: value for key, value in os.environ.items() if "NOTMODIFIED" not in key},
            "NOTMODIFIED_SERVICES_DIR": str(folder),
            "NOTMODIFIED_REDIS_PORT": str(port),
        }

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True


@pytest.fixture
def services(tmp_path: Path) -> Services:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Services(tmp_path / "services", free.getsockname()[1])


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process which is not the script's business."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("arguments", [[], ["restart"], ["start", "--fast"]])
def test_a_call_which_makes_no_sense(services: Services, arguments: list[str]) -> None:
    result = services(*arguments)
    assert result.returncode == 2
    assert "usage: " in result.stderr


def test_an_unknown_name_is_told_the_known_ones(services: Services) -> None:
    result = services("start", "redis", "oracle")
    assert result.returncode == 2
    assert f"no service is named 'oracle'; there are {', '.join(NAMES)}" in result.stderr
    assert not services.folder.exists()


def test_status_has_one_aligned_line_for_each(services: Services) -> None:
    result = services("status")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line[:12].strip() for line in lines] == NAMES
    assert {line[12:] for line in lines} <= {"stopped", "installed", "not installed"}
    assert not services.folder.exists()


def test_env_tells_of_no_server_which_does_not_run(services: Services) -> None:
    result = services("env")
    assert (result.returncode, result.stderr) == (0, "")
    assert "_URL" not in result.stdout
    assert "MEMCACHED" not in result.stdout


def test_stop_spares_a_process_which_is_not_the_server(
    services: Services, stranger: subprocess.Popen[bytes]
) -> None:
    services.pid_file.parent.mkdir(parents=True)
    services.pid_file.write_text(f"{stranger.pid}\n")
    result = services("stop", "redis")
    assert (result.returncode, result.stdout.split()) == (0, ["redis", "not", "running"])
    assert stranger.poll() is None
    assert not services.pid_file.exists()


def test_what_is_missing_is_asked_of_apt_get(services: Services, tmp_path: Path) -> None:
    """As root by a call, here of one which does nothing and fails; else by a message."""
    calls = tmp_path / "calls"
    apt_get = tmp_path / "bin" / "apt-get"
    apt_get.parent.mkdir()
    apt_get.write_text(f'#!/bin/sh\necho "apt-get $*" >> {calls}\nexit 100\n')
    apt_get.chmod(0o755)

    result = services("start", "redis", PATH=str(apt_get.parent))

    assert result.returncode == 1
    said = calls.read_text() if os.geteuid() == 0 else result.stderr
    assert "apt-get update" in said
    assert "apt-get install -y --no-install-recommends redis-server" in said
    assert "not installed" in result.stderr or "not everything is installed" in result.stderr


@pytest.mark.services
@pytest.mark.skipif(not shutil.which("pgbouncer"), reason="pgbouncer is not installed")
def test_pgbouncer_is_told_that_there_is_no_postgresql(services: Services) -> None:
    ports = {"NOTMODIFIED_POSTGRESQL_PORT": "1", "NOTMODIFIED_PGBOUNCER_PORT": str(services.port)}
    refused = services("start", "pgbouncer", **ports)
    assert refused.returncode == 1
    assert "there is no postgresql on port 1: start it first" in refused.stderr
    assert not services.answers()


@pytest.mark.services
@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")
class TestRedis:
    @pytest.fixture(autouse=True)
    def _stop(self, services: Services) -> Iterator[None]:
        yield
        services("stop", "redis")

    def test_starts_and_stops_twice(self, services: Services) -> None:
        for _ in range(2):
            started, pid = services("start", "redis"), services.pid()
            assert started.stdout == f"redis       started on port {services.port}, pid {pid}\n"
            again = services("start", "redis")
            assert "already running" in again.stdout
            assert (started.returncode, again.returncode) == (0, 0)
            assert services.pid() == pid
            assert f"pid {pid}" in services("status", "redis").stdout
            url = f"redis://127.0.0.1:{services.port}/0"
            assert services("env", "redis").stdout == f"export NOTMODIFIED_REDIS_URL={url}\n"

            assert f"stopped, pid {pid}" in services("stop", "redis").stdout
            assert not services.answers()
            again = services("stop", "redis")
            assert (again.returncode, again.stdout.split()) == (0, ["redis", "not", "running"])

    def test_starts_after_it_was_killed(self, services: Services) -> None:
        services("start", "redis")
        killed = services.pid()
        os.kill(killed, signal.SIGKILL)
        assert services("start", "redis").returncode == 0
        assert services.pid() != killed
        assert services.answers()

    def test_leaves_a_taken_port_to_who_has_it(self, services: Services) -> None:
        with socket.create_server(("127.0.0.1", services.port)):
            refused = services("start", "redis")
            assert refused.returncode == 1
            assert "Set NOTMODIFIED_REDIS_PORT to another one." in refused.stderr
            assert services("stop", "redis").returncode == 0
            assert services.answers()

    def test_says_where_it_does_not_answer(self, services: Services) -> None:
        services("start", "redis")
        elsewhere = services("start", "redis", NOTMODIFIED_REDIS_PORT="1")
        assert elsewhere.returncode == 1
        assert f"pid {services.pid()} runs but does not answer on port 1" in elsewhere.stderr
        nowhere = services("start", "redis", NOTMODIFIED_REDIS_PORT="none")
        assert nowhere.returncode == 1
        assert "NOTMODIFIED_REDIS_PORT is 'none', which is no port" in nowhere.stderr
