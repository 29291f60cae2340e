"""The command line, and that the probe stands alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from notmodified.conformance.__main__ import main
from tests.conformance.origins import WellBehaved, Writable
from tests.conformance.servers import serving

SOURCE = Path(__file__).parents[2] / "src"


class Defective(WellBehaved):
    fields = {}


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["-m", "notmodified.conformance"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_status_0_without_a_violation() -> None:
    with serving(WellBehaved) as url:
        done = run(url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{url}\n")
    assert "violation: 0" in done.stdout


def test_status_1_with_a_violation() -> None:
    with serving(Defective) as url:
        done = run("--json", "--only", "c74,C1", url)
    (document,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(r["rule"], r["verdict"]) for r in document["results"]] == [
        ("C1", "pass"),
        ("C74", "violation"),
    ]


def test_status_2_without_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert main([gone]) == 2
    assert f"{gone}: no answer: " in capsys.readouterr().err
    with serving(WellBehaved) as url:
        assert main(["--only", "C1", gone, url]) == 2
    with serving(Defective) as url:
        assert main(["--only", "C74", gone, url]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ftp://example.org/"],
        ["http://example.org/", "--only", "C999"],
        ["http://example.org/", "--only", ","],
        ["http://example.org/", "--header", "no colon"],
        ["http://example.org/", "--header", "Bad Name: x"],
        ["http://example.org/", "--header", "If-Match: x"],
        ["http://example.org/", "--header", "Connection: x"],
        ["http://example.org/", "--header", "A: b\r\nC: d"],
        ["http://example.org/", "--header", "A: \N{SNOWMAN}"],
        ["http://example.org/", "--timeout", "0"],
        ["http://example.org/", "--timeout", "soon"],
        ["http://example.org/", "--unsafe", "GET"],
        ["http://example.org/", "--unsafe", "P UT"],
        ["http://example.org/", "--body", "x"],
        ["http://example.org/", "--content-type", "text/plain"],
    ],
)
def test_status_2_on_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_headers_and_the_unsafe_request_are_sent() -> None:
    seen: set[tuple[str, str | None, str | None]] = set()

    class Noting(Writable):
        def do_GET(self) -> None:
            seen.add((self.command, self.headers["X-Probe"], None))
            super().do_GET()

        def do_PUT(self) -> None:
            seen.add((self.command, self.headers["X-Probe"], self.headers["Content-Type"]))
            super().do_PUT()

        def store(self, content: bytes) -> None:
            raise AssertionError(content)

    with serving(Noting) as url:
        unsafe = ["--unsafe", "put", "--body", "{}", "--content-type", "application/json"]
        status = main(["--only", "C38", "--header", "X-Probe: é", *unsafe, url])
    assert status == 0
    assert seen == {("GET", "é", None), ("PUT", "é", "application/json")}


def test_an_independent_oracle() -> None:
    """No other room of the package is loaded, nor anything beyond the standard library."""
    done = run(
        code=(
            "import sys; before = set(sys.modules); import notmodified.conformance.__main__\n"
            "print(*{name for name in set(sys.modules) - before "
            "if name.partition('.')[0] not in sys.stdlib_module_names})"
        )
    )
    loaded = {name for name in done.stdout.split() if name != "notmodified"}
    assert loaded
    assert all(name.startswith("notmodified.conformance") for name in loaded), loaded
