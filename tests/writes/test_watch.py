"""The watch on a connection: transactions, errors, and what happens when the cache is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test import RequestFactory

from notmodified.ledger.store import NO_CLAIM, PREFIX, WRITERS
from notmodified.validators import UNKNOWN, Members, token
from notmodified.writes import claims
from notmodified.writes import watch as module
from notmodified.writes.claims import TokenStoreError
from notmodified.writes.watch import watch
from tests.site.models import Book, Shelf, Ticket
from tests.site.pages import elsewhere, execute, keeps, moves, only_on, text, version

pytestmark = pytest.mark.django_db(transaction=True)

page = token(lambda request: [Book.objects.get(pk=1)], name="book 1")
other_page = token(lambda request: [Book.objects.get(pk=2)], name="book 2")


@pytest.fixture(autouse=True)
def books() -> Iterator[None]:
    Book.objects.create(pk=1, title="old")
    Book.objects.create(pk=2, title="other")
    yield
    connection.close()


def write(title: str = "new") -> None:
    Book.objects.filter(pk=1).update(title=title)


def from_elsewhere() -> str | None:
    return elsewhere(lambda: text(page))


def marks() -> int:
    """How many marks nobody took back, as a later reader would find them."""
    return int(from_elsewhere() is None)


class TestTransactions:
    def test_a_page_has_no_version_while_it_is_written(self) -> None:
        before = from_elsewhere()
        text(other_page)
        with transaction.atomic():
            write()
            assert from_elsewhere() is None
            assert elsewhere(lambda: text(other_page)) is not None
            assert version(page) == UNKNOWN
        assert from_elsewhere() not in (None, before)

    def test_a_rollback_frees_it_with_a_version_that_holds(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            write()
            raise ZeroDivisionError
        with keeps(page):
            pass
        assert marks() == 0

    def test_a_savepoint_that_is_rolled_back_leaves_the_rest(self) -> None:
        with moves(page), transaction.atomic():
            write("a")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                Book.objects.filter(pk=2).update(title="inner")
                raise ZeroDivisionError
            assert from_elsewhere() is None
        assert marks() == 0

    def test_nested_blocks_end_with_the_outermost(self) -> None:
        with moves(page), transaction.atomic():
            with transaction.atomic():
                write()
            assert from_elsewhere() is None

    def test_without_autocommit(self) -> None:
        before = from_elsewhere()
        transaction.set_autocommit(False)
        try:
            write()
            assert from_elsewhere() is None
            transaction.commit()
            assert from_elsewhere() not in (None, before)
            write("newer")
            transaction.rollback()
            assert from_elsewhere() is not None
        finally:
            transaction.set_autocommit(True)
        assert Book.objects.get(pk=1).title == "new"

    def test_autocommit_switched_on_in_the_middle(self) -> None:
        only_on("sqlite", "mysql")
        before = from_elsewhere()
        transaction.set_autocommit(False)
        write()
        transaction.set_autocommit(True)
        assert from_elsewhere() != before
        Book.objects.count()
        assert from_elsewhere() not in (None, before)

    @pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION", "BEGIN IMMEDIATE"])
    def test_a_transaction_in_plain_sql_ends_with_its_commit(self, begin: str) -> None:
        if (begin == "BEGIN IMMEDIATE") != (connection.vendor == "sqlite") and begin != "BEGIN":
            pytest.skip("in other words here")
        from_elsewhere()
        execute(begin)
        write()
        during = from_elsewhere()
        execute("COMMIT")
        Book.objects.count()
        assert from_elsewhere() is not None
        assert during is None or from_elsewhere() != during

    @pytest.mark.parametrize(
        ("begin", "end"),
        [
            ("/* a comment */ START TRANSACTION", "COMMIT"),
            ("-- a comment\nBEGIN", "COMMIT"),
            ("BEGIN; SELECT 1", "COMMIT"),
        ],
    )
    def test_a_transaction_in_plain_sql_may_hide_behind_a_comment(
        self, begin: str, end: str
    ) -> None:
        only_on("postgresql", "mysql")
        from_elsewhere()
        with connection.cursor() as cursor:
            cursor.execute(begin)
            while connection.vendor == "mysql" and cursor.nextset():
                pass
        write()
        during = from_elsewhere()
        execute(end)
        Book.objects.count()
        assert from_elsewhere() is not None
        assert during is None or from_elsewhere() != during

    def test_a_transaction_may_be_chained_to_the_last(self) -> None:
        only_on("postgresql", "mysql")
        execute("BEGIN")
        write("first")
        execute("COMMIT AND CHAIN")
        write("second")
        during = from_elsewhere()
        execute("COMMIT")
        Book.objects.count()
        assert during is None or from_elsewhere() != during

    def test_a_hook_after_the_commit_finds_the_new_version(self) -> None:
        found: list[str | None] = []
        before = from_elsewhere()
        with transaction.atomic():
            write()
            transaction.on_commit(lambda: found.append(from_elsewhere()))
        assert found == [from_elsewhere()]
        assert found != [before]

    def test_a_hook_that_raises_hides_nothing(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        with moves(page), pytest.raises(ZeroDivisionError), transaction.atomic():
            write()
            transaction.on_commit(fail)

    def test_two_writers_whose_marks_overlap(self) -> None:
        """The end of the first says nothing of the second."""
        only_on("postgresql", "mysql")
        shared = token(lambda request: [Book], name="all books")
        with transaction.atomic():
            write()
            elsewhere(lambda: Book.objects.filter(pk=2).update(title="done first"))
            assert elsewhere(lambda: text(shared)) is None
            assert elsewhere(lambda: text(page)) is None
        assert elsewhere(lambda: text(shared)) is not None


class TestSnapshots:
    def test_a_token_may_be_used_before_a_transaction_has_read(self) -> None:
        with transaction.atomic():
            assert text(page) is not None

    def test_a_transaction_that_has_read_may_see_the_past(self) -> None:
        with transaction.atomic():
            Book.objects.count()
            assert version(page) == UNKNOWN
        assert text(page) is not None

    def test_read_committed_sees_the_present(self) -> None:
        only_on("postgresql")
        with transaction.atomic():
            assert Book.objects.get(pk=1).title == "old"
            elsewhere(write)
            inside = text(page)
            assert Book.objects.get(pk=1).title == "new"
        assert inside in (None, from_elsewhere())

    @pytest.mark.parametrize("scope", ["SESSION CHARACTERISTICS AS TRANSACTION", "TRANSACTION"])
    def test_repeatable_read_does_not_however_it_was_asked_for(self, scope: str) -> None:
        only_on("postgresql")
        statement = f"SET {scope} ISOLATION LEVEL REPEATABLE READ"
        if scope != "TRANSACTION":
            execute(statement)
        with transaction.atomic():
            if scope == "TRANSACTION":
                execute(statement)
            assert Book.objects.get(pk=1).title == "old"
            elsewhere(write)
            inside = text(page)
            assert Book.objects.get(pk=1).title == "old"
        assert inside is None or inside != from_elsewhere()

    def test_an_open_iterator_may_see_the_past(self) -> None:
        only_on("sqlite")
        Book.objects.bulk_create([Book(title="more") for _ in range(300)])
        execute("PRAGMA journal_mode = WAL")
        try:
            unfinished = Book.objects.iterator(chunk_size=1)
            next(unfinished)
            elsewhere(write)
            assert Book.objects.get(pk=1).title == "old"
            assert version(page) == UNKNOWN
            assert sum(1 for _ in unfinished) == 301
            assert Book.objects.get(pk=1).title == "new"
            assert text(page) == from_elsewhere()
        finally:
            connection.close()
            execute("PRAGMA journal_mode = DELETE")

    @pytest.mark.parametrize(
        "read",
        [
            lambda cursor: cursor.fetchone() and cursor.fetchone(),
            lambda cursor: cursor.fetchmany(100),
            lambda cursor: cursor.fetchall(),
            list,
            lambda cursor: cursor.close(),
            lambda cursor: cursor.execute("UPDATE site_book SET copies = 7"),
        ],
    )
    def test_a_cursor_pins_nothing_once_it_has_been_read(self, read: Any) -> None:
        only_on("sqlite")
        cursor = connection.cursor()
        cursor.execute("SELECT title FROM site_book WHERE id = 1")
        assert version(page) == UNKNOWN
        read(cursor)
        assert text(page) is not None

    def test_a_returning_clause_of_any_table_is_read_at_once(self, settings: Any) -> None:
        """Until its last row has been read, every write of the connection waits to be committed."""
        only_on("sqlite")
        settings.NOTMODIFIED = {"WATCH": ["site.Book"]}
        cursor = connection.cursor()
        cursor.execute("INSERT INTO site_plain (name) VALUES ('a'), ('b') RETURNING id")
        cursor.fetchone()
        write()
        assert elsewhere(lambda: Book.objects.get(pk=1).title) == "new"
        assert len(cursor.fetchall()) == 1

    @pytest.mark.parametrize(
        ("vendor", "statement"),
        [
            ("sqlite", "PRAGMA user_version"),
            ("sqlite", "PRAGMA table_info(site_book)"),
            ("mysql", "START TRANSACTION WITH CONSISTENT SNAPSHOT"),
        ],
    )
    def test_statements_that_pin_a_snapshot_count_as_reading(
        self, vendor: str, statement: str
    ) -> None:
        only_on(vendor)
        with transaction.atomic():
            execute(statement)
            assert version(page) == UNKNOWN

    def test_a_cursor_that_is_forgotten_pins_nothing(self) -> None:
        connection.cursor().execute("SELECT 1")
        assert text(page) is not None

    def test_a_page_in_a_transaction_of_its_own_has_the_same_version_before_and_after(self) -> None:
        """As under ATOMIC_REQUESTS, where the validators are asked around the view."""
        text(page)
        request = RequestFactory().get("/")
        with transaction.atomic():
            before = page.version(request)
            Book.objects.get(pk=1)
            assert page.still(before, request)
            write()
            assert not page.still(before, request)
        assert before.text is not None


class TestEnds:
    """What the end of a statement or a transaction says, where it is an error."""

    @pytest.fixture(autouse=True)
    def ending(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A COMMIT that raises `self.error`; the transaction itself stays open."""
        self.error: BaseException | None = None
        connection.close()
        wrapper = connections["default"]
        vars(wrapper).pop(module._ATTRIBUTE, None)
        wrapper.execute_wrappers.clear()
        originals = {name: vars(wrapper).pop(name, None) for name in ("_commit", "_rollback")}
        commit = type(wrapper)._commit

        def failing() -> None:
            if self.error is not None:
                raise self.error
            commit(wrapper)

        wrapper._commit = failing  # type: ignore[method-assign]
        watch(wrapper)
        yield
        self.error = None
        del originals
        wrapper.close()
        for name in ("_commit", "_rollback", "close", "set_autocommit", module._ATTRIBUTE):
            vars(wrapper).pop(name, None)
        wrapper.execute_wrappers.clear()
        watch(wrapper)

    @pytest.mark.parametrize(
        "error", [OperationalError("no answer"), SystemExit(1), KeyboardInterrupt()]
    )
    def test_a_commit_of_unknown_outcome_leaves_its_marks(
        self, error: BaseException, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may land later: what was read in between must not be taken for current then.

        On SQLite it is "database is locked", and may be tried again.
        """
        if connection.vendor != "sqlite":
            monkeypatch.setattr(connections["default"], "is_usable", lambda: False)
        before = from_elsewhere()
        transaction.set_autocommit(False)
        write()
        self.error = error
        with pytest.raises(type(error)):
            transaction.commit()
        during = from_elsewhere()
        self.error = None
        connection.connection.commit()
        after = from_elsewhere()
        assert before not in (during, after)
        assert during is None or during != after

    def test_a_commit_that_was_refused_frees_its_pages(self) -> None:
        transaction.set_autocommit(False)
        write()
        self.error = IntegrityError("deferred constraint")
        with pytest.raises(IntegrityError):
            transaction.commit()
        self.error = None
        transaction.rollback()
        assert marks() == 0


def test_a_refused_statement_frees_its_pages() -> None:
    Ticket.objects.create(code=1)
    with pytest.raises(IntegrityError):
        Ticket.objects.create(code=1)
    with pytest.raises(IntegrityError):
        Book.objects.create(pk=1)
    assert marks() == 0


def test_closing_the_connection_rolls_back() -> None:
    def leave() -> None:
        transaction.set_autocommit(False)
        write()
        connection.close()

    elsewhere(leave)
    assert Book.objects.get(pk=1).title == "old"
    assert marks() == 0


def test_a_writer_that_dies_leaves_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever became of its transaction, nothing older is taken for current."""
    before = from_elsewhere()
    with monkeypatch.context() as patched:
        patched.setattr(claims.TokenClaim, "release", _forgotten)
        write()
    assert from_elsewhere() is None
    with caches_without_marks():
        assert from_elsewhere() != before


def _forgotten(self: claims.TokenClaim) -> None:
    self._claim = NO_CLAIM


class caches_without_marks:
    """As after the life of the marks has ended."""

    def __enter__(self) -> None:
        cache = caches["default"]
        for key in list(cache._cache):  # type: ignore[attr-defined]
            name = key.split(":", 2)[2]
            stamp = cache.get(name)
            if name.startswith(PREFIX) and isinstance(stamp, int) and stamp & WRITERS:
                cache.delete(name)

    def __exit__(self, *error: object) -> None:
        pass


class TestWrappers:
    def test_a_wrapper_around_the_first_query_of_a_thread_hides_nothing(self) -> None:
        def run() -> None:
            with connection.execute_wrapper(lambda execute, *args: execute(*args)):
                Book.objects.count()
            write()

        with moves(page):
            elsewhere(run)

    def test_a_wrapper_that_blocks_is_obeyed(self) -> None:
        def refuse(*args: Any) -> None:
            raise ZeroDivisionError

        with keeps(other_page):
            with connection.execute_wrapper(refuse), pytest.raises(ZeroDivisionError):
                write()
            assert marks() == 0

    def test_parameters_that_the_driver_refuses_leave_nothing_marked(self) -> None:
        with pytest.raises((OverflowError, DatabaseError)):
            execute("UPDATE site_book SET copies = %s WHERE id = 1", 10**30)
        with pytest.raises((TypeError, DatabaseError)):
            execute("UPDATE site_book SET copies = %s WHERE id = %s", 1)
        assert marks() == 0

    def test_executemany_takes_what_can_be_read_only_once(self) -> None:
        with moves(page), connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE site_book SET title = %s WHERE id = %s", (row for row in [("new", 1)])
            )
        assert Book.objects.get(pk=1).title == "new"

    def test_several_statements_in_one_text(self) -> None:
        only_on("postgresql", "mysql")
        for sql in (
            "UPDATE site_tag SET name = 'x'; UPDATE site_book SET title = 'x'",
            "SELECT 1; UPDATE site_book SET title = 'y'",
        ):
            with moves(page):
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                    while connection.vendor == "mysql" and cursor.nextset():
                        pass
                Book.objects.count()

    def test_a_placeholder_in_quotes_counts(self) -> None:
        """Both drivers fill it in."""
        only_on("postgresql", "mysql")
        with moves(page):
            execute("UPDATE site_book SET title = '%s' WHERE id = %s", 5, 1)
        assert Book.objects.get(pk=1).title == "5"

    def test_a_number_that_the_database_rounds(self) -> None:
        only_on("postgresql", "mysql")
        for pk in (1, 2):
            Shelf.objects.create(pk=pk)
        second = token(lambda request: [Members(Book, shelf=2)], name="on shelf 2")
        with moves(second):
            execute("UPDATE site_book SET shelf_id = %s WHERE id = 1", 1.6)
        assert Book.objects.get(pk=1).shelf_id == 2


class TestWithoutTheCache:
    """A server that does not answer: clients raise errors of their own."""

    @pytest.fixture(params=[ConnectionRefusedError, RuntimeError, DatabaseError])
    def error(self, request: Any) -> type[Exception]:
        return request.param  # type: ignore[no-any-return]

    def failing(self, *names: str, error: type[Exception]) -> pytest.MonkeyPatch:
        patched = pytest.MonkeyPatch()

        def fail(*args: Any, **kwargs: Any) -> Any:
            raise error("the server is away")

        for name in names:
            patched.setattr(LocMemCache, name, fail)
        return patched

    @pytest.mark.parametrize("name", ["add", "incr", "touch"])
    def test_a_write_whose_marks_are_not_taken_fails_and_writes_nothing(
        self, name: str, error: type[Exception]
    ) -> None:
        patched = self.failing(name, error=error)
        try:
            with pytest.raises(TokenStoreError, match=r"could not be marked.*is away"):
                write()
            with pytest.raises(TokenStoreError), transaction.atomic():
                write()
        finally:
            patched.undo()
        assert Book.objects.get(pk=1).title == "old"
        assert marks() == 0

    def test_tables_that_nobody_watches_are_written_without_it(
        self, settings: Any, error: type[Exception]
    ) -> None:
        settings.NOTMODIFIED = {"WATCH": ["site.Tag"]}
        patched = self.failing("add", "incr", error=error)
        try:
            write()
        finally:
            patched.undo()
        assert Book.objects.get(pk=1).title == "new"

    def test_marks_that_cannot_be_taken_back_stay(
        self, error: type[Exception], caplog: pytest.LogCaptureFixture
    ) -> None:
        before = from_elsewhere()
        patched = pytest.MonkeyPatch()
        with transaction.atomic():
            write()
            patched = self.failing("incr", error=error)
        patched.undo()
        assert "could not be taken back" in caplog.text
        assert from_elsewhere() is None
        with caches_without_marks():
            assert from_elsewhere() != before

    def test_a_reader_is_told_nothing_and_the_view_runs(self, error: type[Exception]) -> None:
        patched = self.failing("get", error=error)
        try:
            assert version(page) == UNKNOWN
        finally:
            patched.undo()


@pytest.mark.parametrize(
    "attempt",
    [
        write,
        lambda: Book.objects.filter(pk=1).delete(),
        lambda: Book.objects.create(pk=3),
        lambda: pytest.raises(IntegrityError, Book.objects.create, pk=1),
    ],
)
def test_nothing_stays_marked_after_a_write(attempt: Callable[[], Any]) -> None:
    attempt()
    stored: Any = caches["default"]
    found = [stored.get(key.split(":", 2)[2]) for key in list(stored._cache) if PREFIX in key]
    assert any(isinstance(stamp, int) for stamp in found)
    assert not any(stamp & WRITERS for stamp in found if isinstance(stamp, int))
