"""The time, as a value that knows that it is *now*.

While a response is recorded, ``timezone.now()`` gives a :class:`Now`. Whatever is learned from it
is right for a while: its year until the year ends, that it is before another time until that comes.
It tells the recorder so, and what comes of it is a plain value.

Rules of this module:

- What is right for no time at all (microseconds, a difference) makes the response unprovable.
- An offset from it is a *now* too (``now() - timedelta(days=7)``), where the clock never jumps: in
  UTC and at fixed offsets.
- What belongs to another response is a time like any other that nobody sees through.
- C code that takes the fields of a datetime by itself is not seen.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from datetime import tzinfo as Zone
from typing import Any, Final, NamedTuple, Protocol

UNITS: Final = ("year", "month", "day", "hour", "minute", "second")
"""The parts of a time that stay the same for a while, the longest first."""

_CODES: Final = {
    **dict.fromkeys("YyC", "year"),
    **dict.fromkeys("mbBh", "month"),
    **dict.fromkeys("daAjwuUWVGgeDFx", "day"),
    **dict.fromkeys("HIpkl", "hour"),
    **dict.fromkeys("MR", "minute"),
    **dict.fromkeys("STXrs", "second"),
}
"""What the codes of ``strftime`` show."""

_FIRST: Final = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
_DAY: Final = 86_400
_AROUND: Final = 3 * 3600
"""No clock is put back by more, in seconds."""


class Clocked(Protocol):
    """Who is told until which second of the clock what was learned from the time is right; ``None``
    for not at all."""

    def time_shown(self, until: float | None) -> None: ...


def is_fixed(zone: Zone | None) -> bool:
    """Whether the offset of `zone` never changes."""
    return isinstance(zone, timezone) or getattr(zone, "key", None) == "UTC"


def end_of(value: datetime, unit: str) -> float:
    """The second of the clock at which `unit` of `value` ends. A naive `value` is in the system's
    time zone."""
    first: Any = {name: _FIRST[name] for name in UNITS[UNITS.index(unit) + 1 :]}
    begin = value.replace(microsecond=0, fold=0, **first)
    if unit in ("year", "month"):
        begin = begin.replace(day=1)
        later = begin + timedelta(days=366 if unit == "year" else 31)
        end = later.replace(day=1, month=1) if unit == "year" else later.replace(day=1)
    else:
        end = begin + timedelta(**{unit + "s": 1})
    now = value.timestamp()
    ends = [end.replace(fold=fold).timestamp() for fold in (0, 1)]  # a clock may pass it twice
    found = min([one for one in ends if one > now], default=now)
    if unit in ("hour", "minute", "second") and not is_fixed(value.tzinfo):
        return min(found, end_of_offset(now, value.tzinfo))
    return found


def end_of_offset(begin: float, zone: Zone | None) -> float:
    """The second of the clock until which the offset of `zone` stays what it is at `begin`, or a
    day later. ``None`` is the system's."""

    def offset(second: float) -> timedelta | None:
        there = datetime.fromtimestamp(second, UTC).astimezone(zone)
        return there.utcoffset()

    now, end = offset(begin), begin + _DAY
    if offset(end) == now:
        return end
    while end - begin > 1:
        middle = (begin + end) / 2
        begin, end = (middle, end) if offset(middle) == now else (begin, middle)
    return begin


def end_of_quiet(begin: float, zone: Zone | None) -> float:
    """The second of the clock until which the offset of `zone` neither changes nor has changed
    within a few hours, so that no time is shown twice or never."""
    before, end = begin - _AROUND, end_of_offset(begin, zone)
    if end_of_offset(before, zone) < begin:
        return begin
    return end - _AROUND


def _showing(name: str, unit: str | None) -> Any:
    """A property that shows a time down to `unit`; ``None`` for all of it."""

    def get(self: Now) -> Any:
        self.shows(unit)
        return getattr(self.value, name)

    return property(get)


def _calling(name: str, unit: str | None) -> Any:
    """The same for a method."""

    def call(self: Now, *args: Any, **kwargs: Any) -> Any:
        self.shows(unit)
        return getattr(self.value, name)(*args, **kwargs)

    return call


def _comparing(compare: Callable[[Any, Any], Any]) -> Any:
    def call(self: Now, other: object) -> Any:
        if other is self:
            return compare(self.value, self.value)
        if isinstance(other, Now):
            self.shows(None)
            return compare(self.value, other.value)
        if isinstance(other, datetime) and (
            (self.value.utcoffset() is None) == (other.utcoffset() is None)
        ):
            # Of one time zone what the clocks show is compared, whatever their offsets are.
            alike = other.tzinfo is self.value.tzinfo
            then = other.replace(tzinfo=self.there.tzinfo) if alike else other
            self.until(then.timestamp())
        return compare(self.value, other)

    return call


class Now(datetime):
    """A time that is so far from now as `shift` says.

    `value` is what it shows; `there` the same at the offset that its time zone has now. `zone` is
    that time zone, ``None`` for the system's; `value` may have lost it. `at` is the second of the
    clock that now is. `clocked` is told what becomes of it.
    """

    value: datetime
    there: datetime
    zone: Zone | None
    at: float
    shift: timedelta
    clocked: Clocked

    @classmethod
    def of(cls, value: datetime, clocked: Clocked, at: float) -> Now:
        """`value`, which is now."""
        return cls._of(value, value.tzinfo, timedelta(), clocked, at)

    @classmethod
    def _of(
        cls, value: datetime, zone: Zone | None, shift: timedelta, clocked: Clocked, at: float
    ) -> Now:
        self = cls.combine(value.date(), value.timetz())
        self.value, self.zone, self.shift, self.clocked, self.at = value, zone, shift, clocked, at
        there = value if value.tzinfo is not None else value.replace(tzinfo=zone).astimezone(zone)
        self.there = there.replace(tzinfo=timezone(there.utcoffset() or timedelta()))
        return self

    def until(self, second: float) -> None:
        """Tell that what was learned is right until this time is the `second` of the clock, and
        its offset stays what it is."""
        self.shows_offset()
        second -= self.shift.total_seconds()
        if second >= self.at:
            self.clocked.time_shown(second)

    def shows(self, unit: str | None) -> None:
        """Tell that the time was shown down to `unit`; ``None`` for all of it."""
        if unit is None:
            self.clocked.time_shown(None)
        else:
            self.until(end_of(self.there, unit))

    def shows_offset(self) -> None:
        """Tell that the offset of its time zone was shown."""
        if not is_fixed(self.zone):
            end = end_of_offset(self.there.timestamp(), self.zone)
            self.clocked.time_shown(end - self.shift.total_seconds())

    @property
    def is_plain(self) -> bool:
        """Whether it is now itself, at an offset that stays."""
        return not self.shift and is_fixed(self.value.tzinfo)

    def _like(self, value: datetime, zone: Zone | None, shift: timedelta = timedelta()) -> Now:
        return self._of(value, zone, self.shift + shift, self.clocked, self.at)

    year, month, day = (_showing(unit, unit) for unit in UNITS[:3])
    hour, minute, second = (_showing(unit, unit) for unit in UNITS[3:])
    microsecond = _showing("microsecond", None)

    date, isocalendar = _calling("date", "day"), _calling("isocalendar", "day")
    weekday, isoweekday = _calling("weekday", "day"), _calling("isoweekday", "day")
    toordinal = _calling("toordinal", "day")
    timetuple, utctimetuple = _calling("timetuple", "second"), _calling("utctimetuple", "second")
    ctime = _calling("ctime", "second")
    time, timetz = _calling("time", None), _calling("timetz", None)
    timestamp, isoformat = _calling("timestamp", None), _calling("isoformat", None)
    __str__, __repr__ = _calling("__str__", None), _calling("__repr__", None)
    __rsub__ = _calling("__rsub__", None)

    __lt__, __le__ = _comparing(operator.lt), _comparing(operator.le)
    __gt__, __ge__ = _comparing(operator.gt), _comparing(operator.ge)
    __eq__, __ne__ = _comparing(operator.eq), _comparing(operator.ne)

    def __hash__(self) -> int:
        self.shows(None)  # what is looked for by it and not found is not compared with it
        return hash(self.value)

    @property
    def fold(self) -> int:
        self.shows_offset()
        return self.value.fold

    @property
    def tzinfo(self) -> Zone | None:
        self.shows_offset()
        return self.value.tzinfo

    def utcoffset(self) -> timedelta | None:
        if self.value.tzinfo is not None:
            self.shows_offset()
        return self.value.utcoffset()

    def dst(self) -> timedelta | None:
        self.shows_offset()
        return self.value.dst()

    def tzname(self) -> str | None:
        self.shows_offset()
        return self.value.tzname()

    def astimezone(self, tz: Zone | None = None) -> Any:
        if self.value.tzinfo is None and self.zone is not None:
            self.shows(None)  # it has lost its zone, and is taken for one of the system's
            return self.value.astimezone(tz)
        return self._like(self.value.astimezone(tz), tz)

    def replace(self, *args: Any, **kwargs: Any) -> datetime:  # type: ignore[override]
        """Without its time zone it is a now still; else it is a plain time, of which the finest
        part that was kept counts."""
        if not args and kwargs == {"tzinfo": None}:
            return self._like(self.value.replace(tzinfo=None), self.zone)
        parts = (*UNITS, "microsecond")
        replaced = {*parts[: len(args)], *kwargs}
        kept = [unit for unit in parts if unit not in replaced]
        if kept:
            self.shows(None if kept[-1] == "microsecond" else kept[-1])
        return self.value.replace(*args, **kwargs)

    def strftime(self, spec: str) -> str:
        codes = _codes(spec)
        units = [_CODES.get(code) for code in codes if code not in "zZ"]
        if len(units) < len(codes):
            self.shows_offset()
        if None in units:
            self.shows(None)
        elif units:
            self.shows(max(map(str, units), key=UNITS.index))
        return self.value.strftime(spec)

    def __format__(self, spec: str) -> str:
        return self.strftime(spec) if spec else str(self)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, timedelta):
            return NotImplemented
        later = self.value + other
        if is_fixed(self.value.tzinfo) and is_fixed(self.zone):
            return self._like(later, self.zone, other)
        self.shows(None)
        return later

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, timedelta):
            return self + -other
        if not isinstance(other, datetime):
            return NotImplemented
        self.shows(None)
        return self.value - (other.value if isinstance(other, Now) else other)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copies of it in another place are plain times."""
        self.shows(None)
        return self.value.__reduce_ex__(protocol)

    def __copy__(self) -> Now:
        return self

    def __deepcopy__(self, memo: Any) -> Now:
        return self


def _codes(spec: str) -> list[str]:
    """The codes in a format of ``strftime``, without the flags that some systems have."""
    pieces = spec.replace("%%", "").split("%")[1:]
    return [piece.lstrip("-_0^#EO:")[:1] or "?" for piece in pieces]


class NowText(str):
    """A *now* in the form in which a database takes it."""

    now: Now

    @classmethod
    def of(cls, text: str, now: Now) -> NowText:
        self = cls(text)
        self.now = now
        return self


class DatabaseNow(NamedTuple):
    """The time by the clock of a database, as it shows it: `value`. Of what it shows, `ahead` is
    how many seconds it is ahead of the clock here, at most."""

    value: Any
    ahead: float
    clocked: Clocked

    def until(self, second: float) -> None:
        """Tell that what was learned is right until it is this `second` there."""
        self.clocked.time_shown(second - self.ahead)


def now_in(parameter: object) -> Now | DatabaseNow | None:
    """The *now* that a parameter of a statement stands for."""
    if isinstance(parameter, NowText):
        return parameter.now
    return parameter if isinstance(parameter, Now | DatabaseNow) else None


def plain(parameter: Any) -> Any:
    """What a driver is to be given for `parameter`."""
    if isinstance(parameter, NowText):
        return str(parameter)
    if isinstance(parameter, DatabaseNow):
        return parameter.value
    return parameter.value if isinstance(parameter, Now) else parameter


_MARKS: Final = frozenset({Now, NowText})


def without_now(parameters: Any) -> Any:
    """The parameters of a statement, as a driver is to be given them."""
    if isinstance(parameters, dict):
        return {name: plain(value) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple) and not _MARKS.isdisjoint(map(type, parameters)):
        return [plain(value) for value in parameters]
    return parameters
