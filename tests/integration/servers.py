"""Real servers for tests: gunicorn with a test project, and nginx in front of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[str]:
    """A server process that listens on `port`, for as long as the block runs; gives its URL."""
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(200):
            if process.poll() is not None:
                assert process.stdout is not None
                raise RuntimeError(f"{command[0]} ended: {process.stdout.read().decode()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def gunicorn(settings: str, database: Path, workers: int = 1) -> Iterator[str]:
    """gunicorn with the WSGI application of the project `settings`."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--workers", str(workers), "--bind",
        f"127.0.0.1:{port}", "--log-level", "warning", "tests.integration.project:application",
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with running(
        command,
        port,
        DJANGO_SETTINGS_MODULE=settings,
        PYTHONPATH=path,
        TESTS_DATABASE=str(database),
    ) as url:
        yield url


@contextmanager
def nginx(binary: str, upstream: str, directory: Path, locations: str = "") -> Iterator[str]:
    """nginx with gzip on, in front of `upstream`; `locations` come before the one for all."""
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"""
        daemon off; pid {directory}/nginx.pid; error_log stderr; worker_processes 1;
        events {{ worker_connections 64; }}
        http {{
          access_log off;
          client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
          fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
          scgi_temp_path {directory}/scgi;
          gzip on; gzip_min_length 20; gzip_types *; gzip_proxied any; gzip_vary on;
          server {{
            listen 127.0.0.1:{port};
            {locations}
            location / {{ proxy_pass {upstream}; proxy_set_header Host $http_host; }}
          }}
        }}
        """
    )
    with running([binary, "-c", str(configuration), "-p", str(directory)], port) as url:
        yield url
