"""Which ledger is in charge of a database: the command that says so, and the checks that warn."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from notmodified.checks import check_charge
from notmodified.ledger.shared.memory import SharedMemoryError
from notmodified.management.commands import notmodified as command
from notmodified.records import databases
from notmodified.writes import shared
from notmodified.writes.claims import MarkError, TokenClaim, TokenStoreError
from tests.ledger.database.harness import another
from tests.site.models import Shelf
from tests.site.pages import execute, only_on

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture(autouse=True)
def settings_of_site(log: None, tmp_path: Path) -> Iterator[None]:
    ours = {"LEDGER": "shared", "SHARED_DIRECTORY": str(tmp_path)}
    with override_settings(NOTMODIFIED=ours):
        shared.forget()
        yield
        path = shared._path_of(connection)
        assert path is not None
        path.unlink(missing_ok=True)
        shared.forget()
    call_command("notmodified", "ledger", "use", "database", "--no-wait", stdout=StringIO())
    databases.forget()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("notmodified", "ledger", *arguments, stdout=out)
    return out.getvalue()


def ids() -> list[str | None]:
    return [one.id for one in check_charge(databases=["default"])]


def test_nobody_is_until_somebody_says_so() -> None:
    assert "the database itself" in run("show")
    assert ids() == ["notmodified.W007"]
    assert "shared memory" in run("use", "shared")
    assert ids() == []


def test_it_is_said_anew_each_time() -> None:
    first = run("use", "shared")
    assert run("use", "shared") != first


def test_it_is_taken_back_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until every process has asked the database for its word again."""
    waited: list[float] = []
    monkeypatch.setattr(command.time, "sleep", waited.append)
    run("use", "shared")
    assert "the database itself" in run("use", "database")
    assert waited == [command.LEASE]


def test_another_file_is_not_put_in_its_place_unasked() -> None:
    run("use", "shared")
    memory = shared.memory_of(connection)
    assert memory is not None
    memory.path.unlink()
    shared.forget()
    assert ids() == ["notmodified.E006"]
    with pytest.raises(CommandError, match="--force"):
        run("use", "shared")
    run("use", "shared", "--force")
    assert ids() == []


def test_a_process_that_would_write_past_it_is_told() -> None:
    run("use", "shared")
    with override_settings(NOTMODIFIED={}):
        [found] = check_charge(databases=["default"])
        assert found.id == "notmodified.E006"
        assert "use database" in str(found.hint)


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = shared._path_of(connection)
    assert path is not None
    path.write_text("something else")
    shared.forget()
    assert ids() == ["notmodified.E006"]
    with pytest.raises(CommandError, match="Stop the site, and remove it"):
        run("use", "shared")
    with pytest.raises(MarkError, match="so it was not made"):
        Shelf.objects.create(name="x")
    assert not Shelf.objects.exists()


def test_a_writer_whose_file_is_gone_writes_nothing() -> None:
    run("use", "shared")
    Shelf.objects.create(name="first")
    memory = shared.memory_of(connection)
    assert memory is not None
    memory.path.unlink()
    with pytest.raises(MarkError, match="restart this one"):
        Shelf.objects.create(name="second")
    assert Shelf.objects.count() == 1


def test_where_another_claim_cannot_be_made_the_mark_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(self: TokenClaim, sql: str, params: Any, many: bool) -> None:
        raise TokenStoreError("the cache is away")

    memory = shared.memory_of(connection)
    assert memory is not None
    monkeypatch.setattr(TokenClaim, "is_wanted", lambda self: True)
    monkeypatch.setattr(TokenClaim, "before", refused)
    with pytest.raises(TokenStoreError):
        Shelf.objects.create(name="x")
    assert memory.at_rest() is not None
    monkeypatch.undo()
    assert not Shelf.objects.exists()


def test_before_migrate_there_is_nobody_to_ask() -> None:
    execute("DROP TABLE notmodified_charge")
    assert "the database itself" in run("show")
    with pytest.raises(CommandError, match="migrate"):
        run("use", "shared")


def test_a_transaction_that_was_open_before_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has written, it has not marked."""
    only_on("postgresql")
    monkeypatch.setattr(shared, "PATIENCE", 0.3)
    with another() as writer:
        writer.begin()
        writer.run("UPDATE site_shelf SET name = 'x'")
        writer.run("SELECT pg_current_xact_id()")
        with pytest.raises(CommandError, match="open for long"):
            run("use", "shared")
        writer.roll_back()
    run("use", "shared")


@pytest.mark.parametrize("arguments", [["use"], ["use", "shared"]])
def test_misuse(arguments: list[str]) -> None:
    with override_settings(NOTMODIFIED={}), pytest.raises(CommandError):
        run(*arguments)


def test_a_site_whose_file_is_refused_asks_the_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(connection: Any) -> Any:
        raise SharedMemoryError("it is no file")

    monkeypatch.setattr(databases, "memory_of", refused)
    ledger = databases._ledger(connection)
    assert ledger.position() is not None
    assert not hasattr(ledger, "rests_at")
    assert "it is no file" in caplog.text
    ledger.close()
