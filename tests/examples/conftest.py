"""The example site in a state directory of its own, prepared once for all tests here.

It is another project than the one of the tests' settings, so it runs in processes of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "colours"

sys.path.append(str(EXAMPLE))  # for ``tour``, which imports nothing of Django

from tour.site import Server  # noqa: E402


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("colours")


@pytest.fixture(scope="session")
def environment(state: Path) -> dict[str, str]:
    """What the example's processes are told: few colours, and nothing of the tests' settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLOURS_", "DJANGO_"))}
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [kept.get("PYTHONPATH")])])
    return {
        **kept,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "80",
        "COLOURS_STATE": str(state),
        "COLOURS_LIMIT": "200",
        "COLOURS_PAGE_SECONDS": "3",
    }


@pytest.fixture(scope="session")
def prepared(environment: dict[str, str]) -> dict[str, str]:
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "load_colours", "--limit=200")
    manage(environment, "demo_desktops")
    return environment


@pytest.fixture(scope="module")
def address(prepared: dict[str, str]) -> Iterator[str]:
    with Server(prepared) as server:
        yield server.address


def manage(environment: dict[str, str], *arguments: str) -> str:
    """The output of a command of the example's ``manage.py``, which must succeed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "manage.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
