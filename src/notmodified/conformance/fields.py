"""Entity tags and dates as field values (RFC 9110 §8.8.3, §5.6.7), read and written.

::

    entity-tag   = [ %s"W/" ] DQUOTE *etagc DQUOTE
    etagc        = %x21 / %x23-7E / %x80-FF
    IMF-fixdate  = day-name "," SP 2DIGIT SP month SP 4DIGIT SP time-of-day SP GMT
    rfc850-date  = day-name-l "," SP 2DIGIT "-" month "-" 2DIGIT SP time-of-day SP GMT
    asctime-date = day-name SP month SP ( 2DIGIT / ( SP DIGIT ) ) SP time-of-day SP 4DIGIT

Rules of this module:

- Text is ISO-8859-1, so that every octet on the wire is one character here.
- Dates are whole seconds since 1970; names of days and months never follow a locale.
- What does not follow the grammar is ``None``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SHORT_DAY = "(?:" + "|".join(day[:3] for day in _DAYS) + ")"
_LONG_DAY = "(?:" + "|".join(_DAYS) + ")"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (
    re.compile(f"{_SHORT_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_SHORT_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_TAG = re.compile('(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class EntityTag:
    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'

    @classmethod
    def parse(cls, value: str) -> EntityTag | None:
        match = _TAG.fullmatch(value)
        return cls(match["opaque"], match["weak"] is not None) if match else None

    def as_weak(self) -> EntityTag:
        return replace(self, weak=True)

    def as_strong(self) -> EntityTag:
        return replace(self, weak=False)


def imf_fixdate(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    day, month = _DAYS[moment.weekday()][:3], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def rfc850_date(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02}-{month}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"


def asctime_date(seconds: int) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    day, month = _DAYS[moment.weekday()][:3], _MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"


def parse_date(value: str, now: int) -> int | None:
    """The moment that `value` names in any of the three forms."""
    match = next((found for form in _DATES if (found := form.fullmatch(value))), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        this_year = datetime.fromtimestamp(now, UTC).year
        year += this_year - this_year % 100
        # More than fifty years ahead is the most recent past year with these digits.
        if year > this_year + 50:
            year -= 100
    try:
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            min(int(match["second"]), 59),  # a leap second is legal and has no number of its own
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(moment.timestamp())


def is_imf_fixdate(value: str) -> bool:
    """Whether `value` is an IMF-fixdate that names its own day of the week."""
    match = _DATES[0].fullmatch(value)
    seconds = parse_date(value, now=0)
    if match is None or seconds is None:
        return False
    return match["second"] == "60" or imf_fixdate(seconds) == value


def members(value: str) -> frozenset[str]:
    """The members of a plain comma-separated list, in lower case (Vary, Cache-Control)."""
    return frozenset(member.strip().lower() for member in value.split(",") if member.strip())
