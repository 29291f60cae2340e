"""The functions whose results are their arguments' and nothing else's.

Rule of this module: a list of what is allowed, not of what is forbidden. A function that is not on
it may read the clock, a random number, or a table that nobody sees.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlglot import exp

_PURE: Final = (
    exp.Abs,
    exp.AggFunc,
    exp.And,
    exp.Ascii,
    exp.Between,
    exp.Case,
    exp.Cast,
    exp.Ceil,
    exp.Chr,
    exp.Coalesce,
    exp.Concat,
    exp.ConcatWs,
    exp.Exists,
    exp.Exp,
    exp.Extract,
    exp.Floor,
    exp.Greatest,
    exp.If,
    exp.Least,
    exp.Left,
    exp.Length,
    exp.Ln,
    exp.Log,
    exp.Lower,
    exp.Mod,
    exp.Nullif,
    exp.Or,
    exp.Pad,
    exp.Pow,
    exp.Repeat,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.Round,
    exp.RowNumber,
    exp.Sign,
    exp.Sqrt,
    exp.StrPosition,
    exp.Substring,
    exp.TimestampTrunc,
    exp.Trim,
    exp.Trunc,
    exp.Upper,
)

_PURE_BY_NAME: Final = frozenset(
    {
        # What Django itself gives to SQLite (django/db/backends/sqlite3/_functions.py).
        "DJANGO_DATE_EXTRACT",
        "DJANGO_DATE_TRUNC",
        "DJANGO_DATETIME_CAST_DATE",
        "DJANGO_DATETIME_CAST_TIME",
        "DJANGO_DATETIME_EXTRACT",
        "DJANGO_DATETIME_TRUNC",
        "DJANGO_FORMAT_DTDELTA",
        "DJANGO_TIME_DIFF",
        "DJANGO_TIME_EXTRACT",
        "DJANGO_TIME_TRUNC",
        "DJANGO_TIMESTAMP_DIFF",
        "BITXOR",
    }
)

_NEVER: Final = (exp.AnonymousAggFunc, exp.CombinedAggFunc, exp.ParameterizedAgg)
"""Aggregates that sqlglot has no class for."""


def impure(node: exp.Expression) -> str | None:
    """The name of the function that `node` is, unless it is known to be pure."""
    if isinstance(node, exp.Anonymous):
        name = str(node.name).upper()
        return None if name in _PURE_BY_NAME else name
    if not isinstance(node, exp.Func):
        return None
    if isinstance(node, _PURE) and not isinstance(node, _NEVER):
        return None
    return node.sql_name()


_CLOCKS: Final = {
    "sqlite": frozenset(
        {
            *("CURRENT_TIMESTAMP", "DATETIME('now')", "DATETIME('NOW')"),
            *("STRFTIME('%Y-%m-%d %H:%M:%f', 'now')", "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"),
        }
    ),
    "postgres": frozenset(
        {
            *("CURRENT_TIMESTAMP", "CLOCK_TIMESTAMP()", "STATEMENT_TIMESTAMP()"),
            "TRANSACTION_TIMESTAMP()",
        }
    ),
    "mysql": frozenset(
        {
            *("CURRENT_TIMESTAMP()", "CURRENT_TIMESTAMP(3)", "CURRENT_TIMESTAMP(6)"),
            *("NOW()", "NOW(3)", "NOW(6)"),
        }
    ),
}


def clock(node: exp.Expression, language: str | None) -> str | None:
    """The text of `node`, if that is the time by the clock of the database and nothing more."""
    if not isinstance(node, exp.CurrentTimestamp | exp.TimeToStr | exp.Anonymous):
        return None
    text = node.sql(dialect=language)
    return text if text in _CLOCKS.get(language or "", ()) else None


_CLOCK_WORDS: Final = re.compile(r"\b(?:now|today|tomorrow|yesterday)\b", re.IGNORECASE)


def is_clock(value: Any) -> bool:
    """Whether `value` is a text that PostgreSQL and SQLite may read as the time it is."""
    return isinstance(value, str) and len(value) <= 64 and bool(_CLOCK_WORDS.search(value))
