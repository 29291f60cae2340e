"""Triggers to the database and back: installed, missing, left over, refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models
from django.db.models.signals import post_migrate

from notmodified import checks
from notmodified.validators import UNKNOWN, field
from notmodified.writes.triggers import install as module
from notmodified.writes.triggers.install import install, states, uninstall, vendor_of
from tests.site.models import Book, Parent, Shelf, Ticket
from tests.site.pages import execute, moves, only_on, text, version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def as_they_were() -> Iterator[None]:
    yield
    assert install(connection) == []
    forget()


def forget() -> None:
    """As another process, which has not looked yet."""
    from notmodified.validators.field import _forget

    _forget()


def manage(action: str) -> str:
    out = StringIO()
    call_command("notmodified", "triggers", action, stdout=out, stderr=out)
    return out.getvalue()


def altered(model: type[models.Model], name: str, **options: Any) -> models.Field[Any, Any]:
    """The field of that name with other options, as a migration has it."""
    _, _, args, kwargs = model._meta.get_field(name).deconstruct()
    field_: models.Field[Any, Any] = type(model._meta.get_field(name))(*args, **(kwargs | options))
    field_.set_attributes_from_name(name)
    field_.model = model
    return field_


def test_migrate_has_installed_all() -> None:
    for state in states(connection):
        assert state.expected
        assert (state.missing, state.leftover) == ((), ())
    assert "missing" not in manage("check")


def test_without_triggers_there_is_no_version_and_a_warning_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Book.objects.create()
    page = field(Book)
    manage("uninstall")
    forget()
    with caplog.at_level(logging.WARNING, "notmodified"):
        assert version(page) == UNKNOWN
    assert "run: manage.py notmodified triggers install" in caplog.text
    assert "site.Book" in caplog.text


@pytest.mark.parametrize("number", range(4))
def test_one_missing_trigger_is_enough(number: int) -> None:
    Book.objects.create()
    state = next(state for state in states(connection) if state.model is Book)
    trigger = state.expected[number % len(state.expected)]
    for sql in trigger.drop:
        execute(sql)
    forget()
    assert version(field(Book)) == UNKNOWN
    with pytest.raises(CommandError, match="triggers install"):
        manage("check")
    assert f"missing    {trigger.name}" in manage("ls")
    assert [one.id for one in checks.check_triggers(databases=["default"])] == ["notmodified.W004"]


def test_a_disabled_trigger_is_a_missing_one() -> None:
    only_on("postgresql")
    Book.objects.create()
    assert text(field(Book))
    execute("ALTER TABLE site_book DISABLE TRIGGER USER")
    try:
        assert version(field(Book)) == UNKNOWN
    finally:
        execute("ALTER TABLE site_book ENABLE TRIGGER USER")


def test_installing_again_moves_every_version() -> None:
    """Nobody knows what happened meanwhile."""
    for title in "abc":
        Book.objects.create(title=title)
    pages = [
        field(lambda request, title=title: Book.objects.filter(title=title)) for title in "abc"
    ]
    with moves(*pages, field(Book)):
        manage("uninstall")
        execute("UPDATE site_book SET copies = 7")
        manage("install")


def test_installing_what_is_there_changes_nothing() -> None:
    Book.objects.create()
    before = text(field(Book))
    assert "installed" in manage("install")
    assert text(field(Book)) == before


def test_leftovers_are_dropped() -> None:
    trigger = next(iter(next(iter(states(connection))).expected))
    stranger = trigger.create[-1].replace(trigger.name, "notmodified_0000000000000000")
    if connection.vendor == "postgresql":
        stranger = stranger.replace("notmodified_0000000000000000()", f'"{trigger.name}"()')
        stranger = stranger.replace('"notmodified_0000000000000000"()', f'"{trigger.name}"()')
    execute(stranger.replace("%", "%%"))
    assert "leftover   notmodified_0000000000000000" in manage("ls")
    with pytest.raises(CommandError):
        manage("check")
    manage("install")
    assert "leftover" not in manage("check")


def test_uninstall_leaves_nothing() -> None:
    uninstall(connection)
    for state in states(connection):
        assert len(state.missing) == len(state.expected)


@pytest.mark.parametrize(
    ("model", "name", "options"),
    [(Book, "copies", {"null": True}), (Parent, "name", {"max_length": 60, "null": True})],
)
def test_a_schema_alteration_succeeds_and_is_noticed_at_once(
    model: type[models.Model], name: str, options: dict[str, Any]
) -> None:
    """SQLite remakes the table, and the triggers that stand on it go."""
    row = model._default_manager.create()
    before = text(field(model))
    old, new = model._meta.get_field(name), altered(model, name, **options)
    with connection.schema_editor() as editor:
        editor.alter_field(model, old, new)
    try:
        model._default_manager.filter(pk=row.pk).update(**{name: 7})
        assert text(field(model)) in (None, text(field(model)))
        assert text(field(model)) != before
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(model, new, old)
    install(connection)
    assert text(field(model)) not in (None, before)


def test_the_version_field_itself_can_be_removed_and_added() -> None:
    Shelf.objects.create(name="s")
    before = text(field(Shelf))
    version_field = Shelf._meta.get_field("version")
    with connection.schema_editor() as editor:
        editor.remove_field(Shelf, version_field)
    with connection.schema_editor() as editor:
        editor.add_field(Shelf, version_field)
    install(connection)
    forget()
    assert text(field(Shelf)) not in (None, before)


def test_triggers_that_went_with_a_renamed_table_do_not_count() -> None:
    only_on("sqlite", "postgresql")
    Ticket.objects.create(code=1)
    before = text(field(Ticket))
    execute("ALTER TABLE site_ticket RENAME TO site_ticket_old")
    try:
        execute("CREATE TABLE site_ticket AS SELECT * FROM site_ticket_old")
        execute("UPDATE site_ticket SET holder = 'x'")
        assert text(field(Ticket)) != before
    finally:
        execute("DROP TABLE site_ticket")
        execute("ALTER TABLE site_ticket_old RENAME TO site_ticket")


class Refusing:
    """An engine that lets nobody create triggers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(connection: Any, sql: Any) -> None:
            raise DatabaseError("TRIGGER command denied")

        monkeypatch.setattr(module, "_run", run)


def test_a_refusal_warns_with_the_sql_and_never_fails_migrate(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Book.objects.create()
    uninstall(connection)
    forget()
    with monkeypatch.context() as patched:
        Refusing(patched)
        with caplog.at_level(logging.WARNING, "notmodified"):
            call_command("migrate", verbosity=0)
        with pytest.raises(CommandError, match="did not let us create"):
            manage("install")
    assert "CREATE TRIGGER" in caplog.text
    assert "denied" in caplog.text
    assert version(field(Book)) == UNKNOWN


def test_migrate_installs_what_is_missing() -> None:
    Book.objects.create()
    uninstall(connection)
    config = apps.get_app_config("site")
    post_migrate.send(config, app_config=config, using="default", verbosity=0, interactive=False)
    assert text(field(Book)) is not None


def test_an_engine_without_triggers_is_told_so() -> None:
    class Oracle:
        vendor = "oracle"

    with pytest.raises(NotImplementedError, match="not oracle"):
        vendor_of(Oracle())  # type: ignore[arg-type]
