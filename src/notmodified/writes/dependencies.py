"""Which dependencies a page names, and which a write moves: the same keys on both sides.

For a watched table there are four kinds of dependency. A page names

- *table*: the table as a whole;
- *row*: one row, by its primary key, and with it the many-to-many relations it declares;
- *members*: the rows whose foreign key has one value, as a set (plus each of its rows);
- *any*: every watched table of the database; it brackets the moment in which a page learns what
  it depends on.

A write moves the table and *any*; the rows it names, or every row; and for each foreign key it
sets, the set of members it adds to, or every set. It need not know the old values: a row that
leaves a set was on the page that depends on it.

Rules of this module:

- Only values whose equality is the same in Python and in every database narrow (``sql.values``).
- A key carries the database's own identity, not only its alias: two projects may share a cache.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver

from notmodified import conf
from notmodified.ledger.tokens import key_of
from notmodified.sql.values import Kind
from notmodified.writes.statements import Write

ANY: Final = "any"


_IDENTITY: Final = {
    "postgresql": "SELECT system_identifier, current_database() FROM pg_control_system()",
    "mysql": "SELECT @@hostname, @@port, @@datadir, DATABASE()",
}


def identity(connection: BaseDatabaseWrapper) -> str:
    """What tells this database from every other that may use the same cache.

    Asked of the server, once per process: two processes may know it by different addresses.
    """
    settings = connection.settings_dict
    key = connection.vendor, settings.get("HOST"), settings.get("PORT"), settings.get("NAME")
    found = _KNOWN.get(key)
    if found is None:
        found = _KNOWN[key] = _ask_identity(connection, str(settings.get("NAME") or ""))
    return found


_KNOWN: Final[dict[tuple[Any, ...], str]] = {}


def _ask_identity(connection: BaseDatabaseWrapper, name: str) -> str:
    question = _IDENTITY.get(connection.vendor)
    if question is None:
        return f"{connection.vendor}\n{os.path.realpath(name)}"
    with connection.cursor() as cursor:
        cursor.execute(question)
        return "\n".join([connection.vendor, *map(str, cursor.fetchone())])


def bare(table: str) -> str:
    """The name of a table alone, in lower case: ``db_table = 'schema"."table'`` names a schema."""
    return re.split(r"""["`]\s*\.\s*["`]""", table.strip('"`'))[-1].lower()


@cache
def watched() -> dict[str, tuple[type[models.Model], ...]]:
    """The watched tables, in lower case, with the models that use each.

    Raises ImproperlyConfigured where ``NOTMODIFIED["WATCH"]`` names no model.
    """
    found: dict[str, set[type[models.Model]]] = {}
    for label in conf.current().WATCH:
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError) as error:
            raise ImproperlyConfigured(
                f'NOTMODIFIED["WATCH"] names {label!r}, which is no installed model: {error} '
                f'Write "app_label.ModelName".'
            ) from error
        for one in _with_tables_of(model):
            found.setdefault(bare(one._meta.db_table), set()).add(one)
    return {
        table: tuple(sorted(users, key=lambda model: model._meta.label))
        for table, users in found.items()
    }


def _with_tables_of(model: type[models.Model]) -> Iterator[type[models.Model]]:
    """`model`, the parents whose tables hold part of it, and its many-to-many tables."""
    yield from model._meta.get_parent_list()
    yield model
    for field in model._meta.many_to_many:
        through: Any = field.remote_field.through
        yield through


@cache
def _throughs() -> frozenset[str]:
    """The watched tables that hold many-to-many relations."""
    relations: list[Any] = [
        field
        for users in watched().values()
        for model in users
        for field in model._meta.many_to_many
    ]
    return frozenset(bare(field.remote_field.through._meta.db_table) for field in relations)


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in ("NOTMODIFIED", "INSTALLED_APPS"):
        watched.cache_clear()
        _throughs.cache_clear()
        _tables_deleted_along.cache_clear()


def canonical(field: models.Field[Any, Any], value: Any) -> str | None:
    """`value` of `field` as text that is equal where the database calls it equal, or ``None``."""
    kind = Kind.of(field)
    return None if kind is None or value is None else kind.canonical(value)


class Keys:
    """Makes the keys of one database's dependencies."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._database = identity(connection)

    def any(self) -> str:
        return key_of(self._database, ANY)

    def table(self, table: str) -> str:
        return key_of(self._database, "table", bare(table))

    def row(self, table: str, pk: str | None) -> str:
        """One row, or with ``None`` every row."""
        return key_of(self._database, "row", bare(table), "*" if pk is None else f"={pk}")

    def members(self, table: str, column: str, value: str | None) -> str:
        """The set of rows with `value` in `column`, or with ``None`` every such set."""
        kind = "*" if value is None else f"={value}"
        return key_of(self._database, "members", bare(table), column.lower(), kind)

    def of_instance(self, instance: models.Model) -> Iterator[str]:
        """What a page depends on that shows `instance`."""
        for model in [*instance._meta.get_parent_list(), type(instance)]:
            meta = model._meta
            pk = canonical(meta.pk, getattr(instance, str(meta.pk.attname)))
            if pk is None:
                yield self.table(meta.db_table)
            else:
                yield self.row(meta.db_table, None)
                yield self.row(meta.db_table, pk)
        relations: Any = instance._meta.many_to_many
        for many in relations:
            through: Any = many.remote_field.through
            yield from self._set_of(
                through, through._meta.get_field(many.m2m_field_name()), instance.pk
            )

    def of_members(
        self, model: type[models.Model], field: models.ForeignKey[Any, Any], value: Any
    ) -> Iterator[str]:
        """What a page depends on that shows the rows of `model` whose `field` is `value`."""
        if model._meta.get_parent_list():
            yield from (self.table(one._meta.db_table) for one in _with_tables_of(model))
        else:
            yield from self._set_of(model, field, value)

    def _set_of(
        self, model: type[models.Model], field: models.ForeignKey[Any, Any], value: Any
    ) -> Iterator[str]:
        table = model._meta.db_table
        text = canonical(field, value)
        if text is None:
            yield self.table(table)
        else:
            yield self.members(table, field.column, None)
            yield self.members(table, field.column, text)

    def moved_by(
        self, writes: Iterable[Write] | None, parameters: Sequence[Any] | None
    ) -> set[str]:
        """What a statement moves; ``None`` for one that may write anything."""
        tables = watched()
        if writes is None:
            keys = {key for table in tables for key in self._all_of(table)}
        else:
            keys = set()
            for write in writes:
                if write.table in tables:
                    keys.update(self._moved_in(write, parameters))
                if write.deletes:
                    for table in _tables_deleted_along(write.table):
                        keys.update(self._all_of(table))
        return keys | {self.any()} if keys else keys

    def _all_of(self, table: str) -> Iterator[str]:
        yield self.table(table)
        yield self.row(table, None)
        for model in watched().get(table, ()):
            for field in _foreign_keys(model):
                yield self.members(table, field.column, None)

    def _moved_in(self, write: Write, parameters: Sequence[Any] | None) -> Iterator[str]:
        yield self.table(write.table)
        if not write.inserts or write.deletes:
            yield from self._rows_of(write, parameters)
        for model in watched()[write.table]:
            for field in _foreign_keys(model):
                yield from self._sets_of(write, field, parameters)

    def _rows_of(self, write: Write, parameters: Sequence[Any] | None) -> Iterator[str]:
        pk = watched()[write.table][0]._meta.pk
        values = write.rows(str(pk.column).lower(), parameters)
        texts = None if values is None else [canonical(pk, value) for value in values]
        if texts is None or None in texts:
            yield self.row(write.table, None)
        else:
            yield from (self.row(write.table, text) for text in texts)

    def _sets_of(
        self,
        write: Write,
        field: models.ForeignKey[Any, Any],
        parameters: Sequence[Any] | None,
    ) -> Iterator[str]:
        column = field.column.lower()
        values = write.new_values(column, parameters)
        if write.inserts and not values:
            values = None
        if values is not None and write.table in _throughs() and not write.inserts:
            # A page that shows a relation does not list its rows, so that a row which leaves the
            # set has to say so by the set.
            left = write.rows(column, parameters)
            values = None if left is None else values + left
        if values is None:
            yield self.members(write.table, column, None)
            return
        for value in values:
            if value is not None:
                yield self.members(write.table, column, canonical(field, value))


def _foreign_keys(model: type[models.Model]) -> Iterator[models.ForeignKey[Any, Any]]:
    for field in model._meta.local_fields:
        if isinstance(field, models.ForeignKey):
            yield field


@cache
def _tables_deleted_along(table: str) -> frozenset[str]:
    """The watched tables whose rows the database itself changes when `table` loses rows.

    Django's own cascades are statements of their own; those of ``DB_CASCADE`` (Django 6.1) are not.
    """
    reached: set[str] = set()
    frontier = {table}
    while frontier:
        lost = {
            bare(model._meta.db_table)
            for model in apps.get_models(include_auto_created=True)
            for field in _foreign_keys(model)
            if bare(field.remote_field.model._meta.db_table) in frontier
            and _acts_in_database(field.remote_field.on_delete)
        }
        frontier = lost - reached
        reached |= lost
    return frozenset(reached & watched().keys())


def _acts_in_database(on_delete: Any) -> bool:
    kind = getattr(models.deletion, "DatabaseOnDelete", None)
    return kind is not None and isinstance(on_delete, kind)
