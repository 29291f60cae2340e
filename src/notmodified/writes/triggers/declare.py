"""What must move when which table is written, in words of tables and columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from notmodified.fields import VersionField, version_field_of


@dataclass(frozen=True, slots=True)
class Versioned:
    """A table whose rows carry their version in `column`, and have the primary key `key`."""

    table: str
    key: str
    column: str


@dataclass(frozen=True, slots=True)
class Part:
    """A table whose rows are part of a versioned row: `reference` in it equals `key` of the whole.

    Such are the tables of its many-to-many relations, and those of its parents and subclasses.
    `own_key` is the table's own primary key.
    """

    table: str
    reference: str
    whole: Versioned
    key: str
    own_key: str


def declared(using_model: type[models.Model]) -> tuple[Versioned, tuple[Part, ...]] | None:
    """What to keep for a model that has a version field of its own; ``None`` for others."""
    field = version_field_of(using_model)
    meta = using_model._meta
    if field is None or meta.abstract or meta.proxy or field not in meta.local_fields:
        return None
    whole = Versioned(meta.db_table, str(meta.pk.column), str(field.column))
    return whole, tuple(dict.fromkeys(_parts(using_model, whole)))


def tables_of(model: type[models.Model]) -> set[str]:
    """The tables that hold an instance of `model` and the relations it declares."""
    relations: list[Any] = list(model._meta.many_to_many)
    throughs = {many.remote_field.through._meta.db_table for many in relations}
    parents = {parent._meta.db_table for parent in model._meta.get_parent_list()}
    return throughs | parents | {model._meta.db_table}


def _parts(model: type[models.Model], whole: Versioned) -> Iterator[Part]:
    yield from _relations(model, whole)
    yield from _parents(model, whole, None)
    yield from _subclasses(model, whole)


def _relations(model: type[models.Model], whole: Versioned) -> Iterator[Part]:
    for many in model._meta.local_many_to_many:
        through: Any = many.remote_field.through
        reference = through._meta.get_field(many.m2m_field_name())
        yield _part(through, reference, whole, whole.key)


def _parents(model: type[models.Model], whole: Versioned, key: str | None) -> Iterator[Part]:
    """The tables above; `key` is the whole's column for all above a parent that shares its key."""
    for parent, link in _own_links(model):
        column = key or str(link.column)
        yield _part(parent, parent._meta.pk, whole, column)
        if _shares_key(parent):
            yield from _parents(parent, whole, column)


def _subclasses(model: type[models.Model], whole: Versioned) -> Iterator[Part]:
    """The tables below, as far as they share the key of the whole."""
    for child in apps.get_models():
        for parent, link in _own_links(child):
            if parent is model:
                yield _part(child, link, whole, whole.key)
                if child._meta.pk is link:
                    yield from _relations(child, whole)
                    yield from _subclasses(child, whole)


def _part(model: type[models.Model], reference: Any, whole: Versioned, key: str) -> Part:
    meta = model._meta
    return Part(meta.db_table, str(reference.column), whole, key, str(meta.pk.column))


def _own_links(model: type[models.Model]) -> list[tuple[type[models.Model], Any]]:
    """The parents of `model` to which a column of its own table leads."""
    if model._meta.proxy:
        return []
    links: dict[Any, Any] = model._meta.parents
    return [(parent, link) for parent, link in links.items() if link in model._meta.local_fields]


def _shares_key(model: type[models.Model]) -> bool:
    """Whether the primary key of `model` is that of its one parent."""
    return [link for _, link in _own_links(model)] == [model._meta.pk]


def models_with_versions() -> Iterator[type[models.Model]]:
    """The installed models that have a version field of their own."""
    for model in apps.get_models(include_auto_created=True):
        if any(isinstance(field, VersionField) for field in model._meta.local_fields):
            yield model
