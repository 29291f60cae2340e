"""Which header fields a 304 repeats (RFC 9110 §15.4.5, §8).

Rule: a 304 repeats every field that the 200 would carry, except representation metadata (§8),
which describes content that a 304 has not, except Set-Cookie, and except what belongs to one
connection (§7.6.1). ETag and Content-Location are metadata that §15.4.5 asks for by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

REPRESENTATION_METADATA: Final = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "repr-digest",
        "trailer",
    }
)
HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
_NOT_REPEATED: Final = REPRESENTATION_METADATA | HOP_BY_HOP | {"set-cookie", "age"}


def repeated_in_304(
    fields: Iterable[tuple[str, str]], besides: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    """Those of a 200's header fields that a 304 in its place repeats, in their order, but for some
    that are left out `besides`, in lower case."""
    left_out = _NOT_REPEATED | besides
    return [field for field in fields if field[0].lower() not in left_out]
