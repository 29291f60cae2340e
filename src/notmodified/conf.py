"""The settings dict ``NOTMODIFIED``, read once and checked.

Rule: nothing else in the package reads it. An unknown name or an impossible value is an error
that says what to write instead.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver

_TYPES: dict[str, tuple[type, ...]] = {
    "WATCH": (list, tuple),
    "HARMLESS": (list, tuple),
    "LEDGER": (str, type(None)),
    "AUDIT": (int, float),
}
SHARED: Final = "shared"
"""The ledger in shared memory, in ``LEDGER``."""
_CHOICES = {
    "LEDGER": ("auto", "database", SHARED, None),
    "CSRF": ("explain", "normalise"),
    "NEVER_CACHE": ("respect", "revalidate"),
    "ALTERED_IF_MATCH": ("refuse", "accept"),
}


MIDDLEWARE: Final = "notmodified.middleware.NotModifiedMiddleware"


@cache
def is_first() -> bool:
    """Whether no middleware stands around ours, so that who stands around all may answer in its
    place."""
    return list(settings.MIDDLEWARE[:1]) == [MIDDLEWARE]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project can say in ``NOTMODIFIED``; every name has a default."""

    LEDGER: str | None = "auto"
    """Where it is kept what has moved: ``"database"`` (triggers in the database itself), ``"auto"``
    (the same), ``"shared"`` (the same, and a file in shared memory that says whether anybody has
    written), or ``None``: then nothing is recorded, and nothing is answered automatically."""

    SHARED_DIRECTORY: str = ""
    """The directory of files in shared memory, for databases other than SQLite, beside which they
    are; without it, one below ``/dev/shm``. It has to be the same for all processes of a site."""

    CACHE: str = "default"
    """Alias of the Django cache in which tokens and times of first sight are kept."""

    WATCH: tuple[str, ...] | list[str] = ()
    """Models ("app.Model") whose writes through Django replace tokens; `token` needs them named
    here, because every process that writes must know."""

    BUILD: str = "auto"
    """Names the running code and templates (a release, a commit); part of every computed tag.
    ``"auto"`` is a fingerprint of them, ``""`` nothing."""

    CSRF: str = "normalise"
    """What the content hash does with masked CSRF tokens: ``"normalise"`` leaves the mask out of a
    weak tag, which is bound to the client's secret; ``"explain"`` leaves the page without a tag and
    gives the reason."""

    ALTERED_IF_MATCH: str = "refuse"
    """Whether If-Match may name a tag which a compressing proxy weakened or suffixed:
    ``"refuse"`` (RFC 9110 §13.1.1) or ``"accept"``."""

    VARY: bool = True
    """Whether ``Vary`` names the header fields that a response was made from."""

    PRIVATE: bool = True
    """Whether a response that was made with somebody's session, CSRF secret, credentials or address
    says ``Cache-Control: private``, unless it speaks of shared caches itself."""

    NEVER_CACHE: str = "respect"
    """What becomes of responses that Django's ``never_cache`` forbids to store, as all of its admin
    are: ``"respect"``, or ``"revalidate"``: the client may store them, and asks each time."""

    HARMLESS: tuple[str, ...] | list[str] = ()
    """Modules and functions ("shop.timing", "shop.views.Page.dispatch") that use the clock, chance,
    the environment or the state of files, and show it to nobody."""

    AUDIT: float = 0.001
    """The fraction of answers from records for which the view is run all the same, to compare what
    it shows: 0 for none, 1 for all, as in tests."""

    CACHE_STATUS: bool = False
    """Whether answers carry their reason in ``Cache-Status`` (RFC 9211)."""


class SettingsError(ImproperlyConfigured):
    """``NOTMODIFIED`` holds something that it cannot."""


def read(given: Any) -> Settings:
    """`given` as :class:`Settings`. Raises SettingsError, saying what to write instead."""
    if not isinstance(given, dict):
        raise SettingsError(f"NOTMODIFIED must be a dict, not {type(given).__name__}.")
    known = {field.name: field for field in fields(Settings)}
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(str(name).upper(), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
            raise SettingsError(f"NOTMODIFIED has no setting {name!r}.{hint}")
        expected = _TYPES.get(name) or (type(known[name].default),)
        if not isinstance(value, expected):
            names = " or ".join(type_.__name__ for type_ in expected)
            raise SettingsError(f"NOTMODIFIED[{name!r}] must be of type {names}, not {value!r}.")
        if name in _CHOICES and value not in _CHOICES[name]:
            choices = " or ".join(map(repr, _CHOICES[name]))
            raise SettingsError(f"NOTMODIFIED[{name!r}] must be {choices}, not {value!r}.")
        if name == "AUDIT" and isinstance(value, int | float) and not 0 <= value <= 1:
            raise SettingsError(f"NOTMODIFIED['AUDIT'] must be from 0 to 1, not {value!r}.")
    return Settings(**given)


@cache
def current() -> Settings:
    """The project's settings. Raises SettingsError where they are wrong."""
    return read(getattr(settings, "NOTMODIFIED", {}))


@receiver(setting_changed)
def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "NOTMODIFIED":
        current.cache_clear()
    if setting == "MIDDLEWARE":
        is_first.cache_clear()
