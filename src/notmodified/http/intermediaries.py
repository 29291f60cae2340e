"""Entity tags that a compressing intermediary has altered on their way to the client.

nginx and Varnish make a strong tag weak when they compress; Apache's mod_deflate and mod_brotli
append the coding inside the quotes, Jetty likewise. A client sends back what it was given.

Rules of this module:

- If-None-Match: an altered tag matches the tag it was made from, always. That is sound only if no
  tag of ours can be mistaken for an altered one, so what we emit never ends like one.
- If-Match: strong comparison forbids it (RFC 9110 §13.1.1). It is accepted only where the site
  says so, and only against a strong tag: nothing but the intermediary can have weakened it.
"""

from __future__ import annotations

import re
from typing import Final

from notmodified.http.entity_tags import EntityTag

CODING_SUFFIXES: Final = ("--gzip", "-gzip", ";gzip", "-br", "-zstd", "-deflate")

_SUFFIX: Final = "|".join(map(re.escape, CODING_SUFFIXES))
_ALTERED: Final = re.compile(rf"(?P<original>.*?)(?:{_SUFFIX})", re.DOTALL)
# A tag that ends in "-" would make "--gzip" out of "-gzip".
_MISTAKABLE: Final = re.compile(rf".*(?:{_SUFFIX}|-)~*", re.DOTALL)


def unmistakable(tag: EntityTag) -> EntityTag:
    """`tag`, such that it does not end like an altered tag (one more ``~`` where it did)."""
    if _MISTAKABLE.fullmatch(tag.opaque):
        return EntityTag(tag.opaque + "~", tag.weak)
    return tag


def as_sent(received: EntityTag) -> EntityTag:
    """The tag that an origin sent for a client to have `received`: without a coding's suffix."""
    match = _ALTERED.fullmatch(received.opaque)
    return EntityTag(match["original"], received.weak) if match else received
