"""Preconditions of a request, judged against the selected representation (RFC 9110 §13).

The order is that of §13.2.2: If-Match, else If-Unmodified-Since; then If-None-Match, else (for GET
and HEAD) If-Modified-Since. Ranges come after, and are judged by whoever serves them.

Rules of this module:

- Judging never raises, whatever was received.
- It fails closed: a malformed If-Match, and on unsafe methods a malformed If-None-Match, refuses
  the request; a malformed value never yields *not modified*.
- A date that is none, or a list of dates, is ignored, as §13.1.3 and §13.1.4 demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from notmodified.http import intermediaries
from notmodified.http.dates import parse_date
from notmodified.http.entity_tags import EntityTag, EntityTags

SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})
UNCONDITIONAL: Final = frozenset({"CONNECT", "OPTIONS", "TRACE"})
"""Methods that select no representation: preconditions on them are ignored (§13.2.1)."""

FIELDS: Final = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since")


class Altered(Enum):
    """Where a tag may be recognised in the form an intermediary gave it (``intermediaries``)."""

    NOWHERE = "nowhere"
    """For tags that are not of our making: they may end like altered ones."""
    IF_NONE_MATCH = "if-none-match"
    EVERYWHERE = "everywhere"


class Verdict(Enum):
    """What the preconditions make of a request; the value is the status code, if they answer it."""

    PROCEED = None
    NOT_MODIFIED = 304
    PRECONDITION_FAILED = 412


class Representation(NamedTuple):
    """What is known of the selected representation before the method is performed.

    `last_modified` counts seconds since 1970; `settled` is whether that second had passed when it
    was read, so that no second change can hide in it (§8.8.2.2). `exists` is whether the target
    has a current representation at all; ``None`` means that nobody knows.
    """

    etag: EntityTag | None = None
    last_modified: int | None = None
    settled: bool = True
    exists: bool | None = True


ABSENT: Final = Representation(exists=False)
UNKNOWN: Final = Representation(exists=None)


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional header fields of one request; ``None`` where a field was not sent."""

    if_match: EntityTags | None = None
    if_none_match: EntityTags | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None

    def __bool__(self) -> bool:
        return not (
            self.if_none_match is None
            and self.if_modified_since is None
            and self.if_match is None
            and self.if_unmodified_since is None
        )

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> Preconditions:
        """Read them from a mapping with the field names spelt as in :data:`FIELDS`."""
        return parse_fields(*map(fields.get, FIELDS))

    def judge(
        self,
        method: str,
        representation: Representation,
        *,
        altered: Altered = Altered.IF_NONE_MATCH,
    ) -> Verdict:
        """The verdict of §13.2.2 for a request with `method`, in its upper-case spelling."""
        if method in UNCONDITIONAL:
            return Verdict.PROCEED
        if self.if_match is not None:
            if not _if_match(self.if_match, representation, altered):
                return Verdict.PRECONDITION_FAILED
        elif self.if_unmodified_since is not None and _changed_since(
            self.if_unmodified_since, representation
        ):
            return Verdict.PRECONDITION_FAILED
        if self.if_none_match is not None:
            return _judge_if_none_match(self.if_none_match, method, representation, altered)
        if (
            self.if_modified_since is not None
            and method in SAFE_TO_REPEAT
            and _unchanged_since(self.if_modified_since, representation)
        ):
            return Verdict.NOT_MODIFIED
        return Verdict.PROCEED


@lru_cache(maxsize=4096)
def parse_fields(
    if_match: str | None,
    if_unmodified_since: str | None,
    if_none_match: str | None,
    if_modified_since: str | None,
) -> Preconditions:
    """The preconditions that field values spell, in the order of :data:`FIELDS`.

    Kept for a while: one client asks for many pages, and many clients hold the same page.
    """
    return Preconditions(
        None if if_match is None else EntityTags.parse(if_match),
        None if if_none_match is None else EntityTags.parse(if_none_match),
        if_modified_since,
        if_unmodified_since,
    )


def _changed_since(value: str, representation: Representation) -> bool:
    date = parse_date(value)
    if date is None or representation.last_modified is None:
        return False
    # An unsettled time may stand for a change that the sender of the date has not seen.
    return representation.last_modified > date or not representation.settled


def _unchanged_since(value: str, representation: Representation) -> bool:
    if representation.last_modified is None or not representation.settled:
        return False
    date = parse_date(value)
    return date is not None and representation.last_modified <= date


def _if_match(received: EntityTags, representation: Representation, altered: Altered) -> bool:
    """§13.1.1: whether If-Match is true. What nobody knows to exist matches nothing."""
    if received.any:
        return representation.exists is True
    current = representation.etag
    if current is None or current.weak:
        return False
    if altered is Altered.EVERYWHERE:
        return _weakly_matches(received, current, altered)
    return any(tag.strongly_matches(current) for tag in received)


def _judge_if_none_match(
    received: EntityTags, method: str, representation: Representation, altered: Altered
) -> Verdict:
    safe = method in SAFE_TO_REPEAT
    if received.malformed:
        true = safe
    elif representation.exists is None and representation.etag is None:
        # Nobody knows what there is to match: run a GET, refuse a write.
        true = safe
    elif received.any:
        true = representation.exists is False
    else:
        true = representation.etag is None or not _weakly_matches(
            received, representation.etag, altered
        )
    if true:
        return Verdict.PROCEED
    return Verdict.NOT_MODIFIED if safe else Verdict.PRECONDITION_FAILED


def _weakly_matches(received: EntityTags, current: EntityTag, altered: Altered) -> bool:
    for tag in received.tags:  # the common case, and the one that has to be fast
        if tag.opaque == current.opaque:
            return True
    return altered is not Altered.NOWHERE and any(
        intermediaries.as_sent(tag).weakly_matches(current) for tag in received
    )
