"""A version field for models: a random number that the database replaces at every change.

Rules of this module:

- A version never repeats, so a row that is deleted and created again, or saved late from an old
  instance, has a new one. That is why it is no counter.
- Nobody chooses it: whatever is assigned, a fresh number is what gets written.
- Writes that leave the column out (``update()``, ``bulk_update()``, ``save(update_fields=…)``,
  SQL of any program) are the business of triggers (``notmodified.writes.triggers``), which
  ``migrate`` installs.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _Field = models.BigIntegerField[int, int]
else:
    _Field = models.BigIntegerField

BITS: Final = 62
"""Leaves the sign alone, and a bit to spare for engines that shift signed numbers."""


def fresh_version() -> int:
    """A random version: 62 bits."""
    return secrets.randbits(BITS)


class VersionField(_Field):
    """The version of a row, for the validator :class:`notmodified.validators.field`.

    It moves with every change of the row, of its many-to-many relations declared on the same
    model, and of the parts of it that stand in the tables of its subclasses. On an instance in
    memory the attribute holds what was last read; after ``save()`` the row has another.
    """

    description = "Version"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["default"] = fresh_version
        kwargs["editable"] = False
        kwargs.pop("null", None)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["editable"]
        del kwargs["default"]
        return name, path, args, kwargs

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        return super().get_db_prep_save(fresh_version(), connection)


def version_field_of(model: type[models.Model]) -> VersionField | None:
    """The version field that `model` has, its own or inherited; ``None`` without one."""
    found = [field for field in model._meta.get_fields() if isinstance(field, VersionField)]
    return found[0] if found else None
