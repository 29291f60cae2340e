"""What caches are told of a response: what it was made from (``Vary``, ``Cache-Control: private``),
and whether clients may keep it.

Rules of this module:

- What a view or another middleware has said stays, and nobody is contradicted: where a response
  says ``public``, it is.
- A page is private if it was made with somebody's identity. One that was made with there being
  none, is everybody's who has none: ``Vary`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers

from notmodified import conf
from notmodified.http.caching import directives
from notmodified.reads.kinds import COOKIE, META

_SAID = frozenset({"private", "public", "s-maxage", "no-store"})
_HEADER = "HTTP_"


def describe(response: HttpResponseBase, inputs: Mapping[tuple[str, str], Any]) -> None:
    """Tell caches what `response` was made from, of the `inputs` of its request."""
    if conf.current().VARY:
        names = {_field(kind, name) for kind, name in inputs} - {""}
        if names:
            patch_vary_headers(response, sorted(names))
    if conf.current().PRIVATE and any(
        value is not None and _is_identity(kind, name) for (kind, name), value in inputs.items()
    ):
        said = directives(response.headers.get("Cache-Control", ""))
        if _SAID.isdisjoint(said):
            patch_cache_control(response, private=True)


_NEVER = frozenset({"max-age", "no-cache", "no-store", "must-revalidate", "private"})
"""What ``never_cache`` says."""


def let_client_store(response: HttpResponseBase) -> None:
    """Where the settings allow it, have the client keep what ``never_cache`` wants to be asked for
    each time, and ask each time."""
    if conf.current().NEVER_CACHE != "revalidate":
        return
    said = directives(response.headers.get("Cache-Control", ""))
    if said.keys() == _NEVER and said["max-age"] == "0":
        response.headers["Cache-Control"] = "private, no-cache"
        del response.headers["Expires"]


def _field(kind: str, name: str) -> str:
    """The header field that an input comes with; nothing for what is no header's."""
    if kind == COOKIE:
        return "Cookie"
    if kind == META and name.startswith(_HEADER):
        return name.removeprefix(_HEADER).replace("_", "-").title()
    return ""


_OF_SOMEBODY: Final = frozenset(
    {
        *("HTTP_AUTHORIZATION", "REMOTE_USER", "HTTP_REMOTE_USER", "REMOTE_ADDR"),
        *("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_CF_CONNECTING_IP"),
        *("HTTP_TRUE_CLIENT_IP", "SSL_CLIENT_S_DN", "HTTP_X_CLIENT_CERT"),
    }
)
"""What says who asks, or from where."""


def _is_identity(kind: str, name: str) -> bool:
    if kind == COOKIE:
        return name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
    return name in _OF_SOMEBODY
