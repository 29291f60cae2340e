"""The time as Django's own helpers give it: until when what they make of it is right.

Rules of this module:

- What a helper gives is Django's own; how long it holds is found beside it, from a moment before.
- ``datetime.now()`` in somebody's own code is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.humanize.templatetags import humanize
from django.core import signing
from django.db import connections
from django.forms import SelectDateWidget
from django.template import defaulttags
from django.utils import formats, timesince, timezone
from django.utils.feedgenerator import SyndicationFeed
from django.views.generic import dates

from notmodified.causes import Cause
from notmodified.reads.now import Now, NowText, end_of, end_of_offset, end_of_quiet, is_fixed
from notmodified.reads.patching import replace_function, replace_method
from notmodified.reads.recorder import Recorder, current, elsewhere, unrecorded, unseen

_LETTERS: Final[dict[str, str | None]] = {
    **dict.fromkeys("yYL", "year"),
    **dict.fromkeys("bEFmMnNt", "month"),
    **dict.fromkeys("dDjlSwWzo", "day"),
    **dict.fromkeys("aAgGhH", "hour"),
    **dict.fromkeys("fiP", "minute"),
    **dict.fromkeys("rsU", "second"),
    **dict.fromkeys("cu", None),
}
"""What the letters of Django's date formats show; ``None`` for all of a time."""
_ZONE_LETTERS: Final = frozenset("cerIOTZ")
_ESCAPED: Final = re.compile(r"\\.")

_FARTHEST: Final = 31 * 24 * 60
"""So many minutes ahead we look when "2 weeks ago" will read otherwise."""


def install() -> None:
    """Have Django's helpers say until when what they give is right."""
    replace_function(timezone.now, _now)
    replace_function(timezone._datetime_ambiguous_or_imaginary, _is_ambiguous)  # type: ignore[attr-defined]
    replace_method(defaulttags.NowNode, "render", _render_now)
    replace_function(timesince.timesince, _timesince)
    replace_function(humanize.naturalday, _naturalday)
    replace_method(humanize.NaturalTimeFormatter, "string_for", _naturaltime, is_class_method=True)
    replace_method(signing.TimestampSigner, "unsign", _unsign)
    replace_method(signing.TimestampSigner, "timestamp", _note_time)
    replace_method(PasswordResetTokenGenerator, "_now", _note_time)
    replace_method(SyndicationFeed, "latest_post_date", _note_time)
    replace_function(dates.timezone_today, _note_day)
    replace_method(dates.BaseTodayArchiveView, "get_dated_items", _note_day)
    replace_method(SelectDateWidget, "__init__", _note_day)
    for alias in connections:
        _know_now(type(connections[alias].ops))


def _recorder() -> Recorder | None:
    recorder = current()
    return None if recorder is None or recorder.reason is not None else recorder


def _now_in(zone: tzinfo | None, recorder: Recorder) -> Now:
    value = datetime.now(zone)
    return Now.of(value, recorder, value.timestamp())


def _now(original: Callable[[], datetime]) -> datetime:
    value = original()
    recorder = _recorder()
    if recorder is None:
        elsewhere(Cause.TIME, "the time")
        return value
    return Now.of(value, recorder, value.timestamp())


def _render_now(original: Callable[..., str], node: Any, context: Any) -> str:
    recorder = _recorder()
    if recorder is not None:
        now = datetime.now(timezone.get_current_timezone() if settings.USE_TZ else None)
        letters = set(_ESCAPED.sub("", formats.get_format(node.format_string or "DATE_FORMAT")))
        for unit in {_LETTERS[letter] for letter in letters & _LETTERS.keys()}:
            recorder.time_shown(None if unit is None else end_of(now, unit))
        if not letters.isdisjoint(_ZONE_LETTERS) and not is_fixed(now.tzinfo):
            recorder.time_shown(end_of_quiet(now.timestamp(), now.tzinfo))
    return original(node, context)


def _is_ambiguous(original: Callable[[Any, Any], bool], dt: Any, tz: tzinfo) -> bool:
    """What Django's date formats ask of every time, whatever they show of it."""
    if not isinstance(dt, Now):
        return original(dt, tz)
    if not is_fixed(tz):
        dt.until(end_of_quiet(dt.there.timestamp(), tz))
    return original(dt.value, tz)


def _timesince(
    original: Callable[..., str],
    d: Any,
    now: Any = None,
    reversed: bool = False,  # noqa: A002 (Django's name for it)
    *args: Any,
    **kwargs: Any,
) -> str:
    if isinstance(d, Now):
        d.shows(None)
        d = d.value
    if isinstance(now, Now) and now.is_plain:
        base = now.value
    elif isinstance(now, Now):
        now.shows(None)
        return original(d, now.value, reversed, *args, **kwargs)
    elif now is not None:
        return original(d, now, reversed, *args, **kwargs)
    else:
        base = _now_for(d)
    recorder = _recorder()
    if recorder is not None:
        _note_timesince(
            recorder, d, base, lambda at: original(d, at, reversed, *args, **kwargs), reversed
        )
    return original(d, base, reversed, *args, **kwargs)


def _now_for(d: Any) -> datetime:
    """Now, as Django takes it beside `d`."""
    aware = isinstance(d, datetime) and timezone.is_aware(d)
    return datetime.now(d.tzinfo if aware else None)


def _note_timesince(
    recorder: Recorder, d: Any, base: datetime, text: Callable[[datetime], str], until: bool
) -> None:
    """Note for how long a text holds that tells how far `base`, which is now, is from `d`."""
    then = d if isinstance(d, datetime) else datetime(d.year, d.month, d.day)
    if not is_fixed(base.tzinfo):
        recorder.time_shown(end_of_offset(base.timestamp(), base.tzinfo))
    shown = text(base)

    def is_same(later: timedelta) -> bool:
        return text(base + later) == shown

    # Months are counted from its full second.
    for moment in (then, then.replace(microsecond=0)):
        passed = (moment - base if until else base - moment).total_seconds()
        recorder.time_shown(base.timestamp() + _holds(passed, until, is_same))


def _holds(passed: float, until: bool, same: Callable[[timedelta], bool]) -> float:
    """The seconds for which a text holds that tells of `passed` seconds, or of those `until` a
    time, by the minute. It never comes back, so whether it is the `same` later tells all."""
    first = passed % 60 if until else 60 - passed % 60

    def is_same(minutes: int) -> bool:
        return same(timedelta(seconds=first + 60 * minutes + 1))

    if not is_same(0):
        return first
    low, high = 0, 1
    while high < _FARTHEST and is_same(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_same(middle) else (low, middle)
    return first + 60 * high


def _naturalday(original: Callable[..., Any], value: Any, arg: Any = None) -> Any:
    recorder = _recorder()
    if recorder is not None and hasattr(value, "year"):
        zone = getattr(value, "tzinfo", None)
        recorder.time_shown(end_of(datetime.now(zone), "day"))
    return original(value, arg)


def _naturaltime(original: Callable[..., Any], value: Any) -> Any:
    recorder = _recorder()
    if isinstance(value, Now):
        value.shows(None)
        value = value.value
    if recorder is not None and isinstance(value, datetime):
        now = datetime.now(UTC if timezone.is_aware(value) else None)
        passed = (now - value).total_seconds()
        size = abs(passed)
        if size >= 86_400 - 60:
            # Its texts are those of "1 day, 2 hours ago", which timesince() puts together.
            until = passed < 0
            text = _told_by_timesince(value, until)
            _note_timesince(recorder, value, now, text, until)
        else:
            step = 3600 if size >= 3600 else 60 if size >= 60 else 1
            left = size % step if passed < 0 else step - size % step
            recorder.time_shown(now.timestamp() + left)
            if not is_fixed(now.tzinfo):
                recorder.time_shown(end_of_offset(now.timestamp(), None))
    elif recorder is not None and isinstance(value, date):
        recorder.time_shown(None)
    return original(value)


def _told_by_timesince(value: datetime, until: bool) -> Callable[[datetime], str]:
    def text(at: datetime) -> str:
        with unrecorded():
            return timesince.timesince(value, at, reversed=until)

    return text


def _note_day(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The system's day is shown."""
    recorder = _recorder()
    if recorder is not None:
        recorder.time_shown(end_of(datetime.now(), "day"))
    return original(*args, **kwargs)


def _note_time(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """All of the time is shown."""
    unseen(Cause.TIME, "the time")
    return original(*args, **kwargs)


def _unsign(original: Callable[..., str], signer: Any, value: str, max_age: Any = None) -> str:
    result = original(signer, value, max_age)
    recorder = _recorder()
    if recorder is not None and max_age is not None:
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        stamp = value.rsplit(signer.sep, 2)[1]
        recorder.time_shown(signing.b62_decode(stamp) + seconds)
    return result


def _know_now(operations: Any) -> None:
    """Have a database's operations keep what stands for now apart from other times."""
    original = operations.adapt_datetimefield_value
    if hasattr(original, "knows_now"):
        return

    def adapt_datetimefield_value(self: Any, value: Any) -> Any:
        if not isinstance(value, Now):
            return original(self, value)
        adapted = original(self, value.value)
        return NowText.of(adapted, value) if isinstance(adapted, str) else value

    adapt_datetimefield_value.knows_now = True  # type: ignore[attr-defined]
    operations.adapt_datetimefield_value = adapt_datetimefield_value
