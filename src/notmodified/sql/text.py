"""Placeholders, operands and dialects of SQL texts.

Django's SQL is parameterised: one text stands for many executions. Here its placeholders get
numbers, so that the text is parsed once and the values are filled in per execution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlglot import exp

DIALECTS: Final = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mysql"}
"""Django's name for a vendor, and sqlglot's."""

_IN_FRONT: Final = re.compile(r"(?:\s+|--[^\n]*\n|/\*(?!!).*?\*/)+", re.DOTALL)
_PLACEHOLDER: Final = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | --[^\n]* | /\*.*?\*/
    | (?P<percent>%%) | (?P<parameter>%s)""",
    re.VERBOSE | re.DOTALL,
)

HIDES: Final = re.compile(r"/\*M?!|\b(?:E|U&)'", re.IGNORECASE)
"""Comments that MariaDB and MySQL run, and texts whose characters are written otherwise."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that comes with each execution."""

    index: int


class Null(Enum):
    """SQL's NULL, given as such in the text."""

    NULL = None


Operand = Parameter | Null | int | str

LOST: Final = object()
"""A value that nobody knows."""


Parameters = Sequence[Any] | Mapping[str, Any] | None
"""What comes with one execution. By name nobody follows them: an empty mapping says that there are
some which nobody knows. ``None`` is for none at all."""


def filled(operand: Operand, parameters: Parameters) -> Any:
    """The value of `operand` in one execution, or :data:`LOST`."""
    if isinstance(operand, Null):
        return None
    if not isinstance(operand, Parameter):
        return operand
    if not isinstance(parameters, Sequence) or operand.index >= len(parameters):
        return LOST
    return parameters[operand.index]


def text_of(sql: Any, driver: Any) -> str:
    """`sql` as a text: the driver takes bytes too, and psycopg what its ``sql`` module composes."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    return str(sql.as_string(driver)) if hasattr(sql, "as_string") else str(sql)


def without_front(sql: str) -> str:
    """`sql` without the blanks and comments in front of it."""
    return _IN_FRONT.sub("", sql, count=1) if _IN_FRONT.match(sql) else sql


def numbered(sql: str, *, formatted: bool | None = None) -> str | None:
    """`sql` with its placeholders as ``:p0``, ``:p1`` …; ``%s`` would read as a modulo.

    `formatted` says whether the driver is given parameters, and puts them in: then ``%%`` stands
    for a percent sign, also within quotes. ``None`` for not known, unless there are placeholders.
    The result is ``None`` if what stands within quotes depends on that, or is filled in itself.
    """
    if formatted is False:
        return sql
    count, unclear, differs = 0, False, False

    def number(match: re.Match[str]) -> str:
        nonlocal count, unclear, differs
        if match["percent"]:
            return "%"
        if not match["parameter"]:
            quoted: str = match[0]
            plain = quoted.replace("%%", "")
            unclear |= "%" in plain
            differs |= plain != quoted
            return quoted.replace("%%", "%")
        count += 1
        return f":p{count - 1}"

    result = _PLACEHOLDER.sub(number, sql)
    return None if unclear or (differs and formatted is None and not count) else result


def operand_of(node: exp.Expression | None) -> Operand | None:
    """The operand that an expression is, if it is nothing more."""
    if isinstance(node, exp.Placeholder):
        name = str(node.this)
        return Parameter(int(name[1:])) if name[1:].isdecimal() else None
    if isinstance(node, exp.Null):
        return Null.NULL
    if isinstance(node, exp.Literal):
        return (
            str(node.this) if node.is_string else int(node.this) if node.this.isdecimal() else None
        )
    return None
