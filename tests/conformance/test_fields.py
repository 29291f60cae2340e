from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.conformance.fields import (
    EntityTag,
    asctime_date,
    imf_fixdate,
    is_imf_fixdate,
    members,
    parse_date,
    rfc850_date,
)

ETAGC = st.sampled_from([chr(c) for c in (0x21, *range(0x23, 0x7F), *range(0x80, 0x100))])
MOMENTS = st.integers(0, 4_102_444_800)
NOW = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp())


@given(st.builds(EntityTag, st.text(ETAGC), st.booleans()))
def test_an_entity_tag_is_read_as_it_was_written(tag: EntityTag) -> None:
    assert EntityTag.parse(str(tag)) == tag
    assert EntityTag.parse(str(tag.as_weak())) == EntityTag(tag.opaque, weak=True)
    assert EntityTag.parse(str(tag.as_strong())) == EntityTag(tag.opaque)


@pytest.mark.parametrize(
    "value",
    ["", "x", '"', '"x', 'w/"x"', "W/x", 'W/ "x"', '"x" ', '"x", "y"', '"a b"', '"\x7f"', "*"],
)
def test_no_entity_tag(value: str) -> None:
    assert EntityTag.parse(value) is None


@given(MOMENTS)
def test_imf_fixdate_is_what_the_standard_library_writes(moment: int) -> None:
    assert imf_fixdate(moment) == formatdate(moment, usegmt=True)
    assert is_imf_fixdate(imf_fixdate(moment))


@given(MOMENTS)
def test_dates_are_read_as_they_were_written(moment: int) -> None:
    assert parse_date(imf_fixdate(moment), NOW) == moment
    assert parse_date(asctime_date(moment), NOW) == moment
    assert not is_imf_fixdate(asctime_date(moment))


@given(st.integers(NOW - 49 * 31_536_000, NOW + 49 * 31_536_000))
def test_two_digits_are_read_within_fifty_years(moment: int) -> None:
    assert parse_date(rfc850_date(moment), NOW) == moment
    assert not is_imf_fixdate(rfc850_date(moment))


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("Sunday, 06-Nov-94 08:49:37 GMT", 1994),
        ("Friday, 06-Nov-76 08:49:37 GMT", 2076),
        ("Sunday, 06-Nov-77 08:49:37 GMT", 1977),
        ("Monday, 06-Nov-00 08:49:37 GMT", 2000),
    ],
)
def test_more_than_fifty_years_ahead_is_past(value: str, year: int) -> None:
    moment = parse_date(value, NOW)
    assert moment is not None
    assert datetime.fromtimestamp(moment, UTC).year == year


def test_the_examples_of_the_rfc() -> None:
    moment = 784_111_777
    assert imf_fixdate(moment) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert rfc850_date(moment) == "Sunday, 06-Nov-94 08:49:37 GMT"
    assert asctime_date(moment) == "Sun Nov  6 08:49:37 1994"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 2100 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_no_date(value: str) -> None:
    assert parse_date(value, NOW) is None
    assert not is_imf_fixdate(value)


def test_a_leap_second_is_a_date() -> None:
    assert is_imf_fixdate("Sat, 31 Dec 2016 23:59:60 GMT")
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1_483_228_799


def test_the_day_of_the_week_must_be_right() -> None:
    assert not is_imf_fixdate("Mon, 06 Nov 1994 08:49:37 GMT")


def test_members() -> None:
    assert members(" Accept-Encoding,,cookie , ") == {"accept-encoding", "cookie"}
