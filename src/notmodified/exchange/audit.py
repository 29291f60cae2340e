"""Now and then a view is run although a record would answer, and what it shows is compared with
what the client holds: for what nobody can see from outside (``datetime.now()``, a variable of the
process).

Rules of this module:

- The client gets what the view shows. A page that differs although its record holds, from before
  the view had run until after, is a *finding*: it is logged in full, and responses of that route
  are not recorded any more.
- Findings are kept in the cache of the setting ``CACHE``, so that other processes and the system
  check know of them, where that is shared.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from random import random as chance
from typing import Any, Final

from django.core.cache import caches
from django.http import HttpRequest

from notmodified import conf
from notmodified.reasons import logger
from notmodified.records.explain import explain
from notmodified.records.store import RECORDS, Record

_KEY: Final = "notmodified.findings"
_ASKS_EVERY: Final = 60.0
"""Seconds between two looks of one process at what others have found."""

_ORDERED: Final[ContextVar[bool]] = ContextVar("notmodified.audit", default=False)
_found: Final[dict[str, str]] = {}
_asked: Final = [0.0]


def is_due() -> bool:
    """Whether this answer is to be audited."""
    if _ORDERED.get():
        _ORDERED.set(False)
        return True
    rate = conf.current().AUDIT
    return rate > 0 and chance() < rate


def order() -> None:
    """Have the middleware audit the request that comes to it next in this context: whoever is in
    front of it cannot."""
    _ORDERED.set(True)


def report(request: HttpRequest, record: Record, shown: str) -> None:
    """A view has `shown` something else than `record` says it would."""
    route = route_of(request)
    depends = "; ".join(f"{one.what} ({one.why})" for one in explain(record)) or "nothing"
    logger.error(
        "audit: %s %s is not what its record says it is: %s was held, and the view shows %s. "
        "It was known to depend on: %s. Pages of %r are not recorded any more. Something shapes "
        "them that nobody sees: see never_recorded and fresh_for.",
        request.method,
        request.get_full_path(),
        record.representation.etag or record.representation.last_modified,
        shown,
        depends,
        route,
    )
    _found[route] = request.get_full_path()
    RECORDS.forget()
    _share()


def is_blocked(request: HttpRequest) -> bool:
    """Whether there was a finding for the route of `request`."""
    now = time.monotonic()
    if now - _asked[0] > _ASKS_EVERY:
        _asked[0] = now
        known = findings()
        if known.keys() - _found.keys():
            _found.update(known)
            RECORDS.forget()
    return route_of(request) in _found


def findings() -> dict[str, str]:
    """The routes for which there was a finding, and the address of one."""
    try:
        return {**(caches[conf.current().CACHE].get(_KEY) or {}), **_found}
    except Exception as error:  # each client has its own
        logger.warning("the cache did not say what audits have found: %s", error)
        return dict(_found)


def forget_findings() -> None:
    """What was found is mended."""
    _found.clear()
    caches[conf.current().CACHE].delete(_KEY)


def _share() -> None:
    try:
        caches[conf.current().CACHE].set(_KEY, findings(), timeout=None)
    except Exception as error:  # each client has its own
        logger.warning("the cache did not take what an audit has found: %s", error)


def route_of(request: HttpRequest) -> str:
    """What the URLconf calls the place; the path where it knows none."""
    match: Any = request.resolver_match
    return str(match.route) if match is not None else request.path
