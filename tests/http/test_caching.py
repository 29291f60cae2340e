"""Freshness as a response states it: C74, C75."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.caching import directives, with_stated_freshness


@pytest.mark.parametrize(
    ("given_", "then"),
    [
        (None, "no-cache"),
        ("", "no-cache"),
        ("private", "private, no-cache"),
        ("must-revalidate", "must-revalidate, no-cache"),
        ("max-age=60", "max-age=60"),
        ("MAX-AGE=0, public", "MAX-AGE=0, public"),
        ("no-cache", "no-cache"),
        ("no-store", "no-store"),
        ("s-maxage=60", "s-maxage=60, max-age=0"),
        ('private="max-age"', 'private="max-age", no-cache'),
    ],
)
def test_c74_freshness_is_always_stated(given_: str | None, then: str) -> None:
    assert with_stated_freshness(given_, expires=False) == then


def test_c74_expires_states_it_too() -> None:
    assert with_stated_freshness(None, expires=True) is None
    assert with_stated_freshness("private", expires=True) == "private"


def test_directives_are_read_by_the_grammar() -> None:
    assert directives('Max-Age=5, no-cache="Set-Cookie, max-age=9", X') == {
        "max-age": "5",
        "no-cache": "Set-Cookie, max-age=9",
        "x": None,
    }


@given(st.text(st.characters(max_codepoint=0xFF)), st.booleans())
def test_c74_whatever_was_said_the_result_states_freshness(value: str, expires: bool) -> None:
    stated = with_stated_freshness(value, expires=expires)
    known = directives(stated or "")
    assert expires or known.keys() & {"max-age", "no-cache", "no-store"}
