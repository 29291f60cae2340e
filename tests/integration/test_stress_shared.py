"""The ledger in shared memory under stress: several web processes, several programs that write
through Django, and processes that are killed at any step. Zero stale out of every 304.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.stress import Stale, stress
from tests.integration.test_stress import (
    ENOUGH,
    SECONDS,
    Site,
    environment,
    kill_a_worker,
    run_with,
)
from tests.integration.test_stress import site as a_site
from tests.integration.through_django import Program

__all__ = ["a_site"]

USE = """
from django.core.management import call_command
call_command("notmodified", "ledger", "use", "shared")
"""


ON = ["sqlite-wal", "postgresql", "mariadb"]
"""The isolation of readers, and SQLite's other journal, are the business of ``test_stress``."""


@pytest.fixture
def programs() -> list[Program]:
    """Those that write."""
    return []


@pytest.fixture
def site(a_site: Site, tmp_path: Path, programs: list[Program]) -> Site:
    """A site with shared memory in charge, to which programs of its own write."""
    a_site.variables = {"TESTS_LEDGER": "shared", "TESTS_SHARED_DIRECTORY": str(tmp_path)}
    run_with(USE, environment(a_site.url, a_site.isolation, **a_site.variables))

    def another() -> Program:
        programs.append(Program(environment(a_site.url, a_site.isolation, **a_site.variables)))
        return programs[-1]

    a_site.connect = another
    return a_site


@pytest.mark.parametrize("a_site", ON, indirect=True)
def test_no_304_is_stale(site: Site) -> None:
    with site.serving() as url:
        seen = stress(url, site.connect, SECONDS, enough=ENOUGH)
    print(site.url.partition(":")[0], site.isolation, dict(seen))
    assert seen[304] >= ENOUGH, seen
    assert seen[200] >= ENOUGH, seen


@pytest.mark.parametrize("a_site", ON, indirect=True)
def test_nor_while_anybody_is_killed(site: Site, programs: list[Program]) -> None:
    """Those who answer, and those who write, at whatever step they are."""
    chance = random.Random(0)
    with site.serving() as url:

        def kill() -> None:
            if chance.random() < 0.4:
                kill_a_worker(url, chance)
            else:
                chance.choice(programs).kill()

        seen = stress(url, site.connect, SECONDS, kill, enough=ENOUGH)
    assert seen[304] >= ENOUGH, seen
    assert seen[200] >= ENOUGH, seen


@pytest.mark.parametrize("a_site", ON[:1], indirect=True)
@pytest.mark.parametrize("defect", ["unmarked", "uncounted"])
def test_a_defect_would_be_found(defect: str, site: Site) -> None:
    """Writers that mark nothing, or marks that go without being counted."""
    site.variables["TESTS_DEFECT"] = defect
    with site.serving() as url, pytest.raises(Stale):
        stress(url, site.connect, SECONDS)
