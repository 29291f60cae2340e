"""`token`: what a page is made of, and which writes move it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction
from django.db.models import F
from django.http import Http404
from django.test import RequestFactory

from notmodified.validators import ABSENT, UNKNOWN, Members, token
from notmodified.validators.token import MOST_ROWS
from tests.site.models import (
    Book,
    Both,
    Box,
    City,
    Copy,
    Country,
    Grandchild,
    Item,
    Measurement,
    Numbered,
    Parent,
    Right,
    Shelf,
    Tag,
    Ticket,
)
from tests.site.pages import execute, keeps, moves, text, version

pytestmark = pytest.mark.django_db


def row(model: Any, pk: Any) -> token:
    """A page that shows one row."""
    return token(lambda request: [model.objects.get(pk=pk)], name=f"{model.__name__} {pk}")


def members(model: Any, **foreign_key: Any) -> token:
    """A page that lists the rows of one set."""
    return token(lambda request: [Members(model, **foreign_key)], name=f"{model} {foreign_key}")


table_page = token(lambda request: [Book], name="all books")


@pytest.fixture
def books() -> list[Book]:
    for pk in (1, 2):
        Shelf.objects.create(pk=pk, name="s")
    return [
        Book.objects.create(pk=pk, title=f"book {pk}", shelf_id=1 + pk % 2) for pk in range(1, 5)
    ]


def late_save(book: Book) -> None:
    late = Book.objects.get(pk=1)
    Book.objects.filter(pk=1).update(title="meanwhile")
    late.save()


def bulk_update(book: Book) -> None:
    book.title = "bulk"
    Book.objects.bulk_update([book], ["title"])


def create_again(book: Book) -> None:
    book.delete()
    Book.objects.create(pk=1, title=book.title, shelf_id=2)


def many(book: Book) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE site_book SET title = %s WHERE id = %s", [("a", 1), ("b", 1)])


ROW_WRITES: dict[str, Callable[[Book], Any]] = {
    "save": lambda book: book.save(),
    "save update_fields": lambda book: book.save(update_fields=["title"]),
    "save force_update": lambda book: book.save(force_update=True),
    "save new instance": lambda book: Book(pk=1, shelf_id=2).save(),
    "late save": late_save,
    "update": lambda book: Book.objects.filter(pk=1).update(title="x"),
    "update by a list": lambda book: Book.objects.filter(pk__in=[1]).update(title="x"),
    "update F": lambda book: Book.objects.filter(pk=1).update(copies=F("copies") + 1),
    "update_or_create": lambda book: Book.objects.update_or_create({"title": "x"}, pk=1),
    "bulk_update": bulk_update,
    "create again": create_again,
    "raw": lambda book: execute("UPDATE site_book SET title = 'x' WHERE id = %s", 1),
    "raw literal": lambda book: execute("UPDATE site_book SET title = 'x' WHERE id = 1"),
    "raw many": many,
}


@pytest.mark.parametrize("write", ROW_WRITES.values(), ids=ROW_WRITES.keys())
def test_a_write_of_one_row_moves_its_pages_and_no_others(
    books: list[Book], write: Callable[[Book], Any]
) -> None:
    with (
        keeps(row(Book, 2), row(Book, 3), row(Shelf, 1), row(Shelf, 2), members(Book, shelf=1)),
        moves(row(Book, 1), members(Book, shelf=2), table_page),
    ):
        write(books[0])


WIDE_WRITES: dict[str, Callable[[Book], Any]] = {
    "update all": lambda book: Book.objects.update(copies=7),
    "by another column": lambda book: Book.objects.filter(title="book 1").update(copies=7),
    "or": lambda book: (Book.objects.filter(pk=1) | Book.objects.filter(pk=9)).update(copies=7),
    "not": lambda book: Book.objects.exclude(pk=9).update(copies=7),
    "greater": lambda book: Book.objects.filter(pk__lt=2).update(copies=7),
    "by a subquery": lambda book: Book.objects.filter(
        pk__in=list(Book.objects.filter(shelf=2).values_list("pk", flat=True))
    ).update(copies=7),
    "raw or": lambda book: execute("UPDATE site_book SET copies = 7 WHERE id = 9 OR id = 1"),
    "raw arithmetic": lambda book: execute("UPDATE site_book SET copies = 7 WHERE id = 2 - 1"),
    "all rows deleted": lambda book: Book.objects.all().delete(),
}


@pytest.mark.parametrize("write", WIDE_WRITES.values(), ids=WIDE_WRITES.keys())
def test_a_write_of_unknown_rows_moves_the_pages_it_may_touch(
    books: list[Book], write: Callable[[Book], Any]
) -> None:
    page = token(lambda request: list(Book.objects.filter(pk=1)), name="book 1 if it is there")
    with keeps(row(Shelf, 1)), moves(page, members(Book, shelf=2), table_page):
        write(books[0])


def test_an_insert_moves_its_set_and_the_table(books: list[Book]) -> None:
    kept = (row(Book, 1), members(Book, shelf=1))
    with keeps(*kept), moves(members(Book, shelf=2), table_page):
        Book.objects.create(pk=9, title="new", shelf_id=2)
    with keeps(*kept), moves(members(Book, shelf=2), table_page):
        Book.objects.bulk_create([Book(pk=10, shelf_id=2)])


def test_a_row_that_changes_sets_moves_both(books: list[Book]) -> None:
    with keeps(row(Book, 2)), moves(members(Book, shelf=1), members(Book, shelf=2)):
        Book.objects.filter(pk=1).update(shelf=1)


def test_an_empty_set_waits_for_its_first_row(books: list[Book]) -> None:
    Shelf.objects.create(pk=3, name="empty")
    with moves(members(Book, shelf=3)):
        Book.objects.filter(pk=1).update(shelf_id=3)
    Book.objects.filter(pk=1).update(shelf_id=None)
    with moves(members(Book, shelf=3)):
        Book.objects.filter(title="book 1").update(shelf_id=3)


def test_a_row_without_a_set_moves_no_set(books: list[Book]) -> None:
    """Django writes ``shelf_id = NULL`` into the statement itself."""
    lonely = Book.objects.create(pk=9, title="lonely")
    with keeps(members(Book, shelf=1), members(Book, shelf=2)), moves(row(Book, 9)):
        lonely.title = "still lonely"
        lonely.save()


def test_the_rows_without_a_set_are_a_set_too(books: list[Book]) -> None:
    with moves(members(Book, shelf=None)):
        Book.objects.filter(pk=1).update(shelf=None)


def test_a_large_set_is_watched_as_a_table() -> None:
    Shelf.objects.create(pk=1, name="s")
    Book.objects.bulk_create([Book(pk=pk, shelf_id=1) for pk in range(1, MOST_ROWS + 3)])
    with moves(members(Book, shelf=1)):
        Book.objects.filter(pk=MOST_ROWS + 2).update(title="x")


def test_a_statement_with_many_rows_counts_as_any_row(books: list[Book]) -> None:
    with moves(row(Book, 1)):
        Book.objects.filter(pk__in=range(1, 600)).update(copies=7)
    with connection.cursor() as cursor, moves(row(Book, 1)):
        cursor.executemany(
            "UPDATE site_book SET copies = 8 WHERE id = %s", [(pk,) for pk in range(700, 0, -1)]
        )


def test_relations_move_the_row_that_declares_them_and_their_sets(books: list[Book]) -> None:
    tag = Tag.objects.create(pk=1, name="t")
    Tag.objects.create(pk=2, name="u")
    through: Any = Book.tags.through
    pages = (row(Book, 1), members(through, book=1))
    others = (row(Book, 2), members(through, book=2))
    for write in (
        lambda: books[0].tags.add(tag),
        lambda: books[0].tags.set([2]),
        lambda: Tag.objects.get(pk=1).book_set.add(books[0]),
        lambda: books[0].tags.clear(),
    ):
        with keeps(*others[1:]), moves(*pages):
            write()


def test_cascades_move_what_they_delete(books: list[Book]) -> None:
    page = token(lambda request: list(Book.objects.filter(pk=1)), name="book 1 if it is there")
    ticket = Ticket.objects.create(code=1, shelf_id=2)
    with (
        keeps(row(Book, 2), row(Shelf, 1)),
        moves(page, members(Book, shelf=2), row(Ticket, ticket.pk), table_page),
    ):
        Shelf.objects.get(pk=2).delete()


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="needs Django 6.1")
def test_cascades_of_the_database_move_what_they_reach(settings: Any) -> None:
    from tests.site.models import Collar, Guest, Owner, Pet

    settings.NOTMODIFIED = {"WATCH": ["site.Pet", "site.Collar", "site.Guest"]}
    owner = Owner.objects.create(name="o")
    collar = Collar.objects.create(pet=Pet.objects.create(owner=owner))
    guest = Guest.objects.create(owner=owner)
    page = token(lambda request: list(Collar.objects.all()), name="collars")
    with moves(page, members(Collar, pet=collar.pet_id), row(Guest, guest.pk)):
        owner.delete()
    assert not Collar.objects.exists()


def test_all_tables_of_a_row_count() -> None:
    one = Grandchild.objects.create(name="a", nickname="b", toy="c")
    two = Grandchild.objects.create(name="a", nickname="b", toy="c")
    for change in ({"name": "x"}, {"nickname": "x"}, {"toy": "x"}):
        with keeps(row(Grandchild, two.pk)), moves(row(Grandchild, one.pk)):
            Grandchild.objects.filter(pk=one.pk).update(**change)
    with keeps(row(Grandchild, two.pk)), moves(row(Grandchild, one.pk)):
        Parent.objects.filter(pk=one.pk).update(name="y")


def test_each_parents_row_has_its_own_key() -> None:
    for _ in range(3):
        Right.objects.create(right="so that the keys differ")
    both = Both.objects.create(left="l", right="r")
    with moves(row(Both, both.pk)):
        Right.objects.filter(pk=both.right_key).update(right="x")


def test_uuids_narrow_like_integers() -> None:
    boxes = [Box.objects.create(name=name) for name in "ab"]
    Item.objects.create(box=boxes[1])
    with keeps(row(Box, boxes[1].pk)), moves(row(Box, boxes[0].pk)):
        Box.objects.filter(pk=boxes[0].pk).update(name="x")
    with keeps(members(Item, box=boxes[1])), moves(members(Item, box=boxes[0])):
        Item.objects.create(box=boxes[0])
    with keeps(members(Item, box=boxes[1])), moves(members(Item, box=boxes[0])):
        Item.objects.filter(box=boxes[0]).first().save()  # type: ignore[union-attr]


def test_text_keys_fall_back_to_the_table() -> None:
    """Collations differ: what the database calls equal, we cannot know."""
    for code in ("de", "fr"):
        Country.objects.create(code=code, name=code)
    city = City.objects.create(name="c", country_id="de")
    with moves(row(Country, "de"), row(Country, "fr")):
        Country.objects.filter(pk="DE" if connection.vendor == "mysql" else "de").update(name="x")
    with moves(members(City, country="de"), members(City, country="fr")):
        City.objects.filter(pk=city.pk).update(country="fr")


def test_a_foreign_key_may_refer_to_something_else_than_the_primary_key() -> None:
    Numbered.objects.create(pk=10, number=1)
    numbered = Numbered.objects.create(pk=1, number=20)
    copy = Copy.objects.create(of=numbered)
    with moves(members(Copy, of=numbered)):
        copy.save()
    with moves(members(Copy, of=numbered)):
        Copy.objects.create(of=numbered)


def test_a_page_found_by_its_name_follows_the_name() -> None:
    """Renamed away, and another row created or renamed into its place."""
    page = token(lambda request, name: list(Country.objects.filter(name=name)) or None)
    first = Country.objects.create(code="aa", name="n")
    seen = [text(page, name="n")]
    first.name = "other"
    first.save()
    assert version(page, name="n") == ABSENT
    Country.objects.create(code="bb", name="n")
    seen.append(text(page, name="n"))
    with transaction.atomic():
        Country.objects.filter(code="bb").update(name="x")
        Country.objects.filter(code="aa").update(name="n")
    seen.append(text(page, name="n"))
    assert None not in seen
    assert len(set(seen)) == 3
    Country.objects.filter(code="aa").update(name="m")
    assert version(page, name="n") == ABSENT


def test_a_page_made_of_nothing_is_not_the_same_for_ever() -> None:
    page = token(lambda request: list(Country.objects.filter(name="n")))
    before = text(page)
    Country.objects.create(code="aa", name="n")
    assert text(page) is None or text(page) != before


def test_there_is_no_query_while_nothing_moves(
    books: list[Book], django_assert_num_queries: Any
) -> None:
    page = members(Book, shelf=1)
    first = text(page)
    with django_assert_num_queries(0):
        assert [text(page), text(page)] == [first, first]
    again = members(Book, shelf=1)  # as another process has it, which remembers nothing
    with django_assert_num_queries(0):
        assert text(again) == first


def test_what_is_written_and_read_in_one_test_is_seen(books: list[Book]) -> None:
    page = row(Book, 1)
    with moves(page), transaction.atomic():
        Book.objects.filter(pk=1).update(title="x")
    with keeps(page):
        list(Book.objects.all())


def test_a_read_moves_nothing(books: list[Book]) -> None:
    one, two = Book.objects.filter(pk=1), Book.objects.filter(pk=2)
    with keeps(row(Book, 1), table_page):
        list(one.union(two))
        list(one.union(two, all=True).order_by("title"))
        with transaction.atomic():
            list(Book.objects.select_for_update())
        Book.objects.aggregate(models.Sum("copies"))
        execute("/* a comment */ SELECT 1")
        execute("-- a comment\nSELECT 1")
        execute("WITH a AS (SELECT 1) SELECT * FROM a")
        execute("SELECT 'UPDATE site_book'")


def test_writes_of_tables_that_nobody_watches_move_nothing(books: list[Book]) -> None:
    with keeps(row(Book, 1), table_page):
        Measurement.objects.create(t=1)
        Measurement.objects.update(t=2)
        Measurement.objects.all().delete()


def test_pages_are_told_apart_by_their_callable_and_their_arguments(books: list[Book]) -> None:
    pages = [
        token(lambda request, pk: [Book.objects.get(pk=pk)]),
        token(lambda request, pk: [Shelf.objects.get(pk=pk)]),
    ]
    for page in pages:
        for pk in (1, 2):
            version(page, pk=pk)
    before = text(pages[1], pk=2)
    Shelf.objects.filter(pk=2).update(name="x")
    assert text(pages[1], pk=2) != before


def test_what_a_page_varies_by_must_be_said(books: list[Book]) -> None:
    factory = RequestFactory()
    silent = token(lambda request: [Book.objects.get(pk=request.GET["pk"])])
    with pytest.raises(TypeError, match=r"request\.GET"):
        silent.version(factory.get("/?pk=1"))
    page = token(
        lambda request: [Book.objects.get(pk=request.GET["pk"])],
        vary=lambda request: request.GET["pk"],
    )
    before = [page.version(factory.get(f"/?pk={pk}")).text for pk in (1, 2)]
    Book.objects.filter(pk=2).update(title="x")
    after = [page.version(factory.get(f"/?pk={pk}")).text for pk in (1, 2)]
    assert after[0] == before[0]
    assert after[1] not in before


def test_a_resource_that_does_not_exist(books: list[Book]) -> None:
    assert version(token(lambda request: None)) == ABSENT

    def missing(request: Any) -> Any:
        raise Http404

    with pytest.raises(Http404):  # the exchange takes it for ABSENT
        version(token(missing))


def test_what_cannot_be_watched_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match="must return model instances"):
        version(token(lambda request: [7]))  # type: ignore[list-item]
    with pytest.raises(ImproperlyConfigured, match=r'add "site\.Measurement"'):
        version(token(lambda request: [Measurement]))
    with pytest.raises(TypeError, match="returned a queryset"):
        version(token(lambda request: Book.objects.all()))
    with pytest.raises(TypeError, match="takes a callable"):
        token([Book])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="one foreign key"):
        Members(Book)
    with pytest.raises(TypeError, match="is no foreign key"):
        Members(Book, title="x")
    with pytest.raises(TypeError, match="no field named"):
        Members(Book, nothing=1)


def test_c6_the_same_content_again_has_another_version(books: list[Book]) -> None:
    page = row(Book, 1)
    seen = [text(page)]
    for title in ("other", "book 1", "other", "book 1"):
        Book.objects.filter(pk=1).update(title=title)
        seen.append(text(page))
    assert len(set(seen)) == 5


def test_another_build_asks_anew_what_its_pages_are_made_of(
    books: list[Book], settings: Any
) -> None:
    """The next release may make the same page of more."""
    parts: list[Any] = [books[0]]
    page = token(lambda request: parts, name="a page")
    before = text(page)
    parts.append(Shelf.objects.get(pk=2))
    assert text(page) == before
    settings.NOTMODIFIED = {**settings.NOTMODIFIED, "BUILD": "2"}
    with moves(page):
        Shelf.objects.filter(pk=2).update(name="new")


def test_a_name_does_not_hide_that_the_code_is_another(books: list[Book]) -> None:
    one = token(lambda request: [books[0]], name="a page")
    other = token(lambda request: [books[1], books[1]], name="a page")
    assert text(one) != text(other)


@pytest.mark.django_db(transaction=True)
def test_what_vary_reads_counts_as_read(books: list[Book]) -> None:
    """In a snapshot that it opened, the view would see the past."""
    page = token(lambda request: [books[0]], vary=lambda request: str(Shelf.objects.count()))
    assert text(page) is not None
    with transaction.atomic():
        assert version(page) == UNKNOWN
    with transaction.atomic():
        assert page.remembered(RequestFactory().get("/")) is None


def test_a_row_that_was_never_loaded_is_refused(books: list[Book]) -> None:
    page = token(lambda request: [Shelf(pk=9)], name="not loaded")
    with pytest.raises(TypeError, match=r"never loaded.*get\(\) it"):
        text(page)


class ShelvesElsewhere:
    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "elsewhere" if model is Shelf else None


@pytest.mark.parametrize(
    "part", [lambda: Shelf, lambda: Shelf.objects.get(pk=1), lambda: Members(Ticket, shelf=1)]
)
def test_a_model_that_is_written_elsewhere_needs_a_token_of_there(
    part: Any, books: list[Book], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATABASE_ROUTERS = ["tests.validators.test_token.ShelvesElsewhere"]
    module: Any = sys.modules["notmodified.validators.token"]
    monkeypatch.setattr(module, "connections", {"default": connection, "elsewhere": None})
    monkeypatch.setattr(module, "identity", lambda one: "here" if one else "elsewhere")
    page = token(lambda request: [part()], name="a page")
    if part() == Shelf or isinstance(part(), Shelf):
        with pytest.raises(ImproperlyConfigured, match=r'using="elsewhere"'):
            text(page)
    else:
        assert text(page) is not None


class Secret(str):
    def __repr__(self) -> str:
        return "***"


def test_a_parameter_that_hides_its_value_is_told_apart(books: list[Book]) -> None:
    page = token(lambda request, name: [books[0]])
    assert text(page, Secret("a")) != text(page, Secret("b"))
    assert text(page, Secret("a")) != text(page, "a")
