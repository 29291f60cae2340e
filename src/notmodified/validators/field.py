"""A version field on the model: one query, no render.

Costs one query that returns one line. Sees every change of the rows, by whatever program, because
triggers in the database move the version; and for a set of rows their coming and going too.
Nothing is lost on a restart, and every machine gives the same tag.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import F
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.http import HttpRequest

from notmodified.fields import BITS, VersionField, version_field_of
from notmodified.reasons import logger
from notmodified.validators.base import ABSENT, UNKNOWN, Validator, Version, name_of
from notmodified.writes.triggers.declare import declared, tables_of
from notmodified.writes.triggers.install import expected, vendor_of
from notmodified.writes.triggers.vendor import Trigger

_HALF: Final = BITS // 2
"""Versions are added up in two halves: a sum of 2**31 of them still fits in a signed 64 bits."""

Rows = models.QuerySet[Any] | models.Manager[Any] | type[models.Model]


class field(Validator):
    """The versions of the rows that `rows` names, added up.

    `rows` is a model, a manager or queryset, or a callable that returns one, called with what the
    view is called with. The model has a :class:`notmodified.fields.VersionField`. With
    `single`, the page shows one row and does not exist without it.

    The order in which a page lists its rows is no part of the version, only what the rows hold: a
    list ordered by something outside them must be combined with that.

    Raises TypeError for rows of a model without a version field.
    """

    def __init__(self, rows: Rows | Callable[..., Rows], *, single: bool = False) -> None:
        self._rows = rows
        self._single = single

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        rows = self._rows
        if not isinstance(rows, type) and callable(rows):
            rows = rows(request, *args, **kwargs)
        queryset = self._queryset(rows)
        version = version_field_of(queryset.model)
        if version is None:
            raise TypeError(
                f"field() needs a VersionField on {queryset.model._meta.label}: add "
                f'"version = notmodified.fields.VersionField()" to it and migrate.'
            )
        if queryset.query.combinator:
            # Django's releases differ in what the parts of a combination select.
            raise TypeError(
                "field() takes no union(), intersection() or difference(); "
                "use combine(field(...), field(...)) of its parts."
            )
        shown: Any = queryset.model
        _refuse_uncovered(shown, version.model)
        count, sums, installed, expected_ = _state(queryset, version)
        if self._single and not count:
            return ABSENT
        # Without rows there is nothing yet that a trigger could have missed.
        if count and installed != expected_:
            logger.warning(
                "field: the triggers of %s are not installed on database %r; "
                "run: manage.py notmodified triggers install",
                version.model._meta.label,
                queryset.db,
            )
            return UNKNOWN
        return Version(f"{queryset.model._meta.label}:{count}:{sums}")

    def _queryset(self, rows: Any) -> models.QuerySet[Any]:
        if isinstance(rows, type) and issubclass(rows, models.Model):
            return rows._default_manager.all()
        if isinstance(rows, models.Manager):
            return rows.all()
        if isinstance(rows, models.QuerySet):
            return rows
        source = name_of(self._rows) if callable(self._rows) else repr(self._rows)
        raise TypeError(
            f"field() got {rows!r} from {source}; it takes a model, a manager or a queryset."
        )


def _state(queryset: models.QuerySet[Any], version: VersionField) -> tuple[int, str, int, int]:
    """How many rows there are, their versions added up, and how many triggers are installed of how
    many that should be.

    The statement stands around the queryset's own: ``aggregate()`` would say the same, and take
    ten times as long to say it as SQLite takes to answer.
    """
    connection = connections[queryset.db]
    guard = _guard(queryset.db, version.model)
    # A slice counts on its order, and so does PostgreSQL's DISTINCT ON.
    ordered = queryset.query.is_sliced or queryset.query.distinct_fields
    unordered = queryset if ordered else queryset.order_by()
    keyed = unordered.annotate(**guard.keys) if guard.keys else unordered
    rows = keyed.values_list(version.name, *guard.keys)
    try:
        inner, parameters = rows.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return 0, "0:0", 0, 0
    column = connection.ops.quote_name(str(version.column))
    outer = [
        "COUNT(*)",
        f"SUM({column} & {(1 << _HALF) - 1})",
        f"SUM({column} >> {_HALF})",
        guard.counting,
    ]
    for before, key, after in guard.parts:
        outer.append(f"{before}SELECT {key} FROM ({inner}) notmodified_keys{after}")
    sql = f"SELECT {', '.join(outer)} FROM ({inner}) notmodified_rows"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*guard.parameters, *parameters * (len(guard.parts) + 1)])
        count, low, high, installed, *states = cursor.fetchone()
    sums = [f"{int(low or 0):x}", f"{int(high or 0):x}", *map(str, states)]
    return count, ":".join(sums), installed, len(guard.triggers)


@cache
def _refuse_uncovered(shown: Any, versioned: Any) -> None:
    """Raise TypeError if part of what is shown stands where the version does not see it."""
    declaration = declared(versioned)
    assert declaration is not None
    whole, parts = declaration
    unseen = tables_of(shown) - {whole.table} - {part.table for part in parts}
    if unseen:
        raise TypeError(
            f"field(): the version on {versioned._meta.label} does not see changes in "
            f"{', '.join(sorted(unseen))}, which hold part of {shown._meta.label}. Give "
            f"{shown._meta.label} a VersionField of its own, or use token() or table()."
        )


class _Guard(NamedTuple):
    """What a model's version needs besides its rows: the triggers that keep it, a subquery that
    counts those which are there, and the parts that triggers cannot watch."""

    triggers: tuple[Trigger, ...]
    counting: str
    parameters: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...]
    keys: dict[str, F]


@cache
def _guard(alias: str, model: type[models.Model]) -> _Guard:
    connection = connections[alias]
    vendor = vendor_of(connection)
    triggers = expected(connection, model)
    count, parameters = vendor.count(connection, triggers)
    version = version_field_of(model)
    declaration = declared(model)
    assert version is not None
    assert declaration is not None
    columns = {str(field.column): field.name for field in model._meta.local_fields}
    keys, parts = {}, []
    for part in declaration[1] if vendor.part_state else ():
        before, after = vendor.part_state(connection, part)  # type: ignore[misc]
        alias = f"notmodified_{part.key}"
        parts.append((before, connection.ops.quote_name(alias), after))
        keys[alias] = F(columns[part.key])
    return _Guard(triggers, count, tuple(parameters), tuple(parts), keys)


@receiver(post_migrate)
def _forget(**kwargs: Any) -> None:
    _guard.cache_clear()
