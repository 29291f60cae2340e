"""Prepares the example site, and runs it under gunicorn on the loopback interface."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

HERE: Final = Path(__file__).resolve().parent.parent
WORKERS: Final = 2

Environment = dict[str, str]


def environment(state: Path, page_seconds: int) -> Environment:
    """What the site's processes are told."""
    return {**os.environ, "COLOURS_STATE": str(state), "COLOURS_PAGE_SECONDS": str(page_seconds)}


def manage(env: Environment, *arguments: str, quiet: bool = False) -> None:
    """Run ``manage.py``, in a process of its own. Raises CalledProcessError where it fails."""
    output = subprocess.DEVNULL if quiet else None
    command = [sys.executable, str(HERE / "manage.py"), *arguments]
    subprocess.run(command, env=env, check=True, stdout=output)


def by_sqlite3(env: Environment, sql: str) -> None:
    """Have a program write that knows nothing of Django: the sqlite3 client, or Python's own."""
    database = env.get("COLOURS_DATABASE") or str(Path(env["COLOURS_STATE"]) / "colours.sqlite3")
    client = shutil.which("sqlite3")
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
    )
    command = [client, database, sql] if client else [sys.executable, "-c", code, database, sql]
    subprocess.run(command, check=True)


def prepare(env: Environment, limit: int | None) -> None:
    """Migrate, load, and create the demo users. What is there already stays."""
    manage(env, "check")
    manage(env, "migrate", "--verbosity=0")
    manage(env, "load_colours", *([] if limit is None else [f"--limit={limit}"]))
    manage(env, "demo_desktops")


class Server:
    """gunicorn with two workers on a free port, ended by its process id."""

    def __init__(self, env: Environment) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            number = listening.fileno()
            # The socket is handed over open, so nobody can take the port in between.
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn", "colours.wsgi:application"),
                    *("--config", str(HERE / "gunicorn.conf.py"), "--bind", f"fd://{number}"),
                    *("--workers", str(WORKERS)),
                ],
                cwd=HERE,
                env=env,
                pass_fds=[number],
                # An interrupt in the terminal is for the demonstration, which then ends it.
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Until it ends of itself, or a signal comes."""
        while self._process.poll() is None:
            time.sleep(0.5)
