"""The log's triggers on PostgreSQL, where it differs from others."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.site.models import Shelf
from tests.site.pages import execute, only_on
from tests.writes.log.harness import moved_by


@pytest.fixture(autouse=True)
def here() -> None:
    only_on("postgresql")


def test_rows_from_a_query_and_from_copy() -> None:
    Shelf.objects.create(pk=1)
    insert = "INSERT INTO site_ticket (id, code, holder, version, shelf_id) "
    insert += "SELECT g, g, '', 1, 1 FROM generate_series(5, 6) g"
    moves = moved_by(lambda: execute(insert))
    assert {"site_ticket.id.5", "site_ticket.id.6", "site_ticket.shelf_id.1"} <= moves

    def copy() -> None:
        with connection.cursor() as cursor, cursor.copy("COPY site_tag FROM STDIN") as rows:
            rows.write_row((7, "x"))

    assert moved_by(copy) == {"site_tag", "site_tag.+", "site_tag.id.7"}


def test_truncate_moves_every_row() -> None:
    moves = moved_by(lambda: execute("TRUNCATE site_tag CASCADE"))
    assert {"site_tag", "site_tag.*", "site_book_tags.*"} <= moves
