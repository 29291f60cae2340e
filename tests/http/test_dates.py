"""HTTP dates: C14–C16, C30."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.dates import format_date, parse_date

EXAMPLE = 784_111_777
"""The example of RFC 9110 §5.6.7."""

seconds = st.integers(-62_135_596_800, 253_402_300_799)


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT\t",
    ],
)
def test_c15_all_three_forms_are_read(value: str) -> None:
    assert parse_date(value) == EXAMPLE


def test_c14_only_imf_fixdate_is_written() -> None:
    assert format_date(EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(seconds)
def test_c14_parse_undoes_format(time: int) -> None:
    assert parse_date(format_date(time)) == time


@given(st.integers(0, 4_102_444_800))
def test_c14_the_standard_library_writes_the_same(time: int) -> None:
    assert format_date(time) == formatdate(time, usegmt=True)


@pytest.mark.parametrize(
    ("now", "year"), [("1994", "1994"), ("2026", "1994"), ("2044", "2094"), ("2043", "1994")]
)
def test_c15_a_two_digit_year_far_ahead_is_past(now: str, year: str) -> None:
    present = parse_date(f"Sat, 01 Jan {now} 00:00:00 GMT")
    expected = parse_date(f"Sun, 06 Nov {year} 08:49:37 GMT")
    assert parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now=present) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov ١٩٩٤ 08:49:37 GMT",
    ],
)
def test_c30_what_is_no_date_or_a_list_of_dates_is_none(value: str) -> None:
    assert parse_date(value) is None


def test_a_leap_second_counts_as_the_one_before() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_date(
        "Sat, 31 Dec 2016 23:59:59 GMT"
    )


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_c30_any_bytes_are_read_without_an_error(value: str) -> None:
    parse_date(value)


def test_a_time_that_no_date_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the years"):
        format_date(10**15)
