"""The log, installed for each test and taken away again."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from notmodified.writes.log.install import install, uninstall
from tests.reads.harness import schema
from tests.site.pages import execute


@pytest.fixture(autouse=True)
def log(request: Any, transactional_db: None) -> Iterator[None]:
    if "without_log" not in request.keywords:
        install(connection, schema())
    yield
    uninstall(connection)
    for table in ("notmodified_log", "notmodified_ledger", "odd"):
        execute(f"DROP TABLE IF EXISTS {table}")
