# ruff: noqa: E501, ISC004 (a table of queries is read along its lines)
"""`plans`: from the text of a query to what its result depends on."""

from __future__ import annotations

import pytest

from notmodified.reads.analysis import NotProvableError
from notmodified.reads.plans import Planner
from notmodified.sql.dependencies import SEPARATOR, Dependency
from notmodified.sql.schema import Column, Table
from notmodified.sql.values import Kind

KEY, REFERENCE = Column("id", Kind.INTEGER, unique=True), Column("shelf_id", Kind.INTEGER)
SCHEMA = {
    "book": Table(
        "book", frozenset({"id", "title", "shelf_id"}), {"id": KEY, "shelf_id": REFERENCE}
    ),
    "shelf": Table("shelf", frozenset({"id", "name"}), {"id": KEY}),
    "box": Table("box", frozenset({"id"}), {"id": Column("id", Kind.UUID, unique=True)}),
}
VENDORS = ("sqlite", "postgresql", "mysql")


def needs(sql: str, *parameters: object, vendor: str = "sqlite") -> set[str]:
    """The dependencies as texts: ``book``, ``book.id=5`` (and with it, silently, every row of ``book``)."""
    keys = Planner(vendor, SCHEMA).read(sql, parameters).keys
    found = {Dependency(*key.split(SEPARATOR)) for key in keys}
    stars = {one.table for one in found if one.column == "*"}
    texts = set()
    for table, column, value in found - {Dependency(star, "*") for star in stars}:
        assert column is None or table in stars
        texts.add(table if column is None else f"{table}.{column}={value}")
    return texts


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT * FROM book", [], "book"),
        ("SELECT * FROM book WHERE id = %s", [5], "book.id=5"),
        ("SELECT * FROM book WHERE %s = id", [5], "book.id=5"),
        ("SELECT * FROM book WHERE id = 5", [], "book.id=5"),
        ("SELECT * FROM BOOK WHERE BOOK.ID = %s", [5], "book.id=5"),
        ("SELECT * FROM book WHERE (id IN (%s, %s))", [5, 6], "book.id=5 book.id=6"),
        ("SELECT * FROM book WHERE id = %s AND title = %s", [5, "a"], "book.id=5"),
        ("SELECT * FROM book WHERE id = %s OR title = %s", [5, "a"], "book"),
        ("SELECT * FROM book WHERE id = %s OR shelf_id = %s", [5, 6], "book.id=5 book.shelf_id=6"),
        ("SELECT * FROM book WHERE NOT id = %s", [5], "book"),
        ("SELECT * FROM book WHERE id > %s", [5], "book"),
        ("SELECT * FROM book WHERE id IS NULL", [], "book"),
        ("SELECT * FROM book WHERE id + 1 = %s", [5], "book"),
        ("SELECT * FROM book WHERE shelf_id = %s AND id = %s", [5, 6], "book.id=6"),
        ("SELECT * FROM book WHERE id = %s", [None], ""),
        ("SELECT * FROM book WHERE id = %s", [5.5], "book"),
        ("SELECT * FROM book WHERE id = %s", ["5"], "book.id=5"),
        ("SELECT * FROM book WHERE id = %s", ["5a"], "book"),
        ("SELECT * FROM book WHERE id = %s", ["9" * 5000], "book"),
        ("SELECT COUNT(*) FROM book WHERE shelf_id = %s", [5], "book.shelf_id=5"),
        ("SELECT 1", [], ""),
    ],
)
def test_one_table(vendor: str, sql: str, parameters: list[object], expected: str) -> None:
    assert needs(sql, *parameters, vendor=vendor) == set(expected.split())


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # A value crosses an equality.
        ("FROM book b JOIN shelf s ON s.id = b.shelf_id WHERE s.id = 5", "book.shelf_id=5 shelf.id=5"),
        ("FROM book b, shelf s WHERE s.id = b.shelf_id AND s.id = 5", "book.shelf_id=5 shelf.id=5"),
        ("FROM book b JOIN shelf s ON s.id = b.shelf_id AND s.id = 5", "book.shelf_id=5 shelf.id=5"),
        # The preserved side of a LEFT join survives without a partner.
        ("FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id AND b.id = 5", "shelf book.id=5"),
        ("FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id AND s.id = 5", "shelf book.shelf_id=5"),
        ("FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id WHERE s.id = 5", "shelf.id=5 book.shelf_id=5"),
        # Unless something is said of the partner.
        ("FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id WHERE b.shelf_id = 5", "shelf.id=5 book.shelf_id=5"),
        ("FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id WHERE b.id IS NULL", "shelf book"),
        # Values of different kinds are not carried over.
        ("FROM book b JOIN box x ON x.id = b.shelf_id WHERE b.shelf_id = 5", "book.shelf_id=5 box"),
        # A column that may belong to either says nothing.
        ("FROM book b JOIN shelf s ON s.id = b.shelf_id WHERE title = 5", "book shelf"),
    ],
)  # fmt: skip
def test_joins(vendor: str, sql: str, expected: str) -> None:
    assert needs(f"SELECT 1 {sql}", vendor=vendor) == set(expected.split())


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SELECT (SELECT COUNT(*) FROM book b WHERE b.shelf_id = s.id) FROM shelf s WHERE s.id = 5",
            "shelf.id=5 book.shelf_id=5",
        ),
        (
            "SELECT 1 FROM shelf s WHERE s.id = 5 "
            "OR EXISTS (SELECT 1 FROM book b WHERE b.shelf_id = s.id)",
            "shelf book",
        ),
        ("SELECT 1 FROM book WHERE shelf_id IN (SELECT id FROM shelf WHERE id = 5)", "book shelf.id=5"),
        ("SELECT id FROM book WHERE id = 5 UNION SELECT id FROM shelf", "book.id=5 shelf"),
        ("WITH c AS (SELECT id FROM book WHERE id = 5) SELECT * FROM c", "book.id=5"),
        ("WITH book AS (SELECT id FROM shelf) SELECT * FROM book WHERE id = 5", "shelf"),
        ("SELECT * FROM (SELECT id FROM book WHERE id = 5) d", "book.id=5"),
        # The inner alias hides the outer one.
        (
            "SELECT (SELECT 1 FROM book s WHERE s.shelf_id = s.id) FROM shelf s WHERE s.id = 5",
            "shelf.id=5 book",
        ),
    ],
)  # fmt: skip
def test_queries_in_queries(vendor: str, sql: str, expected: str) -> None:
    assert needs(sql, vendor=vendor) == set(expected.split())


def test_uuids_are_the_same_however_they_are_written() -> None:
    text = "6f1c3f4e-8f0b-4d7c-9a52-2d0a3a8f0c11"
    written = needs("SELECT 1 FROM box WHERE id = %s", text)
    assert written == needs("SELECT 1 FROM box WHERE id = %s", text.replace("-", "").upper())
    assert needs("SELECT 1 FROM box WHERE id = %s", "no uuid") == {"box"}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT RANDOM()", "RAND"),
        ("SELECT 1 IN book", "IN with a table"),
        ("SELECT NOW() FROM book", "time of the database"),
        ("SELECT CURRENT_TIMESTAMP", "time of the database"),
        ("SELECT gen_random_uuid()", "UUID"),
        ("SELECT my_function(id) FROM book", "MY_FUNCTION"),
        ("SELECT nextval('book_id_seq')", "NEXTVAL"),
        ("SELECT 1 FROM book WHERE title > 'now'", "the time"),
        ("SELECT * FROM elsewhere", "elsewhere"),
        ("SELECT * FROM other.book", "db"),
        ("SELECT * FROM pg_class", "pg_class"),
        ("SELECT * FROM generate_series(1, 3)", "FROM"),
        ("SELECT * FROM book AS b(title, id) WHERE b.id = 5", "other names"),
        ("SELECT 1 FROM book NATURAL JOIN shelf", "method"),
        ("SELECT 1 FROM book JOIN shelf USING (id)", "using"),
        ("SELECT 1 FROM book RIGHT JOIN shelf ON shelf.id = book.shelf_id", "RIGHT"),
        ("SELECT 1 FROM book FULL JOIN shelf ON shelf.id = book.shelf_id", "FULL"),
        ("SELECT 1 FROM book TABLESAMPLE SYSTEM (1)", "sample"),
        ("SELECT * INTO other FROM book", "into"),
        ("WITH gone AS (DELETE FROM book RETURNING id) SELECT * FROM gone", "delete"),
        ("SELECT '%s'", "a statement of this kind"),
        ("SELECT 1; SELECT 2", "not understood"),
        ("SELEC 1", "of this kind"),
        ("SET search_path = other", "of this kind"),
        ("SHOW server_version", "of this kind"),
        ("PRAGMA data_version", "of this kind"),
        ("CALL something()", "of this kind"),
    ],
)
def test_what_is_not_provable_says_why(sql: str, reason: str) -> None:
    with pytest.raises(NotProvableError, match=f"(?i){reason}"):
        needs(sql, vendor="postgresql")


def test_a_parameter_that_means_the_time_is_not_provable() -> None:
    with pytest.raises(NotProvableError, match="the time"):
        needs("SELECT 1 FROM book WHERE title > %s", " Now")


@pytest.mark.parametrize(
    "sql", ["BEGIN", "COMMIT", "SAVEPOINT s", "RELEASE SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"]
)
def test_transaction_control_reads_nothing(sql: str) -> None:
    assert needs(sql) == set()


@pytest.mark.parametrize(
    "sql", ["UPDATE book SET id = 1", "INSERT INTO book VALUES (1)", "DELETE FROM book"]
)
def test_writes_are_told_apart(sql: str) -> None:
    assert Planner("sqlite", SCHEMA).plan(sql).writes
