"""Stale answers that were found by attack on how SQL is understood: none may come back."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.http import HttpRequest
from django.test import Client

from notmodified.records import databases
from tests.automatic import test_attacks
from tests.automatic.test_attacks import VIEW, check, fill, hold, rows
from tests.automatic.visits import recorded_site
from tests.site.models import Book, Shelf, Tag
from tests.site.pages import elsewhere, execute, only_on


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    with recorded_site(test_attacks.__name__):
        yield


def fetched_in_part(sql: str, fetch: Callable[[Any], Any]) -> Callable[[HttpRequest], Any]:
    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return fetch(cursor)

    return ask


def first_of(rows: Iterable[Any]) -> Any:
    return next(iter(rows))


async def afirst(rows: Any) -> Any:
    return await anext(aiter(rows))


BY_SHELF = "SELECT b.id, s.id, s.name FROM site_book b JOIN site_shelf s ON s.id = b.shelf_id"
PARTS: dict[str, Callable[[HttpRequest], Any]] = {
    "an iterator": lambda request: (
        first_of(
            Book.objects.select_related("shelf").order_by("shelf__name").iterator(chunk_size=1)
        ).shelf.name
    ),
    "an asynchronous iterator": lambda request: (
        async_to_sync(afirst)(
            Book.objects.select_related("shelf").order_by("shelf__name").aiterator(chunk_size=1)
        ).shelf.name
    ),
    "fetchone": fetched_in_part(f"{BY_SHELF} ORDER BY s.name", lambda cursor: cursor.fetchone()),
    "fetchmany": fetched_in_part(f"{BY_SHELF} ORDER BY s.name", lambda cursor: cursor.fetchmany(1)),
    "a loop": fetched_in_part(f"{BY_SHELF} ORDER BY s.name", first_of),
    "the driver's cursor": fetched_in_part(
        f"{BY_SHELF} ORDER BY s.name", lambda cursor: cursor.cursor.fetchall()
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_rows_that_nobody_has_fetched(name: str) -> None:
    """Whoever stops at one that comes first, depends on all that might come before."""
    fill()
    held = hold(PARTS[name])
    elsewhere(lambda: Shelf.objects.filter(pk=3).update(name="0"))
    check(held)


class Name(str, enum.Enum):  # noqa: UP042 (as many write it)
    ADA = "ada"


class Named(str):
    def __str__(self) -> str:
        return "another"


@pytest.mark.parametrize("name", [Name.ADA, Named("ada")], ids=repr)
def test_a_text_that_shows_itself_otherwise(name: str) -> None:
    User.objects.create(pk=1, username="ada", first_name="x")
    found = User.objects.filter(username=name)
    held = hold(lambda request: list(found.values_list("first_name")))
    User.objects.filter(pk=1).update(first_name="y")
    check(held)


def test_names_that_differ_by_capitals_only() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("they do not differ there")
    fill()
    one, other = map(connection.ops.quote_name, "Xx")
    counts = f"SELECT COUNT(*) FROM site_tag {other} WHERE {one}.id = 1"
    held = hold(rows(f"SELECT {one}.id, ({counts}) FROM site_shelf {one}"))
    Tag.objects.create(pk=9, name="z")
    check(held)


def test_a_column_that_is_a_function() -> None:
    only_on("postgresql")
    fill()
    execute(
        "CREATE FUNCTION shelf_name(site_book) RETURNS text AS "
        "'SELECT name::text FROM site_shelf WHERE id = $1.shelf_id' LANGUAGE sql STABLE"
    )
    try:
        for part in ("b.shelf_name", "(b).shelf_name", "b"):
            held = hold(rows(f"SELECT b.title, {part} FROM site_book b"))
            assert "not recorded" in held.headers["Cache-Status"]
    finally:
        execute("DROP FUNCTION shelf_name(site_book)")


@pytest.mark.filterwarnings("ignore:Binding 1:DeprecationWarning")
@pytest.mark.parametrize(
    "sql", ["id <> ? AND id = %s", "id <> :a1 AND id = %s", "id <> :p0 AND id = %s"]
)
def test_placeholders_that_are_not_django_s(sql: str) -> None:
    only_on("sqlite")
    fill()

    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT name FROM site_shelf WHERE {sql}", [2, 1])
            return cursor.fetchall()

    VIEW[:] = [ask]
    with suppress(DatabaseError):
        assert "not recorded" in Client().get("/").headers["Cache-Status"]


def test_a_clock_in_a_list() -> None:
    only_on("postgresql")

    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT (%s::timestamptz[])[1]", [["now"]])
            return cursor.fetchall()

    assert "not recorded" in hold(ask).headers["Cache-Status"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, last_login AS date_joined FROM auth_user HAVING date_joined < NOW()",
        "SELECT id FROM auth_user WHERE first_name < NOW()",
    ],
)
def test_the_clock_of_mariadb(sql: str) -> None:
    """In HAVING a name may be that of what is selected; a text is compared by the time in it."""
    only_on("mysql")
    User.objects.create(pk=1, username="ada", first_name="2035-01-01 00:00:00")
    assert "not recorded" in hold(rows(sql)).headers["Cache-Status"]


def test_a_time_of_day_beside_the_clock() -> None:
    only_on("mysql")
    execute("ALTER TABLE site_plain ADD COLUMN t time")
    try:
        execute("INSERT INTO site_plain (name, t) VALUES ('x', '00:00:00')")
        held = hold(rows("SELECT name FROM site_plain WHERE t < NOW()"))
        assert "not recorded" in held.headers["Cache-Status"]
    finally:
        execute("ALTER TABLE site_plain DROP COLUMN t")


def test_a_column_that_tells_the_time() -> None:
    only_on("mysql")
    execute("ALTER TABLE site_plain ADD COLUMN t datetime(6) AS (NOW(6)) VIRTUAL")
    try:
        databases.forget()  # the catalogue is looked at anew
        execute("INSERT INTO site_plain (name) VALUES ('x')")
        held = hold(rows("SELECT name, t FROM site_plain"))
        assert "a column that no row holds" in held.headers["Cache-Status"]
    finally:
        execute("ALTER TABLE site_plain DROP COLUMN t")
