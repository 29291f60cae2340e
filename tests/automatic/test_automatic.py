"""The automatic 304: plain views behind Django's default middleware."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import AsyncClient, override_settings

from notmodified.exchange import automatic
from notmodified.http.dates import parse_date
from notmodified.recording import depends_on, fresh_for
from notmodified.records.databases import all_tables
from notmodified.records.store import RECORDS
from notmodified.writes.log.install import install, uninstall
from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS, WAYS, Visitor
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere, execute, only_on

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


class TestInputs:
    def test_a_header_that_was_read_counts(self, visitor: Visitor) -> None:
        tag = visitor.get("/header/Accept/", Accept="text/a").headers["ETag"]
        assert visitor.is_answered_without_view("/header/Accept/", Accept="text/a")
        other = visitor.get("/header/Accept/", Accept="text/b", **{"If-None-Match": tag})
        assert other.content == b"Accept is text/b"
        assert visitor.get("/header/Accept/", **{"If-None-Match": tag}).status_code == 200

    def test_a_record_that_is_out_of_date_hides_no_other(self, visitor: Visitor) -> None:
        """It was told apart by another header than the later one is."""
        Shelf.objects.update_or_create(pk=1, defaults={"name": "Accept"})
        visitor.get("/header-by-shelf/")
        Shelf.objects.filter(pk=1).update(name="User-Agent")
        later = Visitor()
        later.get("/header-by-shelf/", Accept="text/b")
        assert later.is_answered_without_view("/header-by-shelf/")
        visitor.get("/header-by-shelf/")
        assert visitor.is_answered_without_view("/header-by-shelf/")

    def test_a_header_that_was_not_read_does_not(self, visitor: Visitor) -> None:
        visitor.get("/header/Accept/", **{"User-Agent": "one"})
        assert visitor.is_answered_without_view("/header/Accept/", **{"User-Agent": "two"})

    def test_a_cookie_that_was_read_counts(self, visitor: Visitor) -> None:
        visitor.client.cookies.load({"theme": "dark", "other": "1"})
        tag = visitor.get("/cookie/theme/").headers["ETag"]
        visitor.client.cookies.load({"other": "2"})
        assert visitor.is_answered_without_view("/cookie/theme/")
        visitor.client.cookies.load({"theme": "light"})
        changed = visitor.client.get("/cookie/theme/", headers={"If-None-Match": tag})
        assert changed.content == b"theme is light"

    @pytest.mark.parametrize("where", ["query", "host", "scheme"])
    def test_the_url_counts(self, visitor: Visitor, where: str) -> None:
        tag = visitor.get("/constant/").headers["ETag"]
        same = {"headers": {"If-None-Match": tag}}
        if where == "query":
            visitor.client.get("/constant/?a=1", **same)
        elif where == "host":
            visitor.client.get("/constant/", headers={"If-None-Match": tag, "Host": "b.example"})
        else:
            visitor.client.get("/constant/", secure=True, **same)
        assert RUNS["/constant/"] == 2

    @pytest.mark.parametrize("name", WAYS)
    def test_what_no_ledger_tells_of_is_not_recorded(self, visitor: Visitor, name: str) -> None:
        url = f"/by/{name}/"
        visitor.client.force_login(User.objects.create(username="ada"))
        for _ in range(3):
            response = visitor.get(url)
        assert RUNS[url] == 3
        assert "not recorded: " in response.headers["Cache-Status"], response.headers

    @pytest.mark.parametrize("name", ["session", "user"])
    def test_that_there_is_no_session_is_an_input(self, visitor: Visitor, name: str) -> None:
        url = f"/without/{name}/"
        tag = visitor.get(url).headers["ETag"]
        assert visitor.is_answered_without_view(url)
        visitor.client.force_login(User.objects.create(username="ada"))
        again = visitor.client.get(url, headers={"If-None-Match": tag})
        assert RUNS[url] == 2
        assert name == "session" or again.content == b"True"

    @pytest.mark.parametrize("url", ["/set-cookie/", "/missing/"])
    def test_nor_is_what_a_304_could_not_repeat(self, visitor: Visitor, url: str) -> None:
        for _ in range(2):
            visitor.get(url)
        assert len(RECORDS) == 0


class TestLastModified:
    def dated(self, visitor: Visitor, url: str) -> str:
        """The time that a page gets once its second has passed."""
        assert "Last-Modified" not in visitor.client.get(url).headers
        for _ in range(30):
            answer = visitor.client.get(url)
            if "Last-Modified" in answer.headers:
                return str(answer.headers["Last-Modified"])
            time.sleep(0.1)
        raise AssertionError("no time")

    def test_it_stays_while_nothing_moves(self, visitor: Visitor) -> None:
        Shelf.objects.create(pk=1, name="a")
        date = self.dated(visitor, "/shelf/1/")
        runs = RUNS["/shelf/1/"]
        for _ in range(2):
            again = visitor.client.get("/shelf/1/", headers={"If-Modified-Since": date})
            assert again.status_code == 304
        assert RUNS["/shelf/1/"] == runs
        assert self.dated_again(visitor, "/shelf/1/") == date

    def dated_again(self, visitor: Visitor, url: str) -> str:
        return str(visitor.client.get(url).headers["Last-Modified"])

    def test_it_moves_with_what_moves_even_if_the_bytes_come_back(self, visitor: Visitor) -> None:
        Shelf.objects.create(pk=1, name="a")
        date = self.dated(visitor, "/shelf/1/")
        for name in ("b", "a"):
            Shelf.objects.filter(pk=1).update(name=name)
        again = visitor.client.get("/shelf/1/", headers={"If-Modified-Since": date})
        assert again.status_code == 200
        later = self.dated(visitor, "/shelf/1/")
        assert parse_date(later) > parse_date(date)

    @pytest.mark.parametrize("url", ["/header/Accept/", "/constant/", "/by/time/"])
    def test_there_is_none_that_could_not_tell_two_pages_apart(
        self, visitor: Visitor, url: str
    ) -> None:
        visitor.client.get(url)
        time.sleep(1.1)
        assert "Last-Modified" not in visitor.client.get(url).headers


class TestWhatViewsSay:
    def test_never(self, visitor: Visitor) -> None:
        for _ in range(2):
            visitor.get("/never/")
        assert RUNS["/never/"] == 2

    def test_depends_on(self, visitor: Visitor) -> None:
        visitor.get("/depends/")
        assert visitor.is_answered_without_view("/depends/")
        Book.objects.create(title="a")
        assert not visitor.is_answered_without_view("/depends/")

    def test_fresh_for(self, visitor: Visitor) -> None:
        visitor.get("/fresh/")
        assert visitor.is_answered_without_view("/fresh/")
        visitor.get("/briefly/")
        time.sleep(0.06)
        assert not visitor.is_answered_without_view("/briefly/")

    def test_writes_are_noticed_all_the_same(self, visitor: Visitor) -> None:
        visitor.get("/fresh-books/")
        assert visitor.is_answered_without_view("/fresh-books/")
        Book.objects.create(title="a")
        assert not visitor.is_answered_without_view("/fresh-books/")
        visitor.get("/fresh-write/")
        assert not visitor.is_answered_without_view("/fresh-write/")

    @pytest.mark.parametrize(
        "misuse", [lambda: depends_on(), lambda: depends_on(len), lambda: fresh_for(0)]
    )
    def test_misuse_is_told(self, misuse: Callable[[], object]) -> None:
        with pytest.raises(TypeError, match="takes"):
            misuse()


class TestAsync:
    def test_an_async_view(self) -> None:
        Shelf.objects.create(pk=1, name="a")

        async def visit() -> list[int]:
            client = AsyncClient()
            first = await client.get("/async/1/")
            headers = {"If-None-Match": first.headers["ETag"]}
            again = await client.get("/async/1/", headers=headers)
            await Shelf.objects.filter(pk=1).aupdate(name="b")
            changed = await client.get("/async/1/", headers=headers)
            return [first.status_code, again.status_code, changed.status_code]

        assert async_to_sync(visit)() == [200, 304, 200]
        assert RUNS["/async/1/"] == 2


class TestManyDependencies:
    def test_they_become_whole_tables(
        self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(automatic, "MOST_KEYS", 3)
        for pk in (1, 2):
            Shelf.objects.create(pk=pk, name="a")
            Book.objects.create(shelf_id=pk, title="x")
        visitor.get("/books-of/1/")
        [(_, record)] = RECORDS.items()
        assert set(record.proofs[0].keys) == {"site_shelf", "site_book"}
        assert visitor.is_answered_without_view("/books-of/1/")
        Book.objects.filter(shelf_id=2).update(title="y")
        assert not visitor.is_answered_without_view("/books-of/1/")


class TestCoverage:
    def test_without_triggers_nothing_is_recorded_and_the_reason_names_the_command(
        self, visitor: Visitor
    ) -> None:
        visitor.get("/shelf/1/")
        uninstall(connection, {"site_shelf"})
        assert not visitor.is_answered_without_view("/shelf/1/")
        reason = visitor.get("/shelf/1/").headers["Cache-Status"]
        assert "manage.py notmodified triggers install" in reason
        install(connection, all_tables(connection))
        visitor.get("/shelf/1/")
        assert visitor.is_answered_without_view("/shelf/1/")

    @pytest.mark.without_log
    def test_without_a_ledger_too(self, visitor: Visitor) -> None:
        visitor.get("/shelf/1/")
        reason = visitor.get("/shelf/1/").headers["Cache-Status"]
        assert "the ledger of 'default'" in reason

    def test_disabled_triggers(self, visitor: Visitor) -> None:
        only_on("postgresql")
        visitor.get("/shelf/1/")
        execute("ALTER TABLE site_shelf DISABLE TRIGGER ALL")
        try:
            Shelf.objects.create(pk=1, name="a")
            assert visitor.get("/shelf/1/").content == b"shelf ['a']"
            assert not visitor.is_answered_without_view("/shelf/1/")
        finally:
            execute("ALTER TABLE site_shelf ENABLE TRIGGER ALL")
