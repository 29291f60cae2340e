"""Entity tags and the field values made of them (RFC 9110 §8.8.3, §13.1.1, §13.1.2).

::

    entity-tag    = [ weak ] opaque-tag
    weak          = %s"W/"                      ; case-sensitive
    opaque-tag    = DQUOTE *etagc DQUOTE
    etagc         = %x21 / %x23-7E / obs-text   ; VCHAR except double quotes, plus obs-text
    If-Match      = "*" / [ entity-tag *( OWS "," OWS entity-tag ) ]

Rules of this module:

- A list is read by the grammar, never split at commas: a comma may stand inside a tag.
- Empty list elements are accepted, as a recipient must (RFC 9110 §5.6.1.2).
- What we emit is narrower than what we accept: ASCII without backslash and comma, because other
  implementations unescape the one and split at the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

OWS = r"[ \t]*"
etagc = r"[\x21\x23-\x7e\x80-\xff]"
opaque_tag = rf'"{etagc}*"'
entity_tag = rf"(?:W/)?{opaque_tag}"

_ENTITY_TAG = re.compile(rf'(?P<weak>W/)?"(?P<opaque>{etagc}*)"')
# Each blank can be read in one way only, so that no value takes more than linear time.
_TAG_LIST = re.compile(rf"(?:{OWS}(?:{entity_tag}{OWS})?,)*{OWS}(?:{entity_tag}{OWS})?")
_EMITTABLE = re.compile(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]*")


class EntityTag(NamedTuple):
    """One entity tag: an opaque value and whether it is weak (RFC 9110 §8.8.3)."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'

    @classmethod
    def parse(cls, value: str) -> EntityTag | None:
        """The tag that `value` spells, or ``None`` where it spells none."""
        match = _ENTITY_TAG.fullmatch(value)
        return cls(match["opaque"], match["weak"] is not None) if match else None

    @classmethod
    def of(cls, value: str, *, weak: bool = False) -> EntityTag:
        """A tag that may be emitted, for any text at all.

        Text that a tag cannot carry safely (see the module's rules) is replaced by its hash: equal
        texts keep equal tags, different texts different ones.
        """
        if not _EMITTABLE.fullmatch(value):
            value = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return cls(value, weak)

    def strongly_matches(self, other: EntityTag) -> bool:
        """Strong comparison (RFC 9110 §8.8.3.2): same opaque value, neither is weak."""
        return self.opaque == other.opaque and not (self.weak or other.weak)

    def weakly_matches(self, other: EntityTag) -> bool:
        """Weak comparison (RFC 9110 §8.8.3.2): same opaque value."""
        return self.opaque == other.opaque

    def weakened(self) -> EntityTag:
        return EntityTag(self.opaque, weak=True)


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of If-Match or If-None-Match.

    `any` is the form ``*``. `malformed` says that the value follows neither form; it then matches
    nothing, and who asks for a change under it must be refused.
    """

    tags: tuple[EntityTag, ...] = ()
    any: bool = False
    malformed: bool = False

    def __iter__(self) -> Iterator[EntityTag]:
        return iter(self.tags)

    @classmethod
    def parse(cls, value: str) -> EntityTags:
        """Read a field value; several field lines come in joined by commas (RFC 9110 §5.3)."""
        value = value.strip(" \t")
        if value == "*":
            return ANY
        # A value without a single tag says nothing that could be judged true.
        if not _TAG_LIST.fullmatch(value) or '"' not in value:
            return MALFORMED
        return cls(
            tuple(
                EntityTag(match["opaque"], match["weak"] is not None)
                for match in _ENTITY_TAG.finditer(value)
            )
        )


ANY: Final = EntityTags(any=True)
MALFORMED: Final = EntityTags(malformed=True)
