"""Stale answers that were found by attack, each kept as it was: none may come back."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.contrib.sites.shortcuts import get_current_site
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone

from notmodified.reads import memories
from notmodified.reads.memories import forget_memories
from tests.automatic.visits import queries, recorded_site
from tests.site.models import Book, Plain, Shelf, Tag
from tests.site.pages import elsewhere, execute, only_on

VIEW: list[Callable[[HttpRequest], Any]] = []


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0](request)))


urlpatterns = [path("", view)]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    with recorded_site(__name__):
        yield


def hold(ask: Callable[[HttpRequest], Any], client: Client | None = None, **first: Any) -> Any:
    """A visitor's copy of a page that `ask` makes."""
    VIEW[:] = [ask]
    (client or Client()).get("/", **first)  # what is loaded now keeps it from being recorded
    return (client or Client()).get("/", **first)


def check(held: Any, client: Client | None = None, **again: Any) -> None:
    """Whoever comes back with that copy then has what the view shows."""
    headers = {"If-None-Match": held.headers["ETag"], **again.pop("headers", {})}
    answer = (client or Client()).get("/", headers=headers, **again)
    content = held.content if answer.status_code == 304 else answer.content
    truth = (client or Client()).get("/", headers=again.get("headers"), **again).content
    assert content == truth


def fill() -> None:
    for pk in (1, 2, 3):
        Shelf.objects.create(pk=pk, name="bac"[pk - 1])
        Book.objects.create(pk=pk, title=str(pk), shelf_id=pk)
        Tag.objects.create(pk=pk, name=str(pk))
    Book.objects.get(pk=3).tags.add(1, 2, 3)


def rows(sql: str) -> Callable[[HttpRequest], Any]:
    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    return ask


def count(request: HttpRequest) -> int:
    """The number of rows, of which none is fetched."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.id, b.shelf_id, s.name FROM site_book b "
            "LEFT JOIN site_shelf s ON s.id = b.shelf_id"
        )
        return int(cursor.rowcount)


def sliced(request: HttpRequest) -> Any:
    """OFFSET as MySQL writes it, and SQLite too."""
    limit = "2 OFFSET 2" if connection.vendor == "postgresql" else "2, 2"
    sql = "SELECT s.id, b.title FROM site_shelf s LEFT JOIN site_book b ON b.shelf_id = s.id "
    return rows(f"{sql} ORDER BY s.name LIMIT {limit}")(request)


ROWS: dict[str, tuple[Callable[[HttpRequest], Any], Callable[[], Any]]] = {
    "rows that an OFFSET skips": (
        lambda request: list(Shelf.objects.order_by("name").values_list("pk", "books__title")[2:4]),
        lambda: Book.objects.create(pk=9, title="x", shelf_id=1),
    ),
    "relations that an OFFSET skips": (
        lambda request: list(Tag.objects.filter(book__shelf_id=3).order_by("pk")[1:3]),
        lambda: Book.objects.get(pk=3).tags.remove(1),
    ),
    "an order by number": (
        lambda request: list(
            Book.objects.values_list("pk", "shelf_id", "shelf__name").order_by("shelf__name")[:1]
        ),
        lambda: Shelf.objects.filter(pk=3).update(name="0"),
    ),
    "a count without rows": (count, lambda: Book.objects.create(pk=9, title="x")),
    "rows that a slice of MySQL skips": (
        sliced,
        lambda: Book.objects.create(pk=9, title="x", shelf_id=1),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    fill()
    forget_memories()
    ask, write = ROWS[name]
    held = hold(ask)
    assert "not recorded" not in held.headers["Cache-Status"]
    elsewhere(write)
    check(held)


REQUESTS: dict[str, tuple[Callable[[Any], Any], dict[str, Any], dict[str, Any]]] = {
    "the type of content": (lambda r: r.content_type, {}, {"CONTENT_TYPE": "application/json"}),
    "the port": (lambda r: r.get_port(), {"SERVER_PORT": "80"}, {"SERVER_PORT": "8080"}),
    "a name without a port": (
        lambda r: r.build_absolute_uri(),
        {"headers": {"Host": "testserver:80"}},
        {},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    ask, first, again = REQUESTS[name]
    check(hold(ask, **first), **again)


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: r.session.session_key,
        lambda r: r.session.is_empty(),
        lambda r: r.META.get("CSRF_COOKIE"),
        lambda r: json.dumps(r.COOKIES),
        lambda r: r.COOKIES != {},
    ],
)
def test_cookies(ask: Callable[[Any], Any]) -> None:
    member = Client()
    member.force_login(User.objects.create(username="ada"))
    member.cookies["csrftoken"] = "a" * 32
    held = hold(ask)
    check(held, member)


def test_a_get_with_content() -> None:
    def ask(request: HttpRequest) -> Any:
        return request.read()

    VIEW[:] = [ask]
    held = Client().get("/")
    factory: Any = RequestFactory(headers={"If-None-Match": held.headers["ETag"]})
    request = factory.generic("GET", "/", b"content")
    answer = Client().request(**request.environ)
    assert answer.content == b"b'content'"


def test_a_scope() -> None:
    VIEW[:] = [lambda request: request.scope["client"]]

    async def visit() -> str:
        answer = await AsyncClient().get("/")
        return str(answer.headers["Cache-Status"])

    assert "not recorded" in async_to_sync(visit)()


def test_locks_of_others() -> None:
    only_on("postgresql")
    fill()

    def ask(request: HttpRequest) -> Any:
        with transaction.atomic():
            return list(Shelf.objects.select_for_update(skip_locked=True).values_list("pk"))

    writer = connection.copy()
    writer.connect()
    writer.set_autocommit(False)
    with writer.cursor() as cursor:
        cursor.execute("SELECT * FROM site_shelf WHERE id = 1 FOR UPDATE")
    held = hold(ask)
    writer.rollback()  # a server sees by and by that a connection is closed
    writer.close()
    check(held)


FAILING = {
    "sqlite": "SELECT ABS(-9223372036854775807 - 1)",
    "postgresql": "SELECT (SELECT 1 UNION SELECT 2)",
    "mysql": "SELECT (SELECT 1 UNION SELECT 2)",
}
"""Statements that depend on nothing, as far as anybody sees."""


def test_a_statement_that_failed() -> None:
    def ask(request: HttpRequest) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute(FAILING[connection.vendor])
                cursor.fetchall()
        except DatabaseError:
            return "not available"

    assert "not recorded" in hold(ask).headers["Cache-Status"]


def test_what_a_process_keeps_of_what_it_read_before() -> None:
    Plain.objects.create(pk=1, name="a")
    kept = [Plain.objects.get(pk=1).name]  # outside of any request
    held = hold(lambda request: kept[0])
    Plain.objects.update(name="b")
    kept[:] = ["b"]  # as a signal would have it
    check(held)


@lru_cache
def name_of(pk: int) -> str:
    return Plain.objects.get(pk=pk).name


class Names:
    @staticmethod
    @cache
    def of(pk: int) -> str:
        return Plain.objects.get(pk=pk).name


@pytest.mark.parametrize("helper", [name_of, Names.of])
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_a_helper_keeps_of_what_it_read_in_another_request(helper: Any, method: str) -> None:
    """Whoever writes the rows empties it; then a page changes that has not asked for them."""
    Plain.objects.create(pk=1, name="a")
    helper.cache_clear()
    VIEW[:] = [lambda request: helper(1)]
    getattr(Client(), method)("/")
    held = hold(lambda request: helper(1))
    assert "not recorded" not in held.headers["Cache-Status"]
    elsewhere(lambda: Plain.objects.update(name="b"))
    helper.cache_clear()
    check(held)


KEPT = {
    "from a new line on": "\n SELECT name FROM site_plain",
    "with a comment in front": "/* names */ SELECT name FROM site_plain",
    "a common table expression": "WITH x AS (SELECT name FROM site_plain) SELECT name FROM x",
    "what is not understood": "SELECT name FROM site_plain WHERE CURRENT_TIMESTAMP > '2001-01-01'",
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("others", [0, 300])
def test_any_query_that_a_process_may_keep(
    name: str, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memories, "MOST_STATEMENTS", 250)
    Plain.objects.create(pk=1, name="a")
    forget_memories()
    for number in range(others):
        memories.keep("default", f"SELECT {number} FROM site_tag", None)
    kept = [rows(KEPT[name])(RequestFactory().get("/"))]
    held = hold(lambda request: kept[0])
    assert "not recorded" not in held.headers["Cache-Status"]
    elsewhere(lambda: execute("UPDATE site_plain SET name = 'b'"))
    kept[:] = ["b"]
    check(held)


def test_more_words_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "MOST_STATEMENTS", 0)
    monkeypatch.setattr(memories, "MOST_WORDS", 2)
    Plain.objects.create(pk=1, name="a")
    memories.keep("default", "SELECT x FROM y", None)
    kept = [Plain.objects.get(pk=1).name]
    held = hold(lambda request: kept[0])
    Plain.objects.update(name="b")
    kept[:] = ["b"]
    check(held)


def test_time_zones_that_differ_in_name_only() -> None:
    one, other = (datetime.timezone(datetime.timedelta(hours=1), name) for name in ("CET", "BST"))
    with timezone.override(one):
        held = hold(lambda request: timezone.get_current_timezone_name())
    assert "not recorded" not in held.headers["Cache-Status"]
    with timezone.override(other):
        check(held)


def test_rows_that_django_keeps_from_another_page() -> None:
    Site.objects.update_or_create(pk=1, defaults={"domain": "testserver", "name": "a"})
    Site.objects.clear_cache()
    forget_memories()
    with override_settings(SITE_ID=1):
        hold(lambda request: get_current_site(request).name)
        held = hold(lambda request: get_current_site(request).name)  # asks the database nothing
        assert "not recorded" not in held.headers["Cache-Status"]
        Site.objects.get(pk=1).save()
        Site(pk=1, domain="testserver", name="b").save()
        forget_memories()
        check(held)


TYPES: dict[str, tuple[Callable[[int], ContentType], Callable[[int], dict[str, Any]]]] = {
    "get_for_model": (
        lambda pk: ContentType.objects.get_for_model(Plain),
        lambda pk: {"id": pk + 1000},
    ),
    "get_for_models": (
        lambda pk: ContentType.objects.get_for_models(Plain)[Plain],
        lambda pk: {"id": pk + 1000},
    ),
    "get_by_natural_key": (
        lambda pk: ContentType.objects.get_by_natural_key("site", "plain"),
        lambda pk: {"id": pk + 1000},
    ),
    "get_for_id": (
        lambda pk: ContentType.objects.get_for_id(pk),
        lambda pk: {"app_label": "other"},
    ),
}
"""The ways to a type of content that is in memory, and a change of its row that they show."""


@pytest.fixture
def type_of_plain() -> Iterator[int]:
    """Its key. Nobody refers to it, and it is in the database only."""
    ContentType.objects.filter(app_label="site", model="plain").delete()
    pk = ContentType.objects.create(app_label="site", model="plain").pk
    ContentType.objects.clear_cache()
    yield pk
    ContentType.objects.clear_cache()


@pytest.mark.parametrize("name", TYPES)
def test_types_of_content_that_django_keeps_from_another_page(
    name: str, type_of_plain: int
) -> None:
    of_plain, change = TYPES[name]

    def ask(request: HttpRequest) -> tuple[int, str]:
        found = of_plain(type_of_plain)
        return found.pk, found.app_label

    hold(ask)
    forget_memories()
    with queries() as asked:
        held = hold(ask)
    assert asked == []
    again: Any = {"headers": {"If-None-Match": held.headers["ETag"]}}
    assert Client().get("/", **again).status_code == 304
    elsewhere(lambda: ContentType.objects.filter(pk=type_of_plain).update(**change(type_of_plain)))
    ContentType.objects.clear_cache()
    answer = Client().get("/", **again)
    assert answer.status_code == 200
    assert answer.content != held.content


def test_a_type_of_content_that_was_out_of_date_in_memory(type_of_plain: int) -> None:
    """The page is recorded after the change, and made from before it."""

    def ask(request: HttpRequest) -> str:
        return ContentType.objects.get_for_id(type_of_plain).app_label

    hold(ask)
    elsewhere(lambda: ContentType.objects.filter(pk=type_of_plain).update(app_label="other"))
    held = hold(ask)
    assert held.content == b"site"
    assert "not recorded" not in held.headers["Cache-Status"]
    ContentType.objects.clear_cache()
    check(held)


AS_ONE = "AS SELECT 1 AS id, 'x' AS name"


@pytest.mark.parametrize(
    ("vendor", "statement"),
    [
        ("postgresql", f"CREATE TEMP TABLE site_plain {AS_ONE}"),
        ("postgresql", f"CREATE TABLE pg_temp.site_plain {AS_ONE}"),
        ("postgresql", "SELECT 1 AS id, 'x'::text AS name INTO TEMP site_plain"),
        ("postgresql", f"SELECT 1; CREATE TEMP TABLE site_plain {AS_ONE}"),
        ("postgresql", f"DO $$ BEGIN CREATE TEMP TABLE site_plain {AS_ONE}; END $$"),
        ("postgresql", f"EXPLAIN ANALYZE CREATE TEMP TABLE site_plain {AS_ONE}"),
        ("sqlite", f"CREATE TEMP TABLE site_plain {AS_ONE}"),
        ("sqlite", f"CREATE TABLE temp.site_plain {AS_ONE}"),
        ("sqlite", f"-- x\nCREATE TEMP TABLE site_plain {AS_ONE}"),
        ("mysql", f"CREATE TEMPORARY TABLE site_plain {AS_ONE}"),
        ("mysql", f"/* x */ CREATE TEMPORARY TABLE site_plain {AS_ONE}"),
        ("mysql", f"CREATE /* x */ TEMPORARY TABLE site_plain {AS_ONE}"),
        ("mysql", f"/*M! CREATE TEMPORARY TABLE site_plain {AS_ONE} */"),
        ("mysql", f'EXECUTE IMMEDIATE "CREATE TEMPORARY TABLE site_plain {AS_ONE}"'),
    ],
)
def test_a_connection_that_sees_other_tables(vendor: str, statement: str) -> None:
    only_on(vendor)
    Plain.objects.create(pk=1, name="a")
    execute(statement)
    try:
        held = hold(lambda request: Plain.objects.get(pk=1).name)
        execute("UPDATE site_plain SET name = 'y'")
        check(held)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "/* app */ SET search_path TO other, public",
        "SELECT SET_CONFIG('search_path', 'other, public', false)",
        "UPDATE pg_settings SET setting = 'other, public' WHERE name = 'search_path'",
    ],
)
def test_a_connection_that_looks_elsewhere(statement: str) -> None:
    only_on("postgresql")
    Plain.objects.create(pk=1, name="a")
    execute("CREATE SCHEMA other")
    execute(f"CREATE TABLE other.site_plain {AS_ONE}")
    connection.close()
    try:
        execute(statement)
        held = hold(lambda request: Plain.objects.get(pk=1).name)
        execute("UPDATE site_plain SET name = 'y'")
        check(held)
    finally:
        execute("DROP SCHEMA other CASCADE")
        connection.close()


def test_a_script_after_which_a_connection_sees_other_tables() -> None:
    only_on("sqlite")
    Plain.objects.create(pk=1, name="a")
    with connection.cursor() as cursor:
        cursor.executescript(f"CREATE TEMP TABLE site_plain {AS_ONE}")  # type: ignore[attr-defined]
    try:
        held = hold(lambda request: Plain.objects.get(pk=1).name)
        execute("UPDATE site_plain SET name = 'y'")
        check(held)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("vendor", "options", "sql"),
    [
        (
            "mysql",
            {"init_command": "SET sql_mode = 'ANSI'"},
            "SELECT name FROM site_plain WHERE id = 1 || id = 0",
        ),
        (
            "postgresql",
            {"options": "-c standard_conforming_strings=off"},
            "SELECT name FROM site_plain WHERE name = 'a\\142'",
        ),
    ],
)
def test_a_connection_that_reads_texts_otherwise(
    vendor: str, options: dict[str, Any], sql: str
) -> None:
    only_on(vendor)
    Plain.objects.create(pk=1, name="a")
    connection.close()
    before = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**before, **options}
    try:
        held = hold(rows(sql))
        assert "not recorded" in held.headers["Cache-Status"]
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = before


def test_a_dialect_is_asked_for_unseen() -> None:
    Plain.objects.create(pk=1, name="a")
    connection.close()
    held = hold(lambda request: Plain.objects.get(pk=1).name)
    assert "not recorded" not in held.headers["Cache-Status"]
    connection.close()
    with CaptureQueriesContext(connection) as captured:
        hold(lambda request: Plain.objects.get(pk=1).name)
    assert not [one for one in captured if "sql_mode" in one["sql"]]


@pytest.mark.parametrize(
    ("vendor", "sql"),
    [
        ("mysql", "SELECT 1 /*! UNION SELECT COUNT(*) FROM site_plain */"),
        ("mysql", "SELECT UTC_TIMESTAMP"),
        ("mysql", "SELECT @x"),
        ("postgresql", "SELECT 'tomorrow 00:00'::timestamp"),
        ("postgresql", "SELECT E'no\\167'::timestamp"),
        ("postgresql", "SELECT current_role"),
    ],
)
def test_sql_that_says_more_than_it_seems(vendor: str, sql: str) -> None:
    only_on(vendor)
    assert "not recorded" in hold(rows(sql)).headers["Cache-Status"]


@pytest.mark.parametrize("parameters", [None, [], (), [1]], ids=repr)
@pytest.mark.parametrize("name", ["a%b", "a%%b"])
def test_percent_signs_within_quotes(name: str, parameters: Any) -> None:
    """With parameters, two of them stand for one; without, for two."""
    for pk, username in enumerate(["a%b", "a%%b", "c"], 1):
        User.objects.create(pk=pk, username=username, first_name="x")

    def ask(request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            condition = "username = 'a%%b'" + (" AND 1 = %s" if parameters else "")
            cursor.execute(f"SELECT first_name FROM auth_user WHERE {condition}", parameters)
            return cursor.fetchall()

    held = hold(ask)
    User.objects.filter(username=name).update(first_name="y")
    check(held)


def test_many_rows_of_one_table_and_none_of_another() -> None:
    """Two pages that were recorded at one moment, of which one has changed."""
    fill()

    def ask(request: HttpRequest) -> Any:
        model = Tag if "tags" in request.GET else Plain
        return list(model.objects.values_list("name"))

    plain = hold(ask)
    tags: Any = Client().get("/?tags")
    again: Any = {"headers": {"If-None-Match": tags.headers["ETag"]}}
    elsewhere(lambda: Plain.objects.bulk_create([Plain(name="x") for _ in range(200)]))
    assert Client().get("/?tags", **again).status_code == 304
    check(plain)


class TestNothingBreaks:
    def test_a_time_zone_without_a_hash(self) -> None:
        class Zone(datetime.tzinfo):
            __hash__ = None  # type: ignore[assignment]

            def __eq__(self, other: object) -> bool:
                return isinstance(other, Zone)

            def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
                return datetime.timedelta(hours=1)

            def tzname(self, when: datetime.datetime | None) -> str:
                return "UTC+1"

        with timezone.override(Zone()):
            check(hold(lambda request: timezone.get_current_timezone_name()))

    def test_statements_that_are_no_texts(self) -> None:
        only_on("postgresql")
        from psycopg import sql

        composed = sql.SQL("SELECT name FROM {}").format(sql.Identifier("site_plain"))
        ask: Any = rows(composed)  # type: ignore[arg-type]
        held = hold(ask)
        assert "not recorded" not in held.headers["Cache-Status"]
        elsewhere(lambda: Plain.objects.create(name="x"))
        check(held)
        check(hold(rows(b"SELECT name FROM site_plain")))  # type: ignore[arg-type]

    def test_fetchmany_by_name(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert len(cursor.fetchmany(size=10)) == 1

    def test_what_middleware_leaves_for_the_server(self) -> None:
        def ask(request: HttpRequest) -> str:
            request.META["REMOTE_USER"] = "ada"
            return ""

        held = hold(ask)
        assert held.wsgi_request.environ["REMOTE_USER"] == "ada"
