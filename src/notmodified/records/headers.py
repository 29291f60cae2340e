"""The header fields that a 304 repeats, remembered from the 200 that had them.

A 304 carries what the 200 in its place would carry (RFC 9110 §15.4.5). Whoever answers before the
view has run cannot know that, except by having seen that 200. So each process remembers, for each
200 with a validator, the fields to repeat, under everything they may depend on: the view, the
URL, the validators, and the request's values of the fields that ``Vary`` names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from copy import deepcopy
from dataclasses import dataclass
from threading import Lock
from typing import Final, NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase, ResponseHeaders

from notmodified.http.caching import directives
from notmodified.http.dates import format_date, parse_date
from notmodified.http.fields import repeated_in_304
from notmodified.records.shared import shared

MOST: Final = 16_384
"""How many resources a process remembers; the least recently used goes first."""

MOST_VARIANTS: Final = 64
"""How many 200s of one resource, of different versions and request fields; the oldest goes."""

_OF_EACH_ANSWER: Final = frozenset({"cache-status", "date"})
"""Fields that whoever answers knows for each answer anew."""

_OF_EACH_CLIENT: Final = _OF_EACH_ANSWER | {"etag", "last-modified"}
"""The same where the validators are bound to one client's secret."""

Resource = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RememberedHeaders:
    """The fields to repeat.

    `expires_after` is the number of seconds after the answer at which it expires, where the
    response said so relatively; the field itself is then not in `fields`.
    `marks` are the attributes by which a view speaks to middleware around it. `csrf_masked` is
    whether the 200 held a CSRF token.
    """

    fields: tuple[tuple[str, str], ...]
    expires_after: int | None
    marks: tuple[tuple[str, object], ...]
    csrf_masked: bool

    def lines_now(self, now: float) -> list[tuple[str, str]]:
        """The fields, for an answer that is made `now`."""
        if self.expires_after is None:
            return list(self.fields)
        return [*self.fields, ("Expires", format_date(int(now) + self.expires_after))]

    def headers(self, now: float) -> ResponseHeaders:
        """The fields, for an answer that is made `now`."""
        headers = ResponseHeaders({})
        # Setting each field would check and convert anew what has been sent before.
        headers._store.update([(field[0].lower(), field) for field in self.fields])
        if self.expires_after is not None:
            headers["Expires"] = format_date(int(now) + self.expires_after)
        return headers


def headers_of(response: HttpResponseBase, *, csrf_masked: bool, now: float) -> RememberedHeaders:
    """What a 304 in the place of `response` repeats."""
    left_out = _OF_EACH_CLIENT if csrf_masked else _OF_EACH_ANSWER
    expires_after = _expires_after(response, now)
    if expires_after is not None:
        left_out |= {"expires"}
    fields = tuple(map(shared, repeated_in_304(response.items(), left_out)))
    return RememberedHeaders(fields, expires_after, marks_of(response), csrf_masked)


def marks_of(response: HttpResponseBase) -> tuple[tuple[str, object], ...]:
    """The attributes by which a view tells middleware further out which header to send:
    ``xframe_options_exempt``, and those of content security policies."""
    return tuple(
        [
            (name, deepcopy(value))
            for name, value in vars(response).items()
            if name == "xframe_options_exempt" or name.startswith("_csp_")
        ]
    )


def resource_of(view: str, request: HttpRequest) -> Resource:
    """What distinguishes the resources of one site: the view and the effective request URI."""
    meta = request.META
    return (
        view,
        request.scheme or "",
        meta.get("HTTP_HOST") or meta.get("SERVER_NAME", ""),
        # Whether these count is a setting; to tell more resources apart than there are is no harm.
        meta.get("HTTP_X_FORWARDED_HOST", ""),
        meta.get("HTTP_X_FORWARDED_PORT", ""),
        request.path,
        meta.get("QUERY_STRING", ""),
    )


class _Variants(NamedTuple):
    """The 200s of one resource: the ``META`` keys they vary by, and what is remembered of each."""

    vary: tuple[str, ...]
    remembered: OrderedDict[Hashable, RememberedHeaders]


class HeaderMemory:
    """A bounded memory of :class:`RememberedHeaders`, shared by the threads of a process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._resources: OrderedDict[Resource, _Variants] = OrderedDict()
        self._lock = Lock()

    def recall(
        self, resource: Resource, request: HttpRequest, version: Hashable
    ) -> RememberedHeaders | None:
        with self._lock:
            variants = self._resources.get(resource)
            if variants is None:
                return None
            self._resources.move_to_end(resource)
            return variants.remembered.get((version, _selecting(variants.vary, request)))

    def remember(
        self,
        resource: Resource,
        request: HttpRequest,
        version: Hashable,
        response: HttpResponseBase,
        *,
        csrf_masked: bool,
        now: float,
    ) -> None:
        vary = _vary_names(response)
        if "*" in vary:
            return
        headers = headers_of(response, csrf_masked=csrf_masked, now=now)
        with self._lock:
            variants = self._resources.get(resource)
            if variants is None or variants.vary != vary:
                variants = self._resources[resource] = _Variants(vary, OrderedDict())
            self._resources.move_to_end(resource)
            key = version, _selecting(vary, request)
            variants.remembered[key] = headers
            variants.remembered.move_to_end(key)
            while len(variants.remembered) > MOST_VARIANTS:
                variants.remembered.popitem(last=False)
            while len(self._resources) > self._most:
                self._resources.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._resources.clear()


def _vary_names(response: HttpResponseBase) -> tuple[str, ...]:
    """The fields that ``Vary`` names, as the keys of ``META``; ``"*"`` as it is."""
    value = response.headers.get("Vary", "")
    names = {name.strip().upper().replace("-", "_") for name in value.split(",")} - {""}
    return tuple(sorted(name if name == "*" else f"HTTP_{name}" for name in names))


def _selecting(vary: tuple[str, ...], request: HttpRequest) -> tuple[str | None, ...]:
    return tuple([request.META.get(name) for name in vary]) if vary else ()


def _expires_after(response: HttpResponseBase, now: float) -> int | None:
    """Seconds from now to Expires, if that is what ``max-age`` says too, as Django writes it."""
    expires = parse_date(response.headers.get("Expires", ""))
    if expires is None:
        return None
    max_age = directives(response.headers.get("Cache-Control", "")).get("max-age")
    if max_age is None or not max_age.isdecimal():
        return None
    return int(max_age) if abs(expires - now - int(max_age)) <= 2 else None


MEMORY: Final = HeaderMemory()
