"""The log's triggers on MariaDB, where it differs from others."""

from __future__ import annotations

import pytest
from django.db import connection

from notmodified.records.databases import all_tables
from notmodified.sql.schema import Column, Table, schema_of
from notmodified.sql.values import Kind
from notmodified.writes.log.install import install
from tests.site.models import Shelf, Ticket
from tests.site.pages import execute, only_on
from tests.writes.log.harness import moved_by


@pytest.fixture(autouse=True)
def here() -> None:
    only_on("mysql")


@pytest.mark.parametrize(
    "statement",
    [
        "REPLACE INTO site_ticket (id, code, holder, version) VALUES (2, 5, '', 1)",
        (
            "INSERT INTO site_ticket (id, code, holder, version) VALUES (2, 5, '', 1) "
            "ON DUPLICATE KEY UPDATE holder = 'x'"
        ),
    ],
)
def test_what_stands_in_the_way(statement: str) -> None:
    Shelf.objects.create(pk=7)
    Ticket.objects.create(pk=1, code=5, shelf_id=7)
    moves = moved_by(lambda: execute(statement))
    assert {"site_ticket.id.1", "site_ticket.shelf_id.7", "site_ticket.code.5"} <= moves


def test_what_the_database_deletes_along() -> None:
    shelf = schema_of([Shelf])["site_shelf"]
    execute(
        "CREATE TABLE odd (id BIGINT PRIMARY KEY, shelf_id BIGINT, "
        "FOREIGN KEY (shelf_id) REFERENCES site_shelf (id) ON DELETE CASCADE) ENGINE=InnoDB"
    )
    odd = Table("odd", frozenset({"id", "shelf_id"}), shelf.narrowing)
    assert install(connection, {"site_shelf": shelf, "odd": odd}) == []
    Shelf.objects.create(pk=7)
    execute("INSERT INTO odd VALUES (1, 7)")
    assert {"odd", "odd.*"} <= moved_by(lambda: execute("DELETE FROM site_shelf WHERE id = 7"))


def test_a_key_with_zeros_in_front_does_not_narrow() -> None:
    """It would be written down as ``00001``, and asked for as ``1``."""
    execute("ALTER TABLE site_place MODIFY id INT(5) ZEROFILL NOT NULL AUTO_INCREMENT")
    try:
        assert "id" not in all_tables(connection)["site_place"].narrowing
        assert "id" in all_tables(connection)["site_shelf"].narrowing
    finally:
        execute("ALTER TABLE site_place MODIFY id BIGINT NOT NULL AUTO_INCREMENT")


def test_a_uuid_in_a_charset_that_lacks_the_name_of_its_table() -> None:
    execute(
        "CREATE TABLE `Ж` (id BIGINT PRIMARY KEY, a CHAR(32) CHARACTER SET ascii) ENGINE=InnoDB"
    )
    try:
        uuid = Column("a", Kind.UUID)
        install(connection, {"ж": Table("Ж", frozenset({"id", "a"}), {"a": uuid})})
        execute("INSERT INTO `Ж` VALUES (1, 'ABCDEF')")
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM notmodified_log WHERE `key` LIKE '%%abcdef'", [])
            assert cursor.fetchone() == (1,)
    finally:
        execute("DROP TABLE `Ж`")
