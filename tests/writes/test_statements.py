"""`statements`: from the text of a statement to what it writes."""

from __future__ import annotations

import pytest

from notmodified.writes.statements import Write, may_write, writes_of

VENDORS = ("sqlite", "postgresql", "mysql")


def only(sql: str, vendor: str = "sqlite") -> Write:
    found = writes_of(sql, vendor)
    assert found is not None
    [write] = found
    return write


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("condition", "parameters", "rows"),
    [
        ("id = %s", [7], [7]),
        ("(id = %s)", [7], [7]),
        ("t.id = %s", [7], [7]),
        ("id = 7", [], [7]),
        ("id IN (%s, %s)", [7, 8], [7, 8]),
        ("id IN (7, 8)", [], [7, 8]),
        ("a = %s AND id = %s", [1, 7], [7]),
        ("(a = 1 OR b = 2) AND id = %s", [7], [7]),
        ("title = '100%%' AND id = %s", [7], [7]),
        ("title LIKE 'it''s %%' AND id = %s", [7], [7]),
        # What is not understood, may be any row.
        ("id = %s OR a = %s", [7, 1], None),
        ("a = 1 AND b = 2 OR id = %s", [7], None),
        ("NOT id = %s", [7], None),
        ("id <> %s", [7], None),
        ("id > %s", [7], None),
        ("id = %s + 1", [7], None),
        ("id + 0 = %s", [7], None),
        ("id = a", [], None),
        ("id IS NULL", [], None),
        ("id IN (%s, a)", [7], None),
        ("id IN (SELECT id FROM u)", [], None),
        ("id NOT IN (%s)", [7], None),
        ("id BETWEEN 1 AND 7", [], None),
        ("a = %s", [7], None),
        ("EXISTS (SELECT 1 FROM u WHERE id = %s)", [7], None),
        ("(id = %s) = (a = 1)", [7], None),
        ("CASE WHEN id = %s THEN a = 1 ELSE b = 1 END", [7], None),
    ],
)
def test_the_rows_that_a_condition_names(
    condition: str, parameters: list[int], rows: list[int] | None, vendor: str
) -> None:
    for sql in (f"UPDATE t SET a = a + 1 WHERE {condition}", f"DELETE FROM t WHERE {condition}"):
        found = writes_of(sql, vendor)
        if found is None and rows is None:
            continue
        write = only(sql, vendor)
        assert write.table == "t"
        assert write.rows("id", parameters) == rows


def test_parameters_before_the_condition_count() -> None:
    write = only("UPDATE t SET a = %s, b = %s WHERE c = %s AND id = %s")
    assert write.rows("id", [1, 2, 3, 7]) == [7]
    assert write.rows("c", [1, 2, 3, 7]) == [3]
    assert write.rows("id", None) is None
    assert write.rows("id", [1]) is None


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE t SET fk = %s WHERE id = 1", [7]),
        ("UPDATE t SET fk = 7 WHERE id = 1", [7]),
        ("UPDATE t SET a = %s WHERE id = 1", []),
        ("INSERT INTO t (fk, a) VALUES (%s, 1), (%s, 2)", [7, 8]),
        ("DELETE FROM t WHERE fk = 7", []),
        # Any value.
        ("UPDATE t SET fk = fk + 1", None),
        ("UPDATE t SET fk = a", None),
        ("UPDATE t SET fk = (SELECT 1)", None),
        ("UPDATE t SET fk = CASE WHEN id = 1 THEN 7 ELSE fk END", None),
        ("INSERT INTO t VALUES (%s, %s)", None),
        ("INSERT INTO t (fk, a) SELECT fk, a FROM u", None),
    ],
)
def test_the_values_that_a_column_gets(sql: str, values: list[int] | None, vendor: str) -> None:
    assert only(sql, vendor).new_values("fk", [7, 8]) == values


@pytest.mark.parametrize(
    ("sql", "vendor"),
    [
        ("INSERT INTO t (id, fk) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET fk = 3", "sqlite"),
        (
            "INSERT INTO t (id, fk) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET fk = 3",
            "postgresql",
        ),
        ("INSERT INTO t (id, fk) VALUES (1, 2) ON DUPLICATE KEY UPDATE fk = 3", "mysql"),
        ("INSERT OR REPLACE INTO t (id, fk) VALUES (1, 2)", "sqlite"),
        ("UPDATE t SET fk = u.a FROM u WHERE u.id = 1", "postgresql"),
        ("UPDATE t SET fk = u.a FROM u WHERE u.id = 1", "sqlite"),
        ("UPDATE t, u SET t.fk = 1 WHERE u.id = 1", "mysql"),
        ("UPDATE t JOIN u ON t.id = u.t SET t.fk = 1 WHERE u.id = 1", "mysql"),
        ("WITH x AS (UPDATE t SET fk = 1 RETURNING id) SELECT * FROM x", "postgresql"),
        ("REPLACE INTO t (id, fk) VALUES (1, 2)", "mysql"),
        ("REPLACE INTO t (id, fk) VALUES (1, 2)", "sqlite"),
    ],
)
def test_what_may_write_any_row_to_any_set(sql: str, vendor: str) -> None:
    found = writes_of(sql, vendor)
    if found is not None:
        write = next(write for write in found if write.table == "t")
        assert write.rows("id", []) is None
        assert write.new_values("fk", []) is None
        assert write.deletes or not write.inserts


@pytest.mark.parametrize(
    ("sql", "vendor", "tables"),
    [
        ("DELETE FROM t USING u WHERE u.id = 1 AND t.u = u.id", "postgresql", {"t"}),
        ("DELETE t FROM t INNER JOIN u ON t.u = u.id WHERE u.id = 1", "mysql", {"t"}),
        ("DELETE t, u FROM t INNER JOIN u ON t.u = u.id WHERE u.id = 1", "mysql", {"t", "u"}),
        ("UPDATE t, u SET t.a = 1, u.a = 1 WHERE t.id = u.id", "mysql", {"t", "u"}),
        ("WITH x AS (DELETE FROM u RETURNING id) DELETE FROM t", "postgresql", {"t", "u"}),
        ('UPDATE "T" SET a = 1', "sqlite", {"t"}),
        ('UPDATE main."t" SET a = 1', "sqlite", {"t"}),
        ("UPDATE `t` SET a = 1", "mysql", {"t"}),
        ("UPDATE ONLY t SET a = 1", "postgresql", {"t"}),
    ],
)
def test_every_table_that_is_written(sql: str, vendor: str, tables: set[str]) -> None:
    found = writes_of(sql, vendor)
    if found is not None:
        assert tables <= {write.table for write in found}
        assert all(write.rows("id", []) is None for write in found)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t WHERE id = %s",
        "SELECT * FROM t FOR UPDATE",
        "SELECT 'DELETE FROM t'",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SAVEPOINT s",
        "ROLLBACK TO SAVEPOINT s",
        "BEGIN",
        "/* a comment */ SELECT 1",
        "-- a comment\nSELECT 1",
    ],
)
def test_what_writes_nothing(sql: str, vendor: str) -> None:
    assert writes_of(sql, vendor) == ()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE t",
        "DROP TABLE t",
        "CREATE TABLE t (a int)",
        "ALTER TABLE t ADD COLUMN a int",
        "CALL procedure()",
        "COPY t FROM STDIN",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "DO $$ BEGIN UPDATE t SET a = 1; END $$",
        "EXPLAIN ANALYZE UPDATE t SET a = 1",
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE",
        "SELECT 1; UPDATE t SET a = 1",
        "UPDATE u SET a = 1; UPDATE t SET a = 1",
        "BEGIN; UPDATE t SET a = 1; COMMIT",
        "EXECUTE prepared",
        "this is no SQL",
        "",
    ],
)
def test_what_may_write_anything(sql: str, vendor: str) -> None:
    assert writes_of(sql, vendor) is None


def test_a_placeholder_in_quotes_is_one_of_the_parameters_or_nothing_is_known() -> None:
    for vendor in ("postgresql", "mysql"):
        found = writes_of("UPDATE t SET a = '%s' WHERE id = %s", vendor)
        if found is not None:
            assert found[0].rows("id", [5, 7]) in (None, [7])


def test_a_text_is_parsed_once() -> None:
    sql = "UPDATE t SET a = %s WHERE id = %s"
    assert writes_of(sql, "sqlite") is writes_of(sql, "sqlite")


READING = [
    "SELECT 1",
    'SELECT "a"."price"::numeric(10, 2), COUNT(*) FROM "a" WHERE ("a"."id" IN (%s, %s))',
    "SELECT MAX(x) OVER (PARTITION BY y) FROM a;",
    "/* why */ SELECT upper (name) FROM a",
    "SAVEPOINT s1",
    "ROLLBACK TO SAVEPOINT s1",
    "SET TIME ZONE 'UTC'",
    "SELECT pg_catalog.pg_table_is_visible(c.oid) FROM pg_catalog.pg_class c",
]
WRITING = [
    "UPDATE a SET b = 1",
    "SET lock_timeout = '3s'; ALTER TABLE a ALTER b TYPE int",
    "BEGIN; DROP TABLE a; COMMIT",
    "SELECT 1; EXECUTE p",
    "EXPLAIN ANALYZE EXECUTE p",
    "SET STATEMENT max_statement_time = 60 FOR ALTER TABLE a ADD b int",
    "SELECT änderung_buchen(5)",
    'SELECT "öl"(5)',
    "SELECT book_it/**/(5)",
    "SELECT book_it -- so\n (5)",
    "SELECT 1st_write(5)",
    'SELECT "book-count"(1)',
    "SELECT f$length(1)",
    "SELECT `add it up and count`(5)",
    "SELECT mine.count(5)",
    "CALL p()",
    "DO 'x'",
    "COPY a FROM STDIN",
    "REFRESH MATERIALIZED VIEW v",
    "VACUUM",
    "ANALYZE a",
    "PRAGMA writable_schema = ON",
]


@pytest.mark.parametrize("sql", READING)
def test_what_may_write_nothing_at_all(sql: str) -> None:
    assert not may_write(sql, "postgresql")


@pytest.mark.parametrize("sql", WRITING)
def test_what_may_write_something(sql: str) -> None:
    """Also by a function, or as the second of several."""
    assert may_write(sql, "postgresql")
