"""HTTP dates (RFC 9110 §5.6.7).

::

    HTTP-date     = IMF-fixdate / obs-date
    IMF-fixdate   = day-name "," SP day SP month SP year SP time-of-day SP GMT
                  ; Sun, 06 Nov 1994 08:49:37 GMT
    rfc850-date   = day-name-l "," SP day "-" month "-" 2DIGIT SP time-of-day SP GMT
                  ; Sunday, 06-Nov-94 08:49:37 GMT
    asctime-date  = day-name SP month SP ( 2DIGIT / ( SP DIGIT ) ) SP time-of-day SP year
                  ; Sun Nov  6 08:49:37 1994

Rules of this module:

- A time is a whole number of seconds since 1970-01-01T00:00:00Z, so both sides of a comparison
  are truncated in the same way.
- All three forms are read, IMF-fixdate alone is written.
- The grammar is case-sensitive and admits no list: anything else is no date, and ``None``. The
  name of the day is checked for being one, not for being the right one.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

day_name = rf"(?:{'|'.join(_DAYS)})"
day_name_l = rf"(?:{'|'.join(_LONG_DAYS)})"
month = rf"(?P<month>{'|'.join(_MONTHS)})"
day = r"(?P<day>[0-9]{2})"
year = r"(?P<year>[0-9]{4})"
time_of_day = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

imf_fixdate = rf"{day_name}, {day} {month} {year} {time_of_day} GMT"
rfc850_date = rf"{day_name_l}, {day}-{month}-(?P<year>[0-9]{{2}}) {time_of_day} GMT"
asctime_date = rf"{day_name} {month} (?P<day>[0-9]{{2}}| [0-9]) {time_of_day} {year}"

_FORMS: Final = tuple(re.compile(form) for form in (imf_fixdate, rfc850_date, asctime_date))


def parse_date(value: str, *, now: int | None = None) -> int | None:
    """The time that `value` names, or ``None`` where it is no HTTP-date.

    `now` decides the century of a two-digit year: one that seems to lie more than 50 years ahead
    is in the past.
    """
    value = value.strip(" \t")
    for form in _FORMS:
        if match := form.fullmatch(value):
            break
    else:
        return None
    fields = match.groupdict()
    full_year = int(fields["year"])
    if len(fields["year"]) == 2:
        full_year = _full_year(full_year, now)
    second = int(fields["second"])
    try:
        moment = datetime(
            full_year,
            _MONTHS.index(fields["month"]) + 1,
            int(fields["day"]),
            int(fields["hour"]),
            int(fields["minute"]),
            min(second, 59),  # a leap second is legal (RFC 9110 §5.6.7) and unknown to datetime
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return timegm(moment.timetuple()) if second <= 60 else None


def _full_year(two_digits: int, now: int | None) -> int:
    present = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    candidate = present.year - present.year % 100 + two_digits
    return candidate - 100 if candidate > present.year + 50 else candidate


def format_date(seconds: int) -> str:
    """`seconds` as IMF-fixdate.

    Raises ValueError for a time outside the years 1 to 9999.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{seconds} is outside the years an HTTP-date can name") from error
    return (
        f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} "
        f"{moment.year:04} {moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
    )
