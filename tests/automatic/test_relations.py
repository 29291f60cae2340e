"""Pages made from what is no plain table: views, families of tables, rows shown by policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

from notmodified.records import databases
from notmodified.records.databases import all_tables
from notmodified.writes.log.definitions import DEFINITIONS
from notmodified.writes.log.install import install, states
from tests.automatic.visits import Visitor, counted, recorded_site
from tests.site.models import Book, Club, Place, Shelf
from tests.site.pages import elsewhere, execute, only_on

QUERY = [""]


def page(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(QUERY[0])
        return HttpResponse(str(cursor.fetchall()))


def places(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(Place.objects.order_by("pk").values_list("pk", "a"))))


def locked(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        found = Place.objects.order_by("pk").select_for_update()
        return HttpResponse(str(list(found.values_list("pk", "a"))))


urlpatterns = [
    path("page/", counted(page)),
    path("places/", counted(places)),
    path("locked/", counted(locked)),
]


@contextmanager
def without_event_trigger() -> Iterator[None]:
    execute(f"ALTER EVENT TRIGGER {DEFINITIONS} DISABLE")
    try:
        yield
    finally:
        execute(f"ALTER EVENT TRIGGER {DEFINITIONS} ENABLE")


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    with recorded_site(__name__):
        yield


class Page:
    """A page, and a visitor who comes back to it after each write."""

    def __init__(self, url: str = "/page/", query: str = "") -> None:
        self.url = url
        QUERY[0] = query
        self.visitor = Visitor()
        self.visitor.get(url)

    @property
    def reason(self) -> str:
        return str(Visitor().get(self.url).headers["Cache-Status"])

    def holds(self) -> bool:
        return self.visitor.is_answered_without_view(self.url)

    def moves(self, write: Callable[[], object]) -> bool:
        """Whether the view runs after `write`, and only once."""
        assert self.holds(), self.reason
        elsewhere(write)
        if self.holds():
            return False
        assert self.holds(), self.reason
        return True


@contextmanager
def made(*statements: str, undone_by: tuple[str, ...]) -> Iterator[None]:
    """What somebody has made in the database before the site starts."""
    for statement in statements:
        execute(statement)
    databases.forget()
    install(connection, all_tables(connection))
    try:
        yield
    finally:
        for statement in undone_by:
            execute(statement)


class TestViews:
    @pytest.fixture(autouse=True)
    def views(self, log: None) -> Iterator[None]:
        # In case of MariaDB the second names the first with its database in front.
        with made(
            "CREATE VIEW full_shelf AS SELECT s.id, s.name, COUNT(b.id) AS books "
            "FROM site_shelf s LEFT JOIN site_book b ON b.shelf_id = s.id GROUP BY s.id, s.name",
            "CREATE VIEW named_shelf AS SELECT name, books FROM full_shelf WHERE name = 'a'",
            "CREATE VIEW lucky AS SELECT id, CURRENT_TIMESTAMP AS at FROM site_shelf",
            undone_by=("DROP VIEW lucky", "DROP VIEW named_shelf", "DROP VIEW full_shelf"),
        ):
            Shelf.objects.create(pk=1, name="a")
            yield

    @pytest.mark.parametrize("view", ["full_shelf", "named_shelf"])
    def test_a_view_is_the_query_that_it_stands_for(self, view: str) -> None:
        page = Page(query=f"SELECT name, books FROM {view} ORDER BY name")
        assert page.moves(lambda: Book.objects.create(shelf_id=1, title="x"))
        assert page.moves(lambda: Shelf.objects.filter(pk=1).update(name="b"))
        assert not page.moves(lambda: Club.objects.create(name="x"))

    def test_what_it_asks_besides_counts_too(self) -> None:
        page = Page(query="SELECT id FROM lucky")
        assert not page.holds()
        assert "CURRENT_TIMESTAMP" in page.reason.upper()

    def test_a_view_that_becomes_another(self) -> None:
        only_on("sqlite", "postgresql")
        page = Page(query="SELECT name FROM named_shelf")

        def replace() -> None:
            execute("DROP VIEW named_shelf")
            execute("CREATE VIEW named_shelf AS SELECT name, 1 AS books FROM site_club")

        assert page.moves(replace)
        assert page.moves(lambda: Club.objects.create(name="x"))
        assert not page.moves(lambda: Shelf.objects.filter(pk=1).update(name="c"))


class TestMaterializedViews:
    @pytest.fixture(autouse=True)
    def places_are_a_view(self, log: None) -> Iterator[None]:
        only_on("postgresql")
        with made(
            "ALTER TABLE site_place RENAME TO place_before",
            "CREATE MATERIALIZED VIEW site_place AS SELECT * FROM place_before",
            undone_by=(
                "DROP MATERIALIZED VIEW site_place",
                "ALTER TABLE place_before RENAME TO site_place",
            ),
        ):
            yield

    def test_it_moves_when_it_is_refreshed(self) -> None:
        page = Page("/places/")
        assert page.moves(lambda: execute("REFRESH MATERIALIZED VIEW site_place"))

    def test_without_an_event_trigger_nobody_tells_of_it(self) -> None:
        with without_event_trigger():
            databases.forget()
            page = Page("/places/")
            assert not page.holds()
            assert "its refreshing" in page.reason


@pytest.fixture
def families(log: None) -> Iterator[None]:
    """The table of places has partitions, and one of these has its own."""
    only_on("postgresql")
    with made(
        "ALTER TABLE site_place RENAME TO place_before",
        "CREATE TABLE site_place (LIKE place_before INCLUDING IDENTITY, PRIMARY KEY (id)) "
        "PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF site_place FOR VALUES FROM (0) TO (100)",
        'CREATE TABLE "High" PARTITION OF site_place FOR VALUES FROM (100) TO (300) '
        "PARTITION BY RANGE (id)",
        'CREATE TABLE higher PARTITION OF "High" FOR VALUES FROM (200) TO (300)',
        undone_by=("DROP TABLE site_place", "ALTER TABLE place_before RENAME TO site_place"),
    ):
        Place.objects.create(pk=1, a=1)
        Place.objects.create(pk=250, a=1)
        yield


@pytest.mark.usefixtures("families")
class TestPartitions:
    def test_every_way_to_write_a_row(self) -> None:
        page = Page("/places/")
        for write in (
            "UPDATE site_place SET a = a + 1",
            "UPDATE low SET a = a + 1",
            "UPDATE higher SET a = a + 1",
            'UPDATE "High" SET a = a + 1',
            "INSERT INTO site_place (id, position, a, b) VALUES (2, 0, 0, 0)",
            "INSERT INTO low (id, position, a, b) VALUES (3, 0, 0, 0)",
            "UPDATE site_place SET id = 260 WHERE id = 2",
            "DELETE FROM higher WHERE id = 260",
            "DELETE FROM site_place WHERE id = 3",
            "TRUNCATE low",
            "INSERT INTO higher SELECT g, 0, 0, 0 FROM generate_series(201, 249) g",
            "TRUNCATE site_place",
        ):
            assert page.moves(lambda write=write: execute(write)), write  # type: ignore[misc]

    def test_a_row_that_goes_from_one_to_another(self) -> None:
        low = Page(query="SELECT a FROM site_place WHERE id = 1")
        assert low.moves(lambda: execute("UPDATE site_place SET id = 270 WHERE id = 1"))
        high = Page(query="SELECT a FROM site_place WHERE id = 280")
        assert high.moves(lambda: execute("UPDATE site_place SET id = 280 WHERE id = 270"))

    def test_one_row_moves_no_other(self) -> None:
        page = Page(query="SELECT a FROM site_place WHERE id = 1")
        assert not page.moves(lambda: execute("UPDATE higher SET a = 9 WHERE id = 250"))
        assert not page.moves(lambda: Place.objects.filter(pk=250).update(a=8))
        assert page.moves(lambda: execute("UPDATE low SET a = 9 WHERE id = 1"))

    def test_partitions_that_come_and_go(self) -> None:
        page = Page("/places/")
        assert page.holds()
        execute("CREATE TABLE between PARTITION OF site_place FOR VALUES FROM (300) TO (400)")
        assert not page.holds()
        assert "the table between: its triggers are missing" in page.reason
        install(connection, all_tables(connection))
        page.visitor.get(page.url)
        assert page.moves(lambda: execute("INSERT INTO between VALUES (300, 0, 0, 0)"))
        assert page.moves(lambda: execute("ALTER TABLE site_place DETACH PARTITION between"))
        execute("DROP TABLE between")

    def test_a_partition_without_its_triggers(self) -> None:
        page = Page("/places/")
        execute("ALTER TABLE higher DISABLE TRIGGER ALL")
        assert not page.holds()
        assert not page.holds()
        assert "the table higher: its triggers are missing" in page.reason

    def test_without_an_event_trigger_nobody_tells_of_them(self) -> None:
        with without_event_trigger():
            databases.forget()
            page = Page("/places/")
            assert not page.holds()
            assert "partitions" in page.reason

    def test_a_partition_that_is_out_of_sight(self) -> None:
        execute("CREATE SCHEMA aside")
        try:
            execute("CREATE TABLE aside.far PARTITION OF site_place FOR VALUES FROM (500) TO (600)")
            page = Page("/places/")
            assert not page.holds()
            assert "not in sight" in page.reason
        finally:
            execute("DROP SCHEMA aside CASCADE")


class TestInheritance:
    @pytest.fixture(autouse=True)
    def annex(self, log: None) -> Iterator[None]:
        only_on("postgresql")
        with made(
            "CREATE TABLE annex (extra int) INHERITS (site_place)", undone_by=("DROP TABLE annex",)
        ):
            yield

    def test_rows_below_are_rows_of_the_table_too(self) -> None:
        page = Page("/places/")
        row = "INSERT INTO annex (id, position, a, b, extra) VALUES (7, 0, 0, 0, 0)"
        assert page.moves(lambda: execute(row))
        assert page.moves(lambda: execute("UPDATE annex SET a = 1"))
        assert page.moves(lambda: execute("UPDATE site_place SET a = 2 WHERE id = 7"))
        one = Page(query="SELECT a FROM site_place WHERE id = 8")
        assert not one.moves(lambda: execute("UPDATE annex SET a = 3"))
        page.visitor.get(page.url)
        assert page.moves(lambda: execute("DELETE FROM annex"))

    def test_a_write_above_reaches_the_rows_below(self) -> None:
        """The table of a model may be below that of another."""
        execute("ALTER TABLE site_measurement ADD COLUMN position int DEFAULT 0")
        execute("ALTER TABLE site_measurement ADD COLUMN a int DEFAULT 0")
        execute("ALTER TABLE site_measurement ADD COLUMN b int DEFAULT 0")
        try:
            execute("ALTER TABLE site_measurement ALTER position SET NOT NULL")
            execute("ALTER TABLE site_measurement ALTER a SET NOT NULL")
            execute("ALTER TABLE site_measurement ALTER b SET NOT NULL")
            execute("ALTER TABLE site_measurement INHERIT site_place")
            install(connection, all_tables(connection))
            execute("INSERT INTO site_measurement (t, value, id) VALUES (1, 1, 1)")
            page = Page(query="SELECT a FROM site_measurement WHERE id = 1")
            assert page.moves(lambda: execute("UPDATE site_place SET a = 5"))
        finally:
            execute("ALTER TABLE site_measurement NO INHERIT site_place")
            for column in ("position", "a", "b"):
                execute(f"ALTER TABLE site_measurement DROP COLUMN {column}")


class TestFamiliesOfStrangers:
    """Those whose rows a model's table shares, though no model stands for them."""

    def test_a_write_to_the_table_above(self) -> None:
        only_on("postgresql")
        with made(
            "CREATE TABLE base (LIKE site_place)",
            "ALTER TABLE site_place INHERIT base",
            undone_by=("ALTER TABLE site_place NO INHERIT base", "DROP TABLE base"),
        ):
            Place.objects.create(pk=1, a=1)
            page = Page("/places/")
            assert page.moves(lambda: execute("UPDATE base SET a = 5"))
            assert page.moves(lambda: execute("DELETE FROM base"))
            execute("ALTER TABLE base DISABLE TRIGGER ALL")
            assert not Page("/places/").holds()

    def test_a_model_of_one_partition(self) -> None:
        only_on("postgresql")
        with made(
            "ALTER TABLE site_place RENAME TO place_before",
            "CREATE TABLE base (LIKE place_before, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
            "CREATE TABLE site_place PARTITION OF base FOR VALUES FROM (0) TO (100)",
            "CREATE TABLE high PARTITION OF base FOR VALUES FROM (100) TO (200)",
            undone_by=("DROP TABLE base", "ALTER TABLE place_before RENAME TO site_place"),
        ):
            page = Page("/places/")
            for write in (
                "INSERT INTO base VALUES (1, 0, 0, 0), (101, 0, 0, 0)",
                "UPDATE base SET a = 5",
                "UPDATE base SET id = 2 WHERE id = 101",
                "DELETE FROM base WHERE id = 2",
                "TRUNCATE base",
            ):
                assert page.moves(lambda write=write: execute(write)), write  # type: ignore[misc]


class TestTypes:
    """What is changed beside a table, and reaches its rows."""

    @pytest.mark.parametrize(
        "statement",
        [
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'glad'",
            "DROP TYPE mood CASCADE",
            "REVOKE ALL ON site_place FROM PUBLIC",
        ],
    )
    def test_it_moves_everything(self, statement: str) -> None:
        only_on("postgresql")
        with made(
            "CREATE TYPE mood AS ENUM ('sad')",
            "ALTER TABLE site_place ADD COLUMN mood mood DEFAULT 'sad'",
            undone_by=(
                "ALTER TABLE site_place DROP COLUMN IF EXISTS mood",
                "DROP TYPE IF EXISTS mood",
            ),
        ):
            Place.objects.create(pk=1)
            page = Page(query="SELECT * FROM site_place")
            assert page.moves(lambda: execute(statement))

    def test_triggers_that_go_along_with_their_functions(self) -> None:
        only_on("postgresql")
        Place.objects.create(pk=1)
        page = Page("/places/")
        assert page.holds()
        for state in states(connection, all_tables(connection), {"site_place"}):
            for trigger in state.expected:
                execute(f"DROP ROUTINE {trigger.name} CASCADE")
        execute("UPDATE site_place SET a = 9")
        assert not page.holds()


class TestRowSecurity:
    """A policy's conditions are asked with every query."""

    @pytest.fixture(autouse=True)
    def policies(self, log: None) -> Iterator[None]:
        only_on("postgresql")
        options = connection.settings_dict["OPTIONS"]
        with made(
            "CREATE ROLE notmodified_reader",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO notmodified_reader",
            "ALTER TABLE site_place ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY members ON site_place USING (EXISTS (SELECT 1 FROM site_club c "
            "WHERE c.name = CURRENT_USER AND c.id = site_place.a))",
            undone_by=(
                "DROP POLICY members ON site_place",
                "DROP POLICY IF EXISTS readers ON site_place",
                "DROP POLICY IF EXISTS writers ON site_place",
                "ALTER TABLE site_place DISABLE ROW LEVEL SECURITY",
                "DROP OWNED BY notmodified_reader",
                "DROP ROLE notmodified_reader",
            ),
        ):
            Place.objects.create(pk=1, a=1)
            options["assume_role"] = "notmodified_reader"
            connection.close()
            databases.forget()
            yield
            options.pop("assume_role", None)
            connection.close()

    def test_a_condition_that_comes_true(self) -> None:
        page = Page("/places/")
        assert Visitor().get("/places/").content == b"[]"
        assert page.moves(lambda: Club.objects.create(pk=1, name="notmodified_reader"))
        assert Visitor().get("/places/").content == b"[(1, 1)]"
        assert page.moves(lambda: Club.objects.update(name="nobody"))
        assert Visitor().get("/places/").content == b"[]"

    def test_a_condition_for_those_who_lock(self) -> None:
        """They see only what they might update."""
        options = connection.settings_dict["OPTIONS"]
        role = options.pop("assume_role")
        connection.close()
        execute("CREATE POLICY readers ON site_place FOR SELECT USING (true)")
        execute(
            "ALTER POLICY members ON site_place USING (false); "
            "CREATE POLICY writers ON site_place FOR UPDATE USING "
            "(EXISTS (SELECT 1 FROM site_club WHERE site_club.id = site_place.a))"
        )
        options["assume_role"] = role
        connection.close()
        page = Page("/locked/")
        assert Visitor().get("/locked/").content == b"[]"
        assert page.moves(lambda: Club.objects.create(pk=1))
        assert Visitor().get("/locked/").content == b"[(1, 1)]"

    def test_a_condition_that_nobody_can_follow(self) -> None:
        connection.close()
        del connection.settings_dict["OPTIONS"]["assume_role"]
        execute(
            "CREATE POLICY tenants ON site_place USING (current_setting('app.x', true) = b::text)"
        )
        connection.settings_dict["OPTIONS"]["assume_role"] = "notmodified_reader"
        connection.close()
        page = Page("/places/")
        assert not page.holds()
        assert "CURRENT_SETTING" in page.reason.upper()


def test_who_is_above_and_below() -> None:
    """The states of a family name each of its tables."""
    only_on("postgresql")
    with made("CREATE TABLE annex () INHERITS (site_place)", undone_by=("DROP TABLE annex",)):
        found = {state.table for state in states(connection, all_tables(connection))}
        assert {"annex", "site_place"} <= found
