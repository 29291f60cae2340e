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
from django.contrib.humanize.templatetags import humanize
from django.core import signing
from django.db import connections
from django.template import defaulttags
from django.utils import formats, timesince, timezone

from notmodified.reads.now import Now, NowText, end_of, is_fixed
from notmodified.reads.patching import replace_function, replace_method
from notmodified.reads.recorder import Recorder, current

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
    return value if recorder is None else Now.of(value, recorder, value.timestamp())


def _render_now(original: Callable[..., str], node: Any, context: Any) -> str:
    recorder = _recorder()
    if recorder is not None:
        now = _now_in(timezone.get_current_timezone() if settings.USE_TZ else None, recorder)
        letters = set(_ESCAPED.sub("", formats.get_format(node.format_string or "DATE_FORMAT")))
        for unit in {_LETTERS[letter] for letter in letters & _LETTERS.keys()}:
            now.shows(unit)
        if not letters.isdisjoint(_ZONE_LETTERS):
            now.shows_offset()
    return original(node, context)


def _is_ambiguous(original: Callable[[Any, Any], bool], dt: Any, tz: tzinfo) -> bool:
    """What Django's date formats ask of every time, whatever they show of it."""
    if not isinstance(dt, Now):
        return original(dt, tz)
    if not is_fixed(tz):
        dt.shows_offset_around(tz)
    return original(dt.value, tz)


def _timesince(
    original: Callable[..., str],
    d: Any,
    now: Any = None,
    reversed: bool = False,  # noqa: A002 (Django's name for it)
    *args: Any,
    **kwargs: Any,
) -> str:
    recorder = _recorder()
    if now is not None and not isinstance(now, Now):
        return original(d, now, reversed, *args, **kwargs)
    if isinstance(now, Now):
        recorder, now = now.clocked, now.value  # type: ignore[assignment]
    if isinstance(d, Now):
        d.shows(None)
        d = d.value
    if recorder is not None:
        then = d if isinstance(d, datetime) else datetime(d.year, d.month, d.day)
        base = now or datetime.now(then.tzinfo if timezone.is_aware(then) else None)
        if not isinstance(base, datetime):
            base = datetime(base.year, base.month, base.day)
        text = original(d, base, reversed, *args, **kwargs)
        recorder.time_shown(
            base.timestamp()
            + _holds(
                (then - base if reversed else base - then).total_seconds(),
                reversed,
                lambda later: original(d, base + later, reversed, *args, **kwargs) == text,
            )
        )
        return text
    return original(d, now, reversed, *args, **kwargs)


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
    if recorder is not None and isinstance(value, datetime):
        now = datetime.now(UTC if timezone.is_aware(value) else None)
        passed = (now - value).total_seconds()
        size = abs(passed)
        if size >= 86_400 - 60:
            # Its texts are those of "1 day, 2 hours ago", which timesince() puts together.
            timesince.timesince(value, _as_now(now, recorder), reversed=passed < 0)
        else:
            step = 3600 if size >= 3600 else 60 if size >= 60 else 1
            left = size % step if passed < 0 else step - size % step
            recorder.time_shown(now.timestamp() + left)
    elif recorder is not None and isinstance(value, date):
        recorder.time_shown(None)
    return original(value)


def _as_now(value: datetime, recorder: Recorder) -> Now:
    return Now.of(value, recorder, value.timestamp())


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
