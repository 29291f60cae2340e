"""The log under ``migrate`` and ``manage.py notmodified triggers``: kept, and never in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, migrations, models
from django.db.models.signals import post_migrate, pre_migrate
from django.test import override_settings

from notmodified import checks
from notmodified.records.databases import all_tables
from notmodified.writes.log import definitions
from notmodified.writes.log import install as module
from notmodified.writes.log.install import install, states, uninstall
from notmodified.writes.triggers.vendor import LOG_PREFIX
from tests.automatic.visits import DEFAULT_MIDDLEWARE
from tests.ledger.database.harness import opened
from tests.site.models import Shelf


@pytest.fixture(autouse=True)
def automatic() -> Iterator[None]:
    with override_settings(MIDDLEWARE=DEFAULT_MIDDLEWARE):
        yield


def triggers(table: str = "site_shelf") -> set[str]:
    return definitions.triggers(connection, LOG_PREFIX).get(table, set())


def migrate(*operations: Any) -> None:
    """What ``migrate`` says before and after it has run `operations` of the tests' app."""
    migration = migrations.Migration("0002_test", "site")
    migration.operations = list(operations)
    config = apps.get_app_config("site")
    said = {"app_config": config, "using": "default", "verbosity": 0, "interactive": False}
    said["plan"] = [(migration, False)] if operations else []
    pre_migrate.send(config, **said)
    post_migrate.send(config, **said)


def manage(action: str) -> str:
    out = StringIO()
    call_command("notmodified", "triggers", action, stdout=out, stderr=out)
    return out.getvalue()


class TestMigrate:
    def test_it_installs_what_is_missing(self) -> None:
        names = triggers()
        uninstall(connection)
        assert triggers() == set()
        migrate()
        assert triggers() == names

    @pytest.mark.parametrize(
        "given", [{"MIDDLEWARE": []}, {"NOTMODIFIED": {"LEDGER": None}}], ids=str
    )
    def test_nothing_where_nothing_is_recorded(self, given: dict[str, Any]) -> None:
        uninstall(connection)
        with override_settings(**given):
            migrate()
        assert triggers() == set()

    def test_a_flush_is_no_migration(self) -> None:
        uninstall(connection)
        config = apps.get_app_config("site")
        post_migrate.send(
            config, app_config=config, using="default", verbosity=0, interactive=False
        )
        assert triggers() == set()

    def test_everything_has_moved_before_and_after(self) -> None:
        with opened() as ledger:
            position: Any = ledger.position()
            migrate()
            assert ledger.unmoved([], position) is not None
            migrate(migrations.RunPython(migrations.RunPython.noop))
            assert ledger.unmoved([], position) is None

    def test_triggers_that_name_what_goes_are_out_of_the_way(self) -> None:
        seen: list[set[str]] = []
        migration = migrations.Migration("0002_test", "site")
        migration.operations = [migrations.RemoveField("shelf", "name")]
        config = apps.get_app_config("site")
        pre_migrate.send(config, app_config=config, using="default", plan=[(migration, False)])
        seen.append(triggers())
        migrate()
        assert seen == [set()]
        assert triggers()

    def test_a_schema_editor_of_sqlite_can_make_the_table_anew(self) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("others change tables in place")
        field = models.CharField(max_length=60)
        field.set_attributes_from_name("name")
        with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
            editor.alter_field(Shelf, Shelf._meta.get_field("name"), field)
        install(connection, all_tables(connection))
        assert triggers()

    def test_a_refusal_warns_with_the_sql_and_never_fails(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        uninstall(connection, {"site_shelf"})
        run = module._run

        def refusing(connection: Any, sql: Any) -> None:
            sql = list(sql)
            if any("CREATE TRIGGER" in statement for statement in sql):
                raise DatabaseError("TRIGGER command denied")
            run(connection, sql)

        with monkeypatch.context() as patched:
            patched.setattr(module, "_run", refusing)
            with caplog.at_level(logging.WARNING, "notmodified"):
                migrate()
            assert "CREATE TRIGGER" in caplog.text
            with pytest.raises(CommandError, match="did not let us create"):
                manage("install")
        assert triggers() == set()


class TestCommand:
    def test_ls_shows_what_is_there_and_what_is_missing(self) -> None:
        assert "missing" not in manage("ls")
        assert min(triggers()) in manage("ls")
        uninstall(connection, {"site_shelf"})
        assert "missing" in manage("ls")

    def test_check_install_and_uninstall(self) -> None:
        manage("check")
        manage("uninstall")
        assert triggers() == set()
        with pytest.raises(CommandError, match="triggers install"):
            manage("check")
        manage("install")
        manage("check")


def test_w005_drift_is_warned_of() -> None:
    assert checks.check_log(databases=["default"]) == []
    uninstall(connection, {"site_shelf"})
    [warning] = checks.check_log(databases=["default"])
    assert warning.id == "notmodified.W005"
    assert "site_shelf" in warning.msg
    with override_settings(MIDDLEWARE=[]):
        assert checks.check_log(databases=["default"]) == []


def test_a_leftover_trigger_is_no_cover() -> None:
    shape = all_tables(connection)
    smaller = {**shape, "site_shelf": shape["site_shelf"].__class__("site_shelf", frozenset(), {})}
    [state] = states(connection, smaller, {"site_shelf"})
    assert state.leftover
    assert not state.covered
