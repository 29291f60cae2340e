# ruff: noqa: E501 (a table of queries is read along its lines)
"""`fetched`: tables that count only by the rows that are fetched."""

from __future__ import annotations

import pytest

from notmodified.reads.plans import Planner
from notmodified.sql.dependencies import SEPARATOR, SHAPE, Dependency
from tests.reads.test_plans import SCHEMA, VENDORS

JOIN = "FROM book b INNER JOIN shelf s ON b.shelf_id = s.id"
LEFT = "FROM book b LEFT JOIN shelf s ON b.shelf_id = s.id"


def by_rows(sql: str, vendor: str = "sqlite") -> set[str]:
    """Of each table that counts by row: ``shelf.id@1+``, where ``+`` says that its shape counts."""
    keys, rows, _ = Planner(vendor, SCHEMA).read(sql, [])
    found = set()
    for one in rows:
        table, column, _ = one.beginning.split(SEPARATOR)
        shape = Dependency(table, SHAPE).key in keys
        found.add(f"{table}.{column}@{one.at}{'+' * shape}")
    return found


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT b.id, s.name, s.id {JOIN} WHERE b.id = 1", "shelf.id@2+"),
        (f"SELECT b.id, b.shelf_id, s.name {JOIN} WHERE b.id = 1", "shelf.id@1+"),
        (f"SELECT b.id, b.shelf_id, s.name {LEFT} WHERE b.id = 1", "shelf.id@1"),
        ("SELECT b.id, b.shelf_id, s.name FROM book b, shelf s WHERE b.shelf_id = s.id AND b.id = 1", "shelf.id@1+"),
        (f"SELECT b.shelf_id, s.name {JOIN} WHERE b.id = 1 ORDER BY s.name", "shelf.id@0+"),
        # An absent row has no key.
        (f"SELECT b.id, s.id, s.name {LEFT} WHERE b.id = 1", ""),
        # It decides which rows there are.
        (f"SELECT b.shelf_id, s.name {JOIN} WHERE b.id = 1 ORDER BY s.name LIMIT 1", ""),
        (f"SELECT b.shelf_id, s.name {JOIN} WHERE b.id = 1 LIMIT 1 OFFSET 1", ""),
        (f"SELECT b.shelf_id, s.name {JOIN} WHERE b.id = 1 ORDER BY 2 LIMIT 1", ""),
        (f"SELECT b.shelf_id, s.name {JOIN} WHERE b.id = 1 AND s.name = 'a'", ""),
        (f"SELECT b.shelf_id, s.name {LEFT} AND s.name = 'a' WHERE b.id = 1", ""),
        (f"SELECT DISTINCT b.shelf_id, s.name {JOIN} WHERE b.id = 1", ""),
        (f"SELECT b.shelf_id, COUNT(*) {JOIN} WHERE b.id = 1 GROUP BY b.shelf_id", ""),
        (f"SELECT b.shelf_id, (SELECT COUNT(*) FROM box WHERE s.name = 'a') {JOIN} WHERE b.id = 1", ""),
        (f"SELECT b.shelf_id, name {JOIN} WHERE b.id = 1 AND name = 'a'", ""),
        # It decides which rows there are of what is joined to it, and these decide.
        ("SELECT s.id, s.name FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id LEFT JOIN shelf o ON b.id = o.id WHERE o.name = 'a' OR s.name = 'b'", ""),
        ("SELECT s.id, s.name FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id LEFT JOIN shelf o ON b.id = o.id ORDER BY o.name LIMIT 1", ""),
        ("SELECT s.id, b.id, o.name FROM shelf s LEFT JOIN book b ON b.shelf_id = s.id LEFT JOIN shelf o ON b.id = o.id", "book.shelf_id@0 shelf.id@1"),
        # Nobody sees the rows.
        (f"SELECT COUNT(*), MAX(b.shelf_id) {JOIN} WHERE b.id = 1", ""),
        (f"SELECT * {JOIN} WHERE b.id = 1", ""),
        (f"SELECT d.a, d.c FROM (SELECT b.id AS a, b.shelf_id AS c, s.name {JOIN} WHERE b.id = 1) d", ""),
        (f"SELECT b.id, b.shelf_id {JOIN} WHERE b.id = 1 UNION SELECT 1, 1", ""),
    ],
)  # fmt: skip
def test_joins(vendor: str, sql: str, expected: str) -> None:
    assert by_rows(sql, vendor) == set(expected.split())
