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
        from notmodified.writes.watch import may_write_anything, watch_all

        checks.register(ours.check_settings)
        checks.register(ours.check_middleware)
        checks.register(ours.check_cache)
        checks.register(ours.check_build, deploy=True)
        checks.register(ours.check_findings)
        checks.register(ours.check_triggers, checks.Tags.database)
        checks.register(ours.check_log, checks.Tags.database)
        checks.register(ours.check_charge, checks.Tags.database)
        watch_all()
        cursors.install(may_write_anything)
        others.install()
        connection_created.connect(_prepare, dispatch_uid="notmodified.triggers")
        pre_migrate.connect(_clear_the_way, dispatch_uid="notmodified.triggers")
        post_migrate.connect(_keep_triggers, dispatch_uid="notmodified.triggers")
        pre_migrate.connect(_clear_the_log, dispatch_uid="notmodified.log")
        post_migrate.connect(_keep_log, dispatch_uid="notmodified.log")


def _prepare(*, connection: Any, **kwargs: Any) -> None:
    from notmodified.writes.triggers.sqlite import drop_before_schema_changes

    if connection.vendor == "sqlite":
        drop_before_schema_changes(connection)


_GETS_IN_THE_WAY = ("AlterModelTable", "DeleteModel", "RemoveField", "RenameField", "RenameModel")
"""Operations after which a trigger that names what has gone would break every write."""
_GETS_IN_THE_WAY_OF_THE_LOG = (
    *(*_GETS_IN_THE_WAY, "AlterField", "AlterOrderWithRespectTo"),
    *("RunSQL", "SeparateDatabaseAndState"),
)
"""The same for triggers that name a table's own indexed columns."""


def _clear_the_way(*, using: str, plan: Any = (), **kwargs: Any) -> None:
    """Before ``migrate`` changes tables that triggers name.

    While they are gone, pages that depend on them have no validator; when they come back, every
    version moves.
    """
    from notmodified.writes.triggers.install import uninstall

    names = {type(one).__name__ for migration, _ in plan or () for one in migration.operations}
    if not names.isdisjoint(_GETS_IN_THE_WAY):
        uninstall(connections[using])


def _clear_the_log(*, app_config: AppConfig, using: str, plan: Any = (), **kwargs: Any) -> None:
    """The same for the triggers of the log, each app's before it is changed; and whatever the
    migrations do to the tables, everything has moved before and after."""
    from notmodified.writes.log import install

    connection = connections[using]
    operations = [
        type(one).__name__
        for migration, _ in plan or ()
        if migration.app_label == app_config.label
        for one in migration.operations
    ]
    if not operations or not install.is_supported(connection):
        return
    install.bump(connection)
    if not set(operations).isdisjoint(_GETS_IN_THE_WAY_OF_THE_LOG):
        install.uninstall(connection, _tables_of(app_config))


def _tables_of(app_config: AppConfig) -> set[str]:
    from notmodified.sql.schema import schema_of

    return set(schema_of(app_config.get_models(include_auto_created=True)))


def _keep_log(*, app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """After ``migrate``, which says so once per app, and says what it did; ``flush`` does not."""
    from notmodified.middleware import is_automatic
    from notmodified.records.databases import all_tables
    from notmodified.writes.log import install

    connection = connections[using]
    if "plan" not in kwargs or not is_automatic() or not install.is_supported(connection):
        return
    for refused in install.install(connection, all_tables(connection), _tables_of(app_config)):
        logger.warning(
            "notmodified: the database did not let us create the triggers of the table %s: %s\n"
            "Until they exist, no page that reads it is answered without its view. An owner of "
            "the database can run:\n%s",
            refused.table,
            refused.error,
            ";\n".join(refused.sql) + ";",
        )
    if kwargs["plan"]:
        install.bump(connection)


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
