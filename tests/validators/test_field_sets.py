"""`field` over several rows: their coming, going and moving, in the queryset's own terms."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Count

from notmodified.validators import field
from tests.site.models import Book, Shelf, Tag
from tests.site.pages import keeps, moves, only_on, text

pytestmark = pytest.mark.django_db

all_books = field(Book)
on_first = field(lambda request: Book.objects.filter(shelf_id=1))
on_second = field(lambda request: Book.objects.filter(shelf_id=2))


@pytest.fixture
def books() -> list[Book]:
    Shelf.objects.create(pk=1, name="first")
    Shelf.objects.create(pk=2, name="second")
    return [
        Book.objects.create(pk=pk, title="abc"[pk % 3], copies=pk, shelf_id=1 + pk % 2)
        for pk in range(1, 7)
    ]


@pytest.mark.parametrize(
    "rows", [Book, Book.objects, Book.objects.all(), lambda request: Book.objects]
)
def test_rows_are_a_model_a_manager_a_queryset_or_a_callable(rows: Any, books: Any) -> None:
    page = field(rows)
    with moves(page):
        Book.objects.filter(pk=3).update(title="x")
    with keeps(page):
        Shelf.objects.update(name="x")


def test_inserts_and_deletes_move_the_set(books: list[Book]) -> None:
    with keeps(on_first), moves(on_second, all_books):
        Book.objects.create(pk=50, shelf_id=2)
    with keeps(on_second), moves(on_first, all_books):
        Book.objects.filter(pk=2).delete()
    with moves(on_first, on_second, all_books):
        Book.objects.all().delete()


def test_one_comes_as_another_goes(books: list[Book]) -> None:
    """Counts and greatest times are the same before and after."""
    with moves(on_first, all_books):
        Book.objects.filter(pk=2).delete()
        Book.objects.create(pk=2, shelf_id=1, title=books[1].title, copies=2)


def test_a_move_between_sets_moves_both(books: list[Book]) -> None:
    with moves(on_first, on_second):
        books[0].shelf_id = 1
        books[0].save()


def test_an_exchange_between_sets_moves_both(books: list[Book]) -> None:
    with moves(on_first, on_second):
        Book.objects.filter(pk=1).update(shelf_id=1)
        Book.objects.filter(pk=2).update(shelf_id=2)


def test_a_set_that_becomes_empty_and_full_again(books: list[Book]) -> None:
    seen = [text(on_first)]
    Book.objects.filter(shelf_id=1).update(shelf_id=None)
    seen.append(text(on_first))
    Book.objects.filter(shelf_id=None).update(shelf_id=1)
    seen.append(text(on_first))
    assert len(set(seen)) == 3


def test_a_slice_moves_with_what_it_shows(books: list[Book]) -> None:
    most = field(lambda request: Book.objects.order_by("-copies")[:2])
    with keeps(most):
        Book.objects.filter(pk=1).update(title="x")
    with moves(most):
        Book.objects.filter(pk=1).update(copies=100)
    with moves(most):
        Book.objects.filter(pk=1).delete()


def test_a_distinct_on_counts_on_its_order(books: list[Book]) -> None:
    only_on("postgresql")
    for copies in range(60):
        Book.objects.create(pk=100 + copies, title="a", copies=copies)
    first_of_each = field(
        lambda request: Book.objects.order_by("title", "-copies").distinct("title")
    )
    for pk in Book.objects.order_by("pk").values_list("pk", flat=True)[5:25]:
        with moves(first_of_each):
            Book.objects.filter(pk=pk).update(title="a", copies=1000 + pk)


def test_querysets_of_every_kind(books: list[Book]) -> None:
    one, two = Book.objects.filter(pk=1), Book.objects.filter(pk=2)
    tag = Tag.objects.create(name="t")
    books[0].tags.add(tag)
    rows = {
        "or": lambda request: one | two,
        "annotated": lambda request: one.annotate(tagged=Count("tags")),
        "joined": lambda request: Book.objects.filter(tags__name="t").distinct(),
        "deferred": lambda request: one.only("title"),
        "related": lambda request: one.select_related("shelf").prefetch_related("tags"),
        "values": lambda request: one.values("title"),
        "excluded": lambda request: Book.objects.exclude(pk__gt=1),
    }
    with pytest.raises(TypeError, match="combine"):
        text(field(lambda request: one.union(two)))
    pages = [field(queryset) for queryset in rows.values()]
    with keeps(*pages):
        Book.objects.filter(pk=5).update(title="x")
    with moves(*pages):
        Book.objects.filter(pk=1).update(title="x")


def test_no_rows_can_match_without_a_query(django_assert_num_queries: Any, books: Any) -> None:
    with django_assert_num_queries(0):
        assert text(field(lambda request: Book.objects.none())) is not None


@pytest.mark.parametrize("count", [1, 6])
def test_the_cost_is_one_query_for_any_number_of_rows(
    count: int, books: list[Book], django_assert_num_queries: Any
) -> None:
    page = field(lambda request: Book.objects.order_by("pk")[:count])
    text(page)
    with django_assert_num_queries(1):
        text(page)


def test_sums_of_many_versions_do_not_overflow() -> None:
    Book.objects.bulk_create([Book(title=str(number)) for number in range(3000)])
    with moves(all_books):
        Book.objects.filter(title="7").update(copies=1)
