"""The automatic 304: plain views behind Django's default middleware."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import override_settings

from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS, Visitor
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere, execute

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    RUNS.clear()
    with override_settings(
        ROOT_URLCONF="tests.automatic.visits",
        MIDDLEWARE=DEFAULT_MIDDLEWARE,
        NOTMODIFIED={"CACHE_STATUS": True},
    ):
        yield


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


class TestUnchanged:
    def test_a_return_visit_runs_no_view_and_asks_nothing(self, visitor: Visitor) -> None:
        Shelf.objects.create(pk=1, name="a")
        first = visitor.get("/shelf/1/")
        assert first.content == b"shelf ['a']"
        assert "not recorded" not in first.headers["Cache-Status"]
        assert visitor.is_answered_without_view("/shelf/1/")
        assert visitor.is_answered_without_view("/shelf/1/")

    def test_a_page_without_queries(self, visitor: Visitor) -> None:
        visitor.get("/constant/")
        assert visitor.is_answered_without_view("/constant/")

    def test_an_absent_row_is_a_dependency_too(self, visitor: Visitor) -> None:
        visitor.get("/shelf/1/")
        assert visitor.is_answered_without_view("/shelf/1/")
        Shelf.objects.create(pk=1, name="a")
        assert visitor.get("/shelf/1/").content == b"shelf ['a']"

    def test_another_visitor_shares_the_record(self, visitor: Visitor) -> None:
        tag = visitor.get("/constant/").headers["ETag"]
        other = Visitor(**{"User-Agent": "another"})
        assert other.is_answered_without_view("/constant/", **{"If-None-Match": f'"x", {tag}'})

    def test_head_is_answered_from_the_record_of_get(self, visitor: Visitor) -> None:
        tag = visitor.get("/constant/").headers["ETag"]
        response = visitor.client.head("/constant/", headers={"If-None-Match": tag})
        assert response.status_code == 304
        assert RUNS["/constant/"] == 1

    def test_the_304_has_what_the_200_had(self, visitor: Visitor) -> None:
        first = visitor.get("/constant/")
        again = visitor.get("/constant/")
        assert again.status_code == 304
        absent = {"Content-Type", "Content-Length", "Cache-Status"}
        assert set(first.headers) - set(again.headers) <= absent
        assert again.headers["X-Frame-Options"] == first.headers["X-Frame-Options"]


class TestChanged:
    def test_a_write_to_the_row(self, visitor: Visitor) -> None:
        Shelf.objects.create(pk=1, name="a")
        visitor.get("/shelf/1/")
        Shelf.objects.filter(pk=1).update(name="b")
        assert visitor.get("/shelf/1/").content == b"shelf ['b']"
        assert visitor.is_answered_without_view("/shelf/1/")

    def test_a_write_to_another_row(self, visitor: Visitor) -> None:
        Shelf.objects.bulk_create([Shelf(pk=1, name="a"), Shelf(pk=2, name="b")])
        visitor.get("/shelf/1/")
        Shelf.objects.filter(pk=2).update(name="c")
        Book.objects.create(title="x")
        assert visitor.is_answered_without_view("/shelf/1/")

    def test_a_write_by_sql_and_in_another_thread(self, visitor: Visitor) -> None:
        Shelf.objects.create(pk=1, name="a")
        visitor.get("/shelf/1/")
        elsewhere(lambda: execute("UPDATE site_shelf SET name = 'b' WHERE id = 1"))
        assert visitor.get("/shelf/1/").content == b"shelf ['b']"

    def test_a_write_that_is_not_committed_yet(self, visitor: Visitor) -> None:
        Book.objects.create(pk=1, title="a")
        visitor.get("/books/")
        with transaction.atomic():
            Book.objects.create(pk=2, title="b")
            # Seen from within: the view runs in the same transaction, and shows it.
            assert b"'b'" in visitor.client.get("/books/").content
            if connection.vendor != "sqlite":
                assert elsewhere(lambda: visitor.is_answered_without_view("/books/"))
        assert visitor.get("/books/").content == b"books [('a',), ('b',)]"

    def test_a_write_that_is_rolled_back(self, visitor: Visitor) -> None:
        Book.objects.create(pk=1, title="a")
        visitor.get("/books/")
        with transaction.atomic():
            Book.objects.create(pk=2, title="b")
            inside = visitor.client.get("/books/")
            transaction.set_rollback(True)
        assert b"'b'" in inside.content
        answer = visitor.client.get("/books/", headers={"If-None-Match": inside.headers["ETag"]})
        assert answer.status_code == 200
        assert visitor.is_answered_without_view("/books/")
