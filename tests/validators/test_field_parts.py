"""`field`: what stands in other tables but is part of the row moves its version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import models

from notmodified.validators import field
from tests.site.models import (
    Book,
    Both,
    Child,
    Club,
    Grandchild,
    Label,
    Membership,
    Parent,
    Person,
    Plain,
    Tag,
)
from tests.site.pages import execute, keeps, moves, only_on, version

pytestmark = pytest.mark.django_db

book_page = field(lambda request: Book.objects.filter(pk=1))
person_page = field(lambda request: Person.objects.filter(pk=1))
other_person = field(lambda request: Person.objects.filter(pk=3))


@pytest.fixture
def book() -> Book:
    book = Book.objects.create(pk=1, title="one")
    book.tags.set([Tag.objects.create(pk=1, name="a"), Tag.objects.create(pk=2, name="b")])
    Tag.objects.create(pk=3, name="c")
    Book.objects.create(pk=2, title="two").tags.add(3)
    return book


M2M_WRITES: dict[str, Callable[[Book], Any]] = {
    "add": lambda book: book.tags.add(3),
    "create": lambda book: book.tags.create(pk=9, name="d"),
    "remove": lambda book: book.tags.remove(1),
    "set": lambda book: book.tags.set([3]),
    "clear": lambda book: book.tags.clear(),
    "add from the other side": lambda book: Tag.objects.get(pk=3).book_set.add(book),
    "remove from the other side": lambda book: Tag.objects.get(pk=1).book_set.remove(book),
    "set from the other side": lambda book: Tag.objects.get(pk=1).book_set.set([2]),
    "clear from the other side": lambda book: Tag.objects.get(pk=1).book_set.clear(),
    "delete the tag": lambda book: Tag.objects.get(pk=1).delete(),
    "delete tags": lambda book: Tag.objects.all().delete(),
    "update the relation": lambda book: Book.tags.through.objects.filter(tag_id=1).update(tag_id=3),
    "give the relation away": lambda book: Book.tags.through.objects.filter(tag_id=1).update(
        book_id=2
    ),
    "take a relation": lambda book: Book.tags.through.objects.filter(tag_id=3).update(book_id=1),
    "raw": lambda book: execute("DELETE FROM site_book_tags WHERE tag_id = 1"),
}


@pytest.mark.parametrize("write", M2M_WRITES.values(), ids=M2M_WRITES.keys())
def test_every_change_of_a_relation_moves_the_row(book: Book, write: Callable[[Book], Any]) -> None:
    with moves(book_page):
        write(book)


def test_a_relation_of_another_row_keeps_it(book: Book) -> None:
    with keeps(book_page):
        Book.objects.get(pk=2).tags.add(1)
        Book.objects.get(pk=2).tags.clear()


def test_a_relation_deleted_by_what_the_row_holds_moves_it(book: Book) -> None:
    """On MariaDB a trigger must not write a table that its statement reads (error 1442)."""
    with moves(book_page):
        Book.tags.through.objects.filter(book__title="one").delete()
    assert not book.tags.exists()


@pytest.fixture
def people() -> list[Person]:
    return [Person.objects.create(pk=pk, name=str(pk)) for pk in (1, 2, 3)]


def test_a_relation_to_itself_moves_both_ends_where_it_is_symmetrical(people: Any) -> None:
    both = field(lambda request: Person.objects.filter(pk=2))
    with keeps(other_person), moves(person_page, both):
        people[0].friends.add(people[1])
    with keeps(other_person), moves(person_page, both):
        people[1].friends.clear()


def test_a_relation_to_itself_moves_the_end_that_declares_it(people: Any) -> None:
    with keeps(other_person), moves(person_page):
        people[0].admires.add(people[1])
    with keeps(other_person), moves(person_page):
        people[1].admirers.remove(people[0])


def test_a_through_model_moves_the_row_that_declares_it(people: Any) -> None:
    club = Club.objects.create(name="c")
    with keeps(other_person), moves(person_page):
        Membership.objects.create(person=people[0], club=club)
    with keeps(other_person), moves(person_page):
        Membership.objects.update(role="chair")
    with keeps(other_person), moves(person_page):
        club.delete()


@pytest.mark.parametrize("model", [Parent, Child, Grandchild])
def test_a_write_to_any_table_of_a_subclass_moves_the_row(model: type[models.Model]) -> None:
    child = Grandchild.objects.create(name="a", nickname="b", toy="c")
    other = Grandchild.objects.create(name="x", nickname="y", toy="z")
    page = field(lambda request: model.objects.filter(pk=child.pk))  # type: ignore[attr-defined]
    others = field(lambda request: model.objects.filter(pk=other.pk))  # type: ignore[attr-defined]
    for name in ("name", "nickname", "toy"):
        with keeps(others), moves(page):
            Grandchild.objects.filter(pk=child.pk).update(**{name: "new"})
        with keeps(others), moves(page):
            child.save(update_fields=[name])
    with keeps(others), moves(page):
        execute("UPDATE site_grandchild SET toy = 'raw' WHERE child_ptr_id = %s", child.pk)
    with keeps(others), moves(page):
        child.delete(keep_parents=True)


def test_a_subclass_is_deleted_by_what_its_parent_holds() -> None:
    """On MariaDB a trigger must not write a table that its statement reads (error 1442)."""
    Child.objects.create(name="a", nickname="b")
    with moves(field(Child)):
        Child.objects.filter(name="a").update(nickname="c")
    with moves(field(Child)):
        Child.objects.filter(name="a").delete()
    assert not Parent.objects.exists()


def test_a_write_to_the_table_of_a_parent_moves_a_version_in_the_child() -> None:
    label = Label.objects.create(name="a", colour="red")
    with moves(field(Label)):
        Plain.objects.update(name="b")
    with moves(field(Label)):
        label.save(update_fields=["name"])


def test_a_row_with_a_part_that_no_trigger_covers_is_refused() -> None:
    """The version is in the first parent; the second knows nothing of it."""
    Both.objects.create(left="l", right="r")
    with pytest.raises(TypeError, match="does not see changes in site_right"):
        version(field(Both))


@pytest.mark.skipif(not hasattr(models, "DB_CASCADE"), reason="needs Django 6.1")
def test_a_key_that_the_database_itself_nulls_moves_the_row() -> None:
    from tests.site.models import Guest, Owner

    owner = Owner.objects.create(name="o")
    Guest.objects.create(owner=owner)
    with moves(field(Guest)):
        owner.delete()
    assert Guest.objects.get().owner_id is None


@pytest.mark.django_db(transaction=True)
def test_a_relation_replaced_by_another_rows_moves_both() -> None:
    """SQLite's REPLACE deletes without firing delete triggers."""
    only_on("sqlite")
    one, two = Book.objects.create(pk=1, title="1"), Book.objects.create(pk=2, title="2")
    one.tags.add(Tag.objects.create(pk=1, name="t"))
    relation = Book.tags.through.objects.get()
    second = field(lambda request: Book.objects.filter(pk=2))
    with moves(book_page, second):
        execute("REPLACE INTO site_book_tags VALUES (%s, %s, 1)", relation.pk, two.pk)
    assert not one.tags.exists()
