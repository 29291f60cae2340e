"""The project as an app: its templates, and what every database connection gets."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def use_wal(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """SQLite with a write-ahead log: readers do not wait for a writer."""
    if connection.vendor == "sqlite":
        # On the driver's connection: they are not the request's queries, and not counted.
        connection.connection.execute("PRAGMA journal_mode = WAL")
        connection.connection.execute("PRAGMA synchronous = NORMAL")


class ColoursConfig(AppConfig):
    name = "colours"

    def ready(self) -> None:
        from colours.timing import count_queries

        connection_created.connect(use_wal, dispatch_uid="colours.wal")
        connection_created.connect(count_queries, dispatch_uid="colours.count")
