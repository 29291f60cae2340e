"""Placeholders in SQL texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.sql.text import LOST, Null, Parameter, filled, numbered

SIGN = "SELECT 1 FROM t WHERE a = 'x%%y' AND b % 2 = 0"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = %s AND b = %s", "a = :p0 AND b = :p1"),
        ("a %% 2 = %s", "a % 2 = :p0"),
        ("a = 'x%%y'", "a = 'x%y'"),
        ('"x%%y" = %s', '"x%y" = :p0'),
        ("a = '%s'", None),
        ("a = '%(name)s'", None),
        ("a LIKE 'x%'", None),
        ("a = %s -- it's %%", "a = :p0 -- it's %"),
        ("a = %s -- %s", None),
        ("a = %s /* it's */ AND b = 'x'", "a = :p0 /* it's */ AND b = 'x'"),
    ],
)
def test_with_parameters(sql: str, expected: str | None) -> None:
    assert numbered(sql, formatted=True) == expected


@pytest.mark.parametrize("sql", [SIGN, "a LIKE 'x%'", "a = '%s'"])
def test_without_parameters_a_text_is_what_it_is(sql: str) -> None:
    assert numbered(sql, formatted=False) == sql


@pytest.mark.parametrize("sql", [SIGN, "a LIKE 'x%'", "a = '%s'"])
def test_where_nobody_knows_it_is_unclear(sql: str) -> None:
    assert numbered(sql) is None


@given(st.lists(st.sampled_from(["'", '"', "%", "%%", "%s", "x", " ", "--", "\n"]), max_size=12))
def test_it_says_what_a_driver_makes_of_it(pieces: list[str]) -> None:
    """Where a driver refuses, or puts a value within quotes, nothing needs to be said."""
    sql = "".join(pieces)
    text = numbered(sql, formatted=True)
    count = sql.replace("%%", "").count("%s")
    try:
        made = sql % tuple(f":p{number}" for number in range(count))
    except (TypeError, ValueError):
        return
    assert text is None or text == made


def test_values() -> None:
    assert filled(Parameter(0), [5]) == 5
    assert filled(Parameter(1), [5]) is LOST
    assert filled(Parameter(0), None) is LOST
    assert filled(Parameter(0), {"p0": 5}) is LOST
    assert filled(Null.NULL, None) is None
    assert filled("x", None) == "x"
