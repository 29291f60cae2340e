"""The Django app: what it does once the models are loaded, and after ``migrate``."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

logger = logging.getLogger("notmodified")


class NotModifiedConfig(AppConfig):
    name = "notmodified"
    verbose_name = "Not modified"

    def ready(self) -> None:
        from notmodified import checks as ours
        from notmodified.reads import cursors, others
        from notmodified.writes.watch import watch_all

        checks.register(ours.check_settings)
        checks.register(ours.check_middleware)
        checks.register(ours.check_cache)
        checks.register(ours.check_build, deploy=True)
        checks.register(ours.check_triggers, checks.Tags.database)
        watch_all()
        cursors.install()
        others.install()
        connection_created.connect(_prepare, dispatch_uid="notmodified.triggers")
        pre_migrate.connect(_clear_the_way, dispatch_uid="notmodified.triggers")
        post_migrate.connect(_keep_triggers, dispatch_uid="notmodified.triggers")


def _prepare(*, connection: Any, **kwargs: Any) -> None:
    from notmodified.writes.triggers.sqlite import drop_before_schema_changes

    if connection.vendor == "sqlite":
        drop_before_schema_changes(connection)


_GETS_IN_THE_WAY = ("AlterModelTable", "DeleteModel", "RemoveField", "RenameField", "RenameModel")
"""Operations after which a trigger that names what has gone would break every write."""


def _clear_the_way(*, using: str, plan: Any = (), **kwargs: Any) -> None:
    """Before ``migrate`` changes tables that triggers name.

    While they are gone, pages that depend on them have no validator; when they come back, every
    version moves.
    """
    from notmodified.writes.triggers.install import uninstall

    names = {type(one).__name__ for migration, _ in plan or () for one in migration.operations}
    if not names.isdisjoint(_GETS_IN_THE_WAY):
        uninstall(connections[using])


def _keep_triggers(*, app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """After ``migrate``, which says so once per app."""
    from notmodified.writes.triggers.declare import models_with_versions
    from notmodified.writes.triggers.install import install

    models = [model for model in models_with_versions() if model._meta.app_config is app_config]
    for refused in install(connections[using], models) if models else ():
        logger.warning(
            "notmodified: the database did not let us create the triggers of %s: %s\n"
            "Until they exist, pages that depend on it have no validator. An owner of the "
            "database can run:\n%s",
            refused.model._meta.label,
            refused.error,
            ";\n".join(refused.sql) + ";",
        )
