"""`table`: the state of whole tables, whoever writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, models, transaction

from notmodified.validators import table
from tests.site.models import Book, Child, Country, Item, Measurement, Place, Plain, Shelf
from tests.site.pages import elsewhere, execute, keeps, moves, only_on, text, version

pytestmark = pytest.mark.django_db(transaction=True)

page = table(Place)


@pytest.fixture(autouse=True)
def places() -> Iterator[None]:
    Place.objects.bulk_create([Place(pk=pk, position=pk, a=pk % 2, b=pk % 3) for pk in range(1, 7)])
    yield


def by_the_driver() -> None:
    cursor = connection.connection.cursor()
    cursor.execute("UPDATE site_place SET a = 77 WHERE id = 1")
    cursor.close()


def exchange(one: int, two: int, column: str = "position") -> None:
    """As when people reorder a list."""
    values = dict(Place.objects.values_list("pk", column))
    Place.objects.filter(pk=one).update(**{column: values[two]})
    Place.objects.filter(pk=two).update(**{column: values[one]})


WRITES: dict[str, Callable[[], Any]] = {
    "insert": lambda: Place.objects.create(pk=9),
    "insert the same again": lambda: Place.objects.create(pk=9, position=1, a=1, b=1),
    "update": lambda: Place.objects.filter(pk=1).update(a=7),
    "delete": lambda: Place.objects.filter(pk=1).delete(),
    "delete all": lambda: Place.objects.all().delete(),
    "raw": lambda: execute("UPDATE site_place SET a = a + 1"),
    "driver": by_the_driver,
    "another connection": lambda: elsewhere(lambda: Place.objects.filter(pk=1).update(a=7)),
    "exchange between rows": lambda: exchange(1, 2),
    "exchange between columns": lambda: execute("UPDATE site_place SET a = b, b = a WHERE id = 2"),
    "another key": lambda: Place.objects.filter(pk=6).update(id=60),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_every_writer_is_seen(write: Callable[[], Any]) -> None:
    if connection.vendor == "mysql" and "a = b, b = a" in str(write.__code__.co_consts):
        execute("UPDATE site_place SET a = 5, b = 6 WHERE id = 2")

        def write() -> None:
            execute("UPDATE site_place SET a = 6, b = 5 WHERE id = 2")

    with moves(page):
        write()


def test_what_is_the_same_has_the_same_version() -> None:
    with keeps(page):
        Plain.objects.create(name="in another table")
        with transaction.atomic():
            Place.objects.update(a=7)
            transaction.set_rollback(True)
    before = text(page)
    exchange(1, 2)
    exchange(1, 2)
    assert text(page) == before


def test_every_exchange_of_two_values_is_seen() -> None:
    """CHECKSUM TABLE of MariaDB takes one in some thousand of them for nothing."""
    for one, x, two, y in [(914, 77, 1758, 171), (458, 514, 1633, 366), (279, 923, 1167, 281)]:
        Place.objects.all().delete()
        Place.objects.bulk_create([Place(pk=one, position=x), Place(pk=two, position=y)])
        with moves(page):
            exchange(one, two)


def test_columns_that_exchange_their_names() -> None:
    def rename(*names: str) -> None:
        for old, new in zip(names, names[1:], strict=False):
            execute(f"ALTER TABLE site_place RENAME COLUMN {old} TO {new}")

    def swap() -> None:
        rename("a", "x")
        rename("b", "a")
        rename("x", "b")

    before = text(page)
    swap()
    try:
        assert text(page) != before
    finally:
        swap()


def test_null_and_empty_and_what_looks_like_them_are_told_apart() -> None:
    Country.objects.create(code="aa", name="")
    seen = set()
    for name in ("", "NULL", "None", "''", ",", '"', "\\N", "a,b", "(", " "):
        Country.objects.filter(code="aa").update(name=name)
        seen.add(text(table(Country)))
    assert len(seen) == 10
    item = Item.objects.create(name="")
    with moves(table(Item)):
        Item.objects.filter(pk=item.pk).update(name="0")


def test_a_null_is_not_an_empty_neighbour() -> None:
    """Where values are joined to one text, a NULL must not close the gap."""
    Shelf.objects.create(pk=1)
    Book.objects.create(pk=1, title="1", copies=1, shelf_id=1)
    with moves(table(Book)):
        Book.objects.filter(pk=1).update(shelf=None)


def test_a_column_may_have_any_name() -> None:
    Measurement.objects.create(t=1, value=1)
    for change in ({"t": 2}, {"value": 2}):
        with moves(table(Measurement)):
            Measurement.objects.update(**change)


def test_the_tables_of_parents_count() -> None:
    child = Child.objects.create(name="a", nickname="b")
    for change in ({"name": "x"}, {"nickname": "x"}):
        with moves(table(Child)):
            Child.objects.filter(pk=child.pk).update(**change)


def test_several_tables_are_one_version() -> None:
    both = table(Place, Plain)
    with moves(both):
        Plain.objects.create(name="x")
    with moves(both):
        Place.objects.update(a=9)
    assert text(both) == text(table(Plain, Place))
    assert text(table(Plain)) != text(page)


def test_an_empty_table_has_a_version() -> None:
    Place.objects.all().delete()
    Plain.objects.all().delete()
    assert text(page) is not None
    assert text(page) != text(table(Plain))


def test_more_rows_than_are_fetched_at_a_time() -> None:
    Place.objects.bulk_create([Place(pk=10 + number, position=number) for number in range(4100)])
    with keeps(page):
        pass
    with moves(page):
        Place.objects.filter(position=4099).update(a=5)


def test_a_view_of_tables_is_hashed_or_unknown() -> None:
    class PlainView(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            managed = False
            app_label = "site_views"
            db_table = "site_plain_view"

    Plain.objects.create(pk=1, name="a")
    execute("CREATE VIEW site_plain_view AS SELECT * FROM site_plain")
    try:
        for validator in (
            table(PlainView),
            *([table(PlainView, method="checksum")] if connection.vendor == "mysql" else []),
        ):
            before = text(validator)
            Plain.objects.update(name="b" if before is None else f"b{before[:5]}")
            assert text(validator) is None or text(validator) != before
    finally:
        execute("DROP VIEW site_plain_view")


def test_a_snapshot_hides_from_the_version_what_it_hides_from_the_view() -> None:
    only_on("postgresql", "mysql")
    level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    if connection.vendor == "mysql":
        execute(level)
    with transaction.atomic():
        if connection.vendor == "postgresql":
            execute(level)
        assert Place.objects.get(pk=1).a == 1
        elsewhere(lambda: Place.objects.update(a=50))
        inside = text(page)
        assert Place.objects.get(pk=1).a == 1
    assert text(page) != inside


def test_what_it_does_not_take_is_an_error_that_says_so() -> None:
    with pytest.raises(TypeError, match="at least one model"):
        table()
    with pytest.raises(TypeError, match="takes model classes"):
        table(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="method must be"):
        table(Place, method="guess")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["checksum", "update_time"])
def test_methods_that_other_databases_do_not_have(method: Any) -> None:
    only_on("sqlite", "postgresql")
    with pytest.raises(ValueError, match="needs MariaDB or MySQL"):
        version(table(Place, method=method))


def test_the_cost_does_not_grow_with_the_rows(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(2):
        text(page)


@pytest.mark.parametrize("name", [name for name in WRITES if not name.startswith("exchange")])
def test_checksum_table_sees_every_writer_too(name: str) -> None:
    only_on("mysql")
    with moves(table(Place, method="checksum")):
        WRITES[name]()
