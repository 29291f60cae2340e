"""What a thread has set before a request is looked at: the language and the time zone.

Rules of this module:

- What is compared is all that a page may show of them.
- Where LocaleMiddleware comes before anything that might, the language that the last request has
  left makes no difference: each gets its own.
"""

from __future__ import annotations

import itertools
from contextvars import ContextVar
from functools import cache
from threading import get_ident
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import trans_real

from notmodified import conf
from notmodified.records.shared import shared


class _Compared:
    """A time zone: those of dateutil are equal, and have no hash."""

    def __init__(self, zone: Any) -> None:
        self._zone = zone

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Compared) and bool(self._zone == other._zone)

    def __hash__(self) -> int:
        return 0


class _Active:
    """What is active in this thread or task, of what Django keeps in an asgiref ``Local``.

    Where that keeps its values in a context variable, they are taken from there, which takes a
    tenth of the time.
    """

    def __init__(self, local: Any) -> None:
        self._local = local
        variable = getattr(getattr(local, "_storage", None), "_data", None)
        self._variable = variable if isinstance(variable, ContextVar) else None

    def value(self) -> Any:
        """What is active, or ``None``."""
        kept = None if self._variable is None else self._variable.get(None)
        if kept is None and self._variable is not None:
            return None
        data = getattr(kept, "data", kept)
        if type(data) is not dict or getattr(kept, "thread_id", get_ident()) != get_ident():
            return getattr(self._local, "value", None)
        return data.get("value")


# Private, but the same in all supported versions; asking by the front door takes ten times as long.
_LANGUAGE = _Active(vars(trans_real)["_active"])
_TIME_ZONE = _Active(vars(timezone)["_active"])


def surroundings() -> tuple[Any, ...]:
    """The language, the time zone and its name.

    Each language has one object. Time zones may be equal in all but their names, which pages show.
    """
    language = None if _is_language_chosen() else _LANGUAGE.value()
    zone = _TIME_ZONE.value()
    if language is None and zone is None:
        return defaults()
    default_language, default_zone, default_name = defaults()
    if zone is None:
        return shared((language or default_language, default_zone, default_name))
    return shared((language or default_language, _Compared(zone), _name_of(zone)))


def spoken() -> tuple[str, str]:
    """The language and the time zone that are active, as texts; empty where the settings have
    none."""
    language, zone = _LANGUAGE.value(), _TIME_ZONE.value()
    if language is None and zone is None:
        return _default_texts()
    default_language, default_zone = _default_texts()
    if language is not None and settings.USE_I18N:
        default_language = language.to_language() or ""
    if zone is not None and settings.USE_TZ:
        default_zone = _text_of(zone)
    return default_language, default_zone


@cache
def _default_texts() -> tuple[str, str]:
    language = settings.LANGUAGE_CODE if settings.USE_I18N else ""
    return language, _text_of(timezone.get_default_timezone()) if settings.USE_TZ else ""


def _text_of(zone: Any) -> str:
    """Its str() need not tell its offset, nor need zones that are equal have one name."""
    return repr(zone)


_LOCALE: Final = "django.middleware.locale.LocaleMiddleware"
_WITHOUT_LANGUAGE: Final = frozenset(
    {
        conf.MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
    }
)
"""Middleware that speaks no language before the view has run."""


@cache
def _is_language_chosen() -> bool:
    """Whether each request is given its language before anything speaks it."""
    before = itertools.takewhile(lambda name: name != _LOCALE, settings.MIDDLEWARE)
    return _LOCALE in settings.MIDDLEWARE and _WITHOUT_LANGUAGE.issuperset(before)


def _name_of(zone: Any) -> str:
    return str(zone.tzname(None) or zone)


@cache
def defaults() -> tuple[Any, Any, str]:
    """What is active where nobody has set anything."""
    language = trans_real.translation(settings.LANGUAGE_CODE) if settings.USE_I18N else None
    zone = timezone.get_default_timezone()
    return language, _Compared(zone), _name_of(zone)


@receiver(setting_changed)
def _settings_changed(**kwargs: Any) -> None:
    defaults.cache_clear()
    _default_texts.cache_clear()
    _is_language_chosen.cache_clear()
