"""The demonstration: run to its end, and interrupted while it serves."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.examples.conftest import EXAMPLE

DEMO = [sys.executable, str(EXAMPLE / "demo.py")]

UNCHANGED = "200 304 200 304"
WITHOUT = "200 200 200 200"
LIST = {
    "plain": WITHOUT,
    "content": UNCHANGED,
    "field": UNCHANGED,
    "token": UNCHANGED,
    "table": UNCHANGED,
    "combined": UNCHANGED,
    "last-modified": UNCHANGED,
    "cache_page": UNCHANGED,
}
PAGE = {
    "plain": WITHOUT,
    "middleware alone": UNCHANGED,
    "content": UNCHANGED,
    "field": UNCHANGED,
    "token": UNCHANGED,
    "table": UNCHANGED,
}
AUTOMATIC = {"plain": WITHOUT, "automatic": UNCHANGED}
_ROW = re.compile(
    r"^ *([a-z][a-z_ -]*?) +((?:200|304)(?: +(?:200|304)){3}) +(\d+) .*?(\w+) *$", re.M
)


@pytest.fixture(scope="module")
def once(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, "--once"], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def rows(once: subprocess.CompletedProcess[str]) -> list[tuple[str, str, int, str]]:
    return [
        (name, " ".join(statuses.split()), int(queries), verdict)
        for name, statuses, queries, verdict in _ROW.findall(once.stdout)
    ]


def test_it_succeeds(once: subprocess.CompletedProcess[str]) -> None:
    assert once.returncode == 0, once.stdout + once.stderr
    assert "Everything was right." in once.stdout
    assert "wrong" not in once.stdout


def test_every_validator_is_right_before_and_after_a_change(
    rows: list[tuple[str, str, int, str]],
) -> None:
    expected = [*LIST.items(), *PAGE.items(), *PAGE.items()]
    expected += [*AUTOMATIC.items(), *AUTOMATIC.items()]
    assert [(name, statuses) for name, statuses, _, _ in rows] == expected
    assert {verdict for _, _, _, verdict in rows} == {"right"}


def test_a_token_asks_the_database_nothing(rows: list[tuple[str, str, int, str]]) -> None:
    anonymous = [queries for name, _, queries, _ in rows if name == "token"][:2]
    assert anonymous == [0, 0]


def test_a_page_without_a_decorator_asks_nothing_and_says_what_it_depends_on(
    once: subprocess.CompletedProcess[str], rows: list[tuple[str, str, int, str]]
) -> None:
    assert [queries for name, _, queries, _ in rows if name == "automatic"] == [0, 0]
    assert re.search(r"/api/colours/ +palette_colour +every row", once.stdout)
    assert re.search(r"desktops_note +rows with desktop_id = 1", once.stdout)


def test_writes_need_the_present_tag(once: subprocess.CompletedProcess[str]) -> None:
    assert re.search(r"no If-Match +428 +right", once.stdout)
    assert re.search(r"If-Match with the current tag +200 +right", once.stdout)
    assert re.search(r"If-Match with that tag once more +412 +right", once.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_ends_what_it_started(
    prepared: dict[str, str], number: signal.Signals
) -> None:
    with subprocess.Popen(
        [*DEMO, "--serve"], env=prepared, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        output = ""
        try:
            for line in process.stdout:
                output += line
                if "Ctrl-C" in line:
                    break
            assert "0 colours loaded, 200 were there." in output
            address = re.findall(r"http://127\.0\.0\.1:\d+", output)[-1]
            assert httpx.get(address + "/", trust_env=False).status_code == 200
        finally:
            process.send_signal(number)
            process.communicate(timeout=30)
    assert process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address + "/", trust_env=False)
