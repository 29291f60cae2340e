"""Freshness as a response states it (RFC 9111 §4.2, §5.2).

::

    Cache-Control   = [ cache-directive *( OWS "," OWS cache-directive ) ]
    cache-directive = token [ "=" ( token / quoted-string ) ]

Rule: a response that carries a validator and states no freshness invites clients to guess one
from Last-Modified (§4.2.2), and what they then show may be stale. So it says ``no-cache``:
store it, and ask each time.
"""

from __future__ import annotations

import re
from typing import Final

token = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
quoted_string = r'"(?:[^"\\]|\\.)*"'
_DIRECTIVE: Final = re.compile(rf"({token})(?:=({token}|{quoted_string}))?")

_FRESHNESS: Final = frozenset({"max-age", "no-cache", "no-store"})


def directives(cache_control: str) -> dict[str, str | None]:
    """The directives of a Cache-Control value, names in lower case, arguments unquoted."""
    return {
        name.lower(): argument.strip('"') if argument else None
        for name, argument in _DIRECTIVE.findall(cache_control)
    }


def with_stated_freshness(cache_control: str | None, *, expires: bool) -> str | None:
    """The Cache-Control value that leaves no client to guess.

    `expires` is whether the response has an Expires field. A value which already states freshness
    for every cache comes back as it is.
    """
    stated = directives(cache_control or "")
    if expires or not _FRESHNESS.isdisjoint(stated):
        return cache_control
    # s-maxage speaks to shared caches alone; `no-cache` would take it back.
    addition = "max-age=0" if "s-maxage" in stated else "no-cache"
    return f"{cache_control}, {addition}" if stated else addition
