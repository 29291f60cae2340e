"""Values that narrow: those whose equality is the same in Python and in every database.

Rule of this module: integers and UUIDs only. Text does not narrow: collations differ.
"""

from __future__ import annotations

from enum import Enum
from typing import Any
from uuid import UUID

from django.db import models


class Kind(Enum):
    """What the values of a narrowing column are."""

    INTEGER = "integer"
    UUID = "uuid"

    @classmethod
    def of(cls, field: models.Field[Any, Any]) -> Kind | None:
        """The kind of a field's values; ``None`` where they do not narrow."""
        while isinstance(field, models.ForeignKey):
            field = field.target_field
        if not type(field).__module__.startswith("django."):
            return None  # it may convert its values in a way of its own
        if isinstance(field, models.IntegerField | models.AutoField):
            return cls.INTEGER
        return cls.UUID if isinstance(field, models.UUIDField) else None

    def canonical(self, value: Any) -> str | None:
        """`value` as text that is equal where the database calls it equal, or ``None``."""
        if self is Kind.INTEGER:
            # Of other types the database knows how it rounds them, or what it reads in a text.
            plain = isinstance(value, int) or (
                isinstance(value, str) and value.isascii() and value.isdecimal()
            )
            return str(int(value)) if plain else None
        try:
            return (value if isinstance(value, UUID) else UUID(str(value))).hex
        except ValueError:
            return None
