"""Audits pages on demand: each is asked for several times, and must be the same as long as its
record holds.

Rule of this module: what is asked for, and how, is that of :mod:`notmodified.explaining`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from notmodified import explaining

SAME, DIFFERS, MOVED, NOT_RECORDED = "same", "differs", "moved meanwhile", "not recorded"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit of one page has come to: :data:`SAME`, :data:`DIFFERS`, :data:`MOVED` or
    :data:`NOT_RECORDED`, and `detail`."""

    url: str
    outcome: str
    detail: str


def audit(
    url: str, *, times: int, user: str | None = None, headers: Mapping[str, str] | None = None
) -> Finding:
    """Ask for `url` until it is recorded, and then so many `times` more. Raises
    UnknownUserError."""
    with explaining.visitor(url, user=user, headers=headers) as visit:
        response, trace = visit.until_recorded()
        record = trace.record
        if record is None:
            objection = explaining.objection_to(response, trace)
            return Finding(url, NOT_RECORDED, str(objection))
        first = _shown(response)
        for _ in range(times):
            response = visit()[0]
            now = _shown(response)
            if (response.status_code, now) != (200, first):
                if not record.holds():
                    return Finding(url, MOVED, "its rows, inputs or time; audit it again")
                return Finding(url, DIFFERS, f"{response.status_code} {now}, was 200 {first}")
        return Finding(url, SAME, f"{times} times")


def _shown(response: Any) -> str | None:
    """What is compared: the tag, which is a hash of the content; or of a stream, whose tag is
    another one each time, that hash."""
    if response.streaming:
        return blake2b(response.getvalue(), digest_size=16).hexdigest()
    tag: str | None = response.headers.get("ETag")
    return tag


_CONVERTER: Final = re.compile(r"<[^>]+>")
_SPECIAL: Final = re.compile(r"[\\.^$*+?()[\]{}|]")


def all_urls() -> list[str]:
    """The project's paths that take no parameters."""
    return sorted(set(_paths(get_resolver(), "/")))


def _paths(resolver: URLResolver, before: str) -> Iterator[str]:
    for one in resolver.url_patterns:
        route = _literal(one.pattern)
        if route is None:
            continue
        if isinstance(one, URLPattern):
            yield before + route
        else:
            yield from _paths(one, before + route)


def _literal(pattern: Any) -> str | None:
    """What a pattern matches, if that is one text."""
    text = str(pattern)
    if isinstance(pattern, RoutePattern):
        return None if _CONVERTER.search(text) else text
    text = text.removeprefix("^").removesuffix("$").removesuffix("\\Z")
    return None if _SPECIAL.search(text) else text
