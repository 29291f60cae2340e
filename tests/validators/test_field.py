"""`field` and `VersionField`: every way of writing a row moves its version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import management
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from notmodified.fields import BITS, VersionField
from notmodified.validators import ABSENT, field
from tests.site.models import Book, Plain, Shelf, Ticket
from tests.site.pages import execute, keeps, moves, only_on, text, version

pytestmark = pytest.mark.django_db

book_page = field(lambda request: Book.objects.filter(pk=1), single=True)
ticket_page = field(lambda request: Ticket.objects.filter(code=7), single=True)


@pytest.fixture
def book() -> Book:
    Book.objects.create(pk=2, title="other")
    return Book.objects.create(pk=1, title="one")


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(code=7, holder="Ann")


def late_save(book: Book) -> None:
    """An instance that was read before others wrote, saved after them."""
    late = Book.objects.get(pk=1)
    Book.objects.filter(pk=1).update(title="meanwhile")
    late.save()


def raw_cursor(book: Book) -> None:
    execute("UPDATE site_book SET copies = copies + 1 WHERE id = %s", 1)


def raw_many(book: Book) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE site_book SET title = %s WHERE id = %s", [("a", 2), ("b", 1)])


def driver_cursor(book: Book) -> None:
    connection.ensure_connection()
    cursor = connection.connection.cursor()
    cursor.execute("UPDATE site_book SET copies = 99 WHERE id = 1")
    cursor.close()


def bulk_update(book: Book) -> None:
    book.title = "bulk"
    Book.objects.bulk_update([book], ["title"])


def bulk_update_of_the_version(book: Book) -> None:
    Book.objects.bulk_update([book], ["version"])


def delete_and_create(book: Book) -> None:
    fields = {"title": book.title, "version": book.version}
    book.delete()
    Book.objects.create(pk=1, **fields)


WRITES: list[Callable[[Book], Any]] = [
    late_save,
    raw_cursor,
    raw_many,
    driver_cursor,
    bulk_update,
    bulk_update_of_the_version,
    delete_and_create,
]
ORM_WRITES: dict[str, Callable[[Book], Any]] = {
    "save": lambda book: book.save(),
    "save update_fields": lambda book: book.save(update_fields=["title"]),
    "save update_fields version": lambda book: book.save(update_fields=["version"]),
    "save force_update": lambda book: book.save(force_update=True),
    "save new instance": lambda book: Book(pk=1, title="new").save(),
    "save_base raw": lambda book: book.save_base(raw=True),
    "update": lambda book: Book.objects.filter(pk=1).update(title="x"),
    "update to the same": lambda book: Book.objects.update(title=book.title),
    "update F": lambda book: Book.objects.update(copies=F("copies") + 1),
    "update version to itself": lambda book: Book.objects.update(version=F("version")),
    "update_or_create": lambda book: Book.objects.update_or_create({"title": "x"}, pk=1),
    "move to a shelf": lambda book: Shelf.objects.create().books.add(book),
}


@pytest.mark.parametrize("write", [*WRITES, *ORM_WRITES.values()], ids=lambda w: w.__name__)
def test_every_way_of_writing_the_row_moves_it(book: Book, write: Callable[[Book], Any]) -> None:
    with moves(book_page):
        write(book)


def test_a_write_of_another_row_keeps_it(book: Book) -> None:
    with keeps(book_page):
        Book.objects.filter(pk=2).update(title="x")
        Book.objects.create(pk=3, title="third")
        Book.objects.filter(pk=2).delete()


def test_a_write_that_is_rolled_back_keeps_it(book: Book) -> None:
    with keeps(book_page):
        with transaction.atomic():
            Book.objects.update(title="x")
            transaction.set_rollback(True)
        with pytest.raises(IntegrityError), transaction.atomic():
            Book.objects.create(pk=1, title="twice")


def test_a_conflict_that_is_ignored_keeps_it(ticket: Ticket) -> None:
    with keeps(ticket_page):
        Ticket.objects.bulk_create([Ticket(code=7, holder="Bob")], ignore_conflicts=True)
    assert Ticket.objects.get().holder == "Ann"


@pytest.mark.parametrize("columns", [["holder"], ["holder", "version"]])
def test_a_conflict_that_updates_moves_it(ticket: Ticket, columns: list[str]) -> None:
    unique = ["code"] if connection.features.supports_update_conflicts_with_target else None
    with moves(ticket_page):
        Ticket.objects.bulk_create(
            [Ticket(code=7, holder="Bob")],
            update_conflicts=True,
            update_fields=columns,
            unique_fields=unique,
        )
    assert Ticket.objects.get().holder == "Bob"


def test_get_or_create_keeps_what_it_gets(ticket: Ticket) -> None:
    with keeps(ticket_page):
        Ticket.objects.get_or_create(code=7)


def test_c6_the_same_content_again_has_another_version(book: Book) -> None:
    """Also with the version that somebody else read: nobody chooses it."""
    seen = {text(book_page)}
    for title in ("a", "b", "a", "b"):
        book.title = title
        book.save()
        Book.objects.filter(pk=1).update(title=title, version=book.version)
        seen.add(text(book_page))
    assert len(seen) == 5


def test_a_foreign_key_that_the_database_nulls_moves_it(ticket: Ticket) -> None:
    ticket.shelf = Shelf.objects.create(name="s")
    ticket.save()
    with moves(ticket_page):
        Shelf.objects.all().delete()


def test_fixtures_give_new_versions(book: Book, tmp_path: Path) -> None:
    file = tmp_path / "books.json"
    management.call_command("dumpdata", "site.Book", output=str(file), verbosity=0)
    dumped = {row["pk"]: row["fields"]["version"] for row in json.loads(file.read_text())}
    assert dumped[1] == Book.objects.get(pk=1).version
    with moves(book_page):
        management.call_command("loaddata", str(file), verbosity=0)
    assert Book.objects.get(pk=1).version != dumped[1]


@pytest.mark.django_db(transaction=True)
def test_replacing_a_row_with_its_old_version_moves_it(book: Book) -> None:
    only_on("sqlite", "mysql")
    with moves(book_page):
        execute(
            "REPLACE INTO site_book (id, title, copies, shelf_id, version) "
            "SELECT id, 'other', copies, shelf_id, version FROM site_book WHERE id = 1"
        )


def test_inserting_a_row_with_an_old_version_moves_it(book: Book) -> None:
    """As when an edited dump is read back by another program."""
    old = Book.objects.get(pk=1).version
    with moves(book_page):
        Book.objects.filter(pk=1).delete()
        execute(
            "INSERT INTO site_book (id, title, copies, version) VALUES (1, 'edited', 0, %s)", old
        )


@pytest.mark.django_db(transaction=True)
def test_truncate_on_postgresql_is_seen() -> None:
    only_on("postgresql")
    book = Book.objects.create(pk=1, title="one")
    book.tags.create(name="t")
    with moves(book_page):
        execute("TRUNCATE site_book_tags")
    with moves(field(Book)):
        execute("TRUNCATE site_book CASCADE")


def test_what_is_not_there_is_absent_where_the_page_shows_one() -> None:
    assert version(book_page) == ABSENT
    assert text(field(Book)) is not None


def test_a_missing_row_asks_no_more_than_a_present_one(
    book: Book, django_assert_num_queries: Any
) -> None:
    text(book_page)
    for pk in (1, 3):
        with django_assert_num_queries(1):
            version(field(lambda request, pk=pk: Book.objects.filter(pk=pk), single=True))


def test_rows_without_a_version_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"needs a VersionField on site\.Plain: add"):
        version(field(Plain))
    with pytest.raises(TypeError, match="takes a model, a manager or a queryset"):
        version(field(lambda request: 7))  # type: ignore[arg-type, return-value]


def test_versions_fit_their_column_and_are_positive() -> None:
    values = {VersionField().get_default() for _ in range(100)}
    assert len(values) == 100
    assert all(0 <= value < 2**BITS for value in values)


def test_migrations_write_the_field_without_what_it_fixes() -> None:
    name, path, args, kwargs = VersionField(db_column="v").deconstruct()
    assert (name, args, kwargs) == (None, [], {"db_column": "v"})
    assert path == "notmodified.fields.VersionField"
