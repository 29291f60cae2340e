"""System checks: what is set up wrong, found before a visitor finds it.

Identifiers: ``notmodified.E001`` and on are errors, ``notmodified.W001`` and on are warnings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from notmodified import conf
from notmodified.exchange.audit import findings
from notmodified.ledger.shared.memory import SharedMemoryError
from notmodified.middleware import is_automatic
from notmodified.records.databases import all_tables
from notmodified.writes.dependencies import watched
from notmodified.writes.log import install as log
from notmodified.writes.shared import in_charge, memory_of
from notmodified.writes.triggers.declare import models_with_versions
from notmodified.writes.triggers.install import states


def check_settings(**kwargs: Any) -> list[checks.CheckMessage]:
    """E001: ``NOTMODIFIED`` holds something that it cannot."""
    try:
        conf.current()
        watched()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="notmodified.E001")]
    return []


def check_middleware(**kwargs: Any) -> list[checks.CheckMessage]:
    """W001: the middleware is not first, so others change what it has hashed."""
    if conf.MIDDLEWARE in settings.MIDDLEWARE and not conf.is_first():
        return [
            checks.Warning(
                f"{conf.MIDDLEWARE} is not first in MIDDLEWARE.",
                hint="Put it first, so that it sees responses as they are sent.",
                id="notmodified.W001",
            )
        ]
    return []


def check_findings(**kwargs: Any) -> list[checks.CheckMessage]:
    """W006: an audit has found pages that nothing explains."""
    try:
        found = findings() if is_automatic() else {}
    except ImproperlyConfigured:
        return []  # E001 has said it
    return [
        checks.Warning(
            f"An audit has found that {path} is not what its record said. Pages of the route "
            f"{route!r} are not recorded any more.",
            hint="Say never_recorded or fresh_for to its view, or mend it, and run: "
            "manage.py notmodified audit --forget",
            id="notmodified.W006",
        )
        for route, path in sorted(found.items())
    ]


def check_cache(**kwargs: Any) -> list[checks.CheckMessage]:
    """E002: the cache is missing. E003, W002: it is not shared between
    processes. E004: it cannot count writers. E005: it forgets some of them."""
    try:
        settings_ = conf.current()
    except ImproperlyConfigured:
        return []  # E001 has said it
    try:
        cache = caches[settings_.CACHE]
    except InvalidCacheBackendError as error:
        hint = f'Name one of CACHES in NOTMODIFIED["CACHE"]: {", ".join(settings.CACHES)}.'
        return [checks.Error(str(error), hint=hint, id="notmodified.E002")]
    if not settings_.WATCH:
        return []
    if type(cache) is FileBasedCache:
        return [
            checks.Error(
                f"The tokens of NOTMODIFIED are kept in {settings_.CACHE!r}, a FileBasedCache: its "
                f"add() is not atomic, so that one writer's mark can be lost to another's.",
                hint="Use memcached, Redis or the database as NOTMODIFIED['CACHE'].",
                id="notmodified.E004",
            )
        ]
    if isinstance(cache, BaseMemcachedCache) and len(cache._servers) > 1:  # type: ignore[attr-defined]
        return [
            checks.Error(
                f"The tokens of NOTMODIFIED are kept in {settings_.CACHE!r}, which are "
                f"{len(cache._servers)} memcached servers: when one is away for a while, writes "  # type: ignore[attr-defined]
                f"go to another, and what it held comes back with it.",
                hint="Give the tokens a cache of their own, of one server.",
                id="notmodified.E005",
            )
        ]
    if not isinstance(cache, LocMemCache | DummyCache):
        return []
    # One process with threads is fine, and what runserver and tests are; nobody can see from
    # here how many processes a server will start.
    kind = checks.Warning if settings.DEBUG else checks.Error
    return [
        kind(
            f"The tokens of NOTMODIFIED are kept in {settings_.CACHE!r}, a "
            f"{type(cache).__name__}: each process has its own, and would answer 304 after another "
            f"process has written.",
            hint="Use memcached, Redis or the database as NOTMODIFIED['CACHE'].",
            id="notmodified.W002" if settings.DEBUG else "notmodified.E003",
        )
    ]


def check_build(**kwargs: Any) -> list[checks.CheckMessage]:
    """W003 (``check --deploy``): nothing tells one release from the next."""
    if conf.current().BUILD:
        return []
    return [
        checks.Warning(
            "NOTMODIFIED['BUILD'] is empty: a deployment that changes code or templates does "
            "not change the tags of explicit validators.",
            hint="Leave it out, or set it to the release or the commit.",
            id="notmodified.W003",
        )
    ]


def check_triggers(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W004 (``check --database``): triggers of a version field are missing or out of date."""
    if next(models_with_versions(), None) is None:
        return []
    return [
        checks.Warning(
            f"On database {alias!r}, {state.model._meta.label} lacks {len(state.missing)} of "
            f"{len(state.expected)} triggers, and has {len(state.leftover)} it should not have.",
            hint="Run: manage.py notmodified triggers install",
            id="notmodified.W004",
            obj=state.model,
        )
        for alias in databases or ()
        for state in states(connections[alias])
        if state.missing or state.leftover
    ]


def check_log(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """W005 (``check --database``): triggers of the log are missing or out of date."""
    if not is_automatic():
        return []
    return [
        checks.Warning(
            f"On database {alias!r}, the log does not cover the table {state.table}: "
            f"{len(state.missing)} of {len(state.expected)} triggers are missing or disabled, "
            f"{len(state.leftover)} are out of date. No page that reads it is answered without "
            f"its view.",
            hint="Run: manage.py notmodified triggers install",
            id="notmodified.W005",
        )
        for alias in databases or ()
        if log.is_supported(connections[alias])
        for state in log.states(connections[alias], all_tables(connections[alias]))
        if not (state.covered or state.problem)
    ]


def check_charge(
    *, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """E006 (``check --database``): the file in shared memory cannot be used; or another ledger is
    in charge, which this process would write past. W007: none is in charge, so that the database is
    asked each time."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if not log.is_supported(connection):
            continue
        charge = in_charge(connection)
        try:
            memory = memory_of(connection) if conf.current().LEDGER == conf.SHARED else None
        except SharedMemoryError as error:
            found.append(checks.Error(f"Of database {alias!r}: {error}.", id="notmodified.E006"))
            continue
        if charge is not None and (memory is None or not memory.is_named_in(charge)):
            found.append(
                checks.Error(
                    f"Database {alias!r} says that a ledger in shared memory is in charge of it, "
                    f"which is not this process's: what this one writes would not be seen.",
                    hint="Give all processes the same LEDGER and SHARED_DIRECTORY. If no process "
                    "uses the other one any more, run: manage.py notmodified ledger use "
                    + ("shared --force" if memory is not None else "database"),
                    id="notmodified.E006",
                )
            )
        elif charge is None and memory is not None:
            found.append(
                checks.Warning(
                    f"Database {alias!r} does not say that its ledger in shared memory is in "
                    f"charge, so it is asked each time.",
                    hint="Once every process that writes to it runs with LEDGER = 'shared', run: "
                    "manage.py notmodified ledger use shared",
                    id="notmodified.W007",
                )
            )
    return found
