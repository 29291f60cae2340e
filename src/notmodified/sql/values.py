"""Values that narrow: those whose equality is the same in Python and in every database.

Rule of this module: integers and UUIDs; text only where the database compares it byte by byte,
which its collation decides, and which MariaDB and MySQL do not do.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.db import models
from django.utils.safestring import SafeString

MOST_TEXT: Final = 100
"""How many characters a text may have that narrows; of longer ones triggers write down as many."""

MOST_DIGITS: Final = 30
_PLAIN: Final = 10**MOST_DIGITS
_UUID: Final = re.compile(
    r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(?:\1[0-9a-fA-F]{4}){2}\1[0-9a-fA-F]{12}"
)

_TEXTS: Final = frozenset(
    {models.CharField, models.EmailField, models.SlugField, models.TextField, models.URLField}
)


_EXACT: Final = frozenset({bool, int, str, SafeString, UUID})


class Kind(Enum):
    """What the values of a narrowing column are."""

    INTEGER = "integer"
    UUID = "uuid"
    TEXT = "text"

    @classmethod
    def of(cls, field: models.Field[Any, Any], *, texts: bool = False) -> Kind | None:
        """The kind of a field's values; ``None`` where they do not narrow. `texts` says that the
        database compares texts byte by byte."""
        while isinstance(field, models.ForeignKey):
            field = field.target_field
        if not type(field).__module__.startswith("django."):
            return None  # it may convert its values in a way of its own
        if isinstance(field, models.IntegerField | models.AutoField):
            return cls.INTEGER
        if type(field) in _TEXTS:  # others may compare in a way of their own
            return cls.TEXT if texts and not getattr(field, "db_collation", None) else None
        return cls.UUID if isinstance(field, models.UUIDField) else None

    def canonical(self, value: Any) -> str | None:
        """`value` as text that is equal where the database calls it equal, or ``None``."""
        if isinstance(value, models.Choices):
            value = value.value
        # Of other types the driver knows what they stand for, or the database how it rounds them,
        # or what it reads in a text.
        if type(value) not in _EXACT:
            return None
        if self is Kind.TEXT:
            plain = isinstance(value, str) and len(value) <= MOST_TEXT and value.isprintable()
            return str(value) if plain else None
        if self is Kind.INTEGER:
            if type(value) is int and -_PLAIN < value < _PLAIN:
                return str(value)
            plain = isinstance(value, int) or (
                isinstance(value, str)
                and len(value) <= MOST_DIGITS
                and value.isascii()
                and value.isdecimal()
            )
            return str(int(value)) if plain and abs(int(value)) < _PLAIN else None
        if isinstance(value, UUID):
            return value.hex
        return UUID(value).hex if isinstance(value, str) and _UUID.fullmatch(value) else None
