"""The probed resource: its current representation, and what its server judges at all.

Rules of this module:

- `current` is the latest plain GET; conditions are built from its validators.
- What a server judges (`judges_…`) is asked once. A rule about the details of a condition does not
  apply where the condition is never judged: that is another rule's violation.
- An unsafe method is first sent under a false If-Match. Where that does not stop it, no other
  unsafe request is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from secrets import token_hex
from time import time

from notmodified.conformance.client import Client, FieldLine, Response, Target
from notmodified.conformance.exchange import Exchange
from notmodified.conformance.fields import EntityTag, imf_fixdate, parse_date
from notmodified.conformance.findings import Finding, not_applicable

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Unsafe:
    """An unsafe request that the user allows to be sent."""

    method: str
    content: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Revalidation:
    """A 304 and the 200 that the same request has without the condition."""

    ok: Response
    exchange: Exchange

    @property
    def response(self) -> Response:
        return self.exchange.response


@dataclass(frozen=True, slots=True)
class Trial:
    """An unsafe request under a false condition, and whether the resource changed by it."""

    exchange: Exchange
    changed: bool | None  # None: it changes at each GET anyway

    @property
    def refused(self) -> bool:
        return self.exchange.status == 412 and not self.changed


class Origin:
    """A resource under probe."""

    def __init__(self, client: Client, target: Target, unsafe: Unsafe | None = None) -> None:
        self.client = client
        self.target = target
        self.unsafe = unsafe
        # Names that no server can have given to anything.
        self.unknown_tag = EntityTag(f"never-{token_hex(8)}")
        self.absent = target.sibling(f"absent-{token_hex(8)}")
        self.controls: list[Response] = []
        self.control()

    # Requests

    def control(self) -> Response:
        """A plain GET, which becomes `current`."""
        self.current = self.client.send(self.target, "GET")
        self.controls.append(self.current)
        return self.current

    def ask(
        self,
        method: str,
        *fields: FieldLine,
        target: Target | None = None,
        omit: Collection[str] = (),
    ) -> Exchange:
        response = self.client.send(target or self.target, method, fields, omit=omit)
        where = target.path if target else ""
        if omit:
            where = f"{where} without {', '.join(sorted(omit))}".lstrip()
        return Exchange(method, fields, response, where)

    def get(self, *fields: FieldLine) -> Exchange:
        return self.ask("GET", *fields)

    def head(self, *fields: FieldLine) -> Exchange:
        return self.ask("HEAD", *fields)

    def options(self, *fields: FieldLine) -> Exchange:
        return self.ask("OPTIONS", *fields)

    def perform(self, unsafe: Unsafe, *fields: FieldLine, target: Target | None = None) -> Exchange:
        """The unsafe request, under `fields`."""
        sent: Sequence[FieldLine] = fields
        if unsafe.content_type is not None:
            sent = [*fields, ("Content-Type", unsafe.content_type)]
        response = self.client.send(
            target or self.target, unsafe.method, sent, content=unsafe.content
        )
        return Exchange(unsafe.method, fields, response, target.path if target else "")

    # The current representation

    @property
    def tag(self) -> EntityTag | None:
        """The current entity tag, if there is exactly one and it is one."""
        return entity_tag(self.current)

    @property
    def last_modified(self) -> int | None:
        return self._last_modified(self.current)

    def _last_modified(self, response: Response) -> int | None:
        value = response.value("Last-Modified")
        return None if value is None else parse_date(value, self.now)

    @property
    def now(self) -> int:
        """The origin's time, by its own clock where it shows one."""
        here = int(time())
        date = self.current.value("Date")
        there = None if date is None else parse_date(date, here)
        return here if there is None else there

    @property
    def an_older_date(self) -> str | None:
        """A date before Last-Modified."""
        modified = self.last_modified
        return None if modified is None or modified < DAY else imf_fixdate(modified - DAY)

    def no_tag(self) -> Finding:
        """Why rules about entity tags do not apply."""
        present = self.current.values("ETag")
        return not_applicable("no usable ETag (see C1)" if present else "no ETag")

    def no_date(self) -> Finding:
        """Why rules about Last-Modified do not apply."""
        present = self.current.values("Last-Modified")
        return not_applicable("Last-Modified is no date" if present else "no Last-Modified")

    def steady_length(self) -> int | None:
        """The length of the content of a GET, unless it differs from one GET to the next."""
        before, after = _length(self.current), _length(self.control())
        return after if before == after else None

    # What the server judges

    @cached_property
    def judges_if_match(self) -> bool:
        return self.get(("If-Match", str(self.unknown_tag))).status == 412

    @cached_property
    def judges_if_unmodified_since(self) -> bool:
        date = self.an_older_date
        return date is not None and self.get(("If-Unmodified-Since", date)).status == 412

    def revalidating_date(self) -> int | None:
        """A date that If-Modified-Since answers with 304: Last-Modified itself, or a later one."""
        modified = self.last_modified
        if modified is None:
            return None
        for moment in (modified, max(modified, self.now)):
            if self.get(("If-Modified-Since", imf_fixdate(moment))).status == 304:
                return moment
        return None

    def no_revalidating_date(self) -> Finding:
        """Why rules about the details of If-Modified-Since do not apply."""
        if self.last_modified is None:
            return self.no_date()
        return not_applicable("If-Modified-Since gives no 304 here, which a server may choose")

    def revalidate(self, *fields: FieldLine) -> Revalidation | None:
        """A 304, by whatever means the server gives one, and the 200 to the same request."""
        ok = self.get(*fields).response
        ways: list[FieldLine] = []
        if (tag := entity_tag(ok)) is not None:
            ways.append(("If-None-Match", str(tag)))
        if (modified := self._last_modified(ok)) is not None:
            ways.append(("If-Modified-Since", imf_fixdate(modified)))
        ways.append(("If-None-Match", "*"))
        for way in ways:
            exchange = self.get(*fields, way)
            if exchange.status == 304:
                return Revalidation(ok, exchange)
        return None

    def plain_options(self) -> Exchange | None:
        """OPTIONS without conditions, where the server supports it."""
        plain = self.options()
        return plain if 200 <= plain.status < 300 else None

    # Unsafe requests

    @cached_property
    def trial(self) -> Trial | None:
        """The unsafe request under a false If-Match, if the user allows one."""
        return self.attempt(("If-Match", str(self.unknown_tag)))

    def attempt(self, *fields: FieldLine) -> Trial | None:
        """The unsafe request under false conditions, watching the resource."""
        if self.unsafe is None:
            return None
        trial: Trial | None = None
        # A change after a refusal may be another writer's, once.
        for _ in range(2):
            first, before = self.control(), self.control()
            exchange = self.perform(self.unsafe, *fields)
            after = self.control()
            changed = differs(before, after) if not differs(first, before) else None
            trial = Trial(exchange, changed)
            if exchange.status != 412 or not changed:
                break
        return trial

    @property
    def may_perform(self) -> Unsafe | None:
        """The unsafe request, where a false If-Match has been seen to stop it."""
        return self.unsafe if self.trial is not None and self.trial.refused else None

    def no_unsafe(self) -> Finding:
        """Why rules about unsafe methods do not apply."""
        if self.trial is None:
            return not_applicable("needs --unsafe METHOD")
        return not_applicable(f"a false If-Match is not refused: {self.trial.exchange}")


def entity_tag(response: Response) -> EntityTag | None:
    """The entity tag of `response`, if there is exactly one and it is one."""
    values = response.values("ETag")
    return EntityTag.parse(values[0]) if len(values) == 1 else None


def _length(response: Response) -> int | None:
    """The length of the content; as announced, where it is too long to be read."""
    if response.content.complete:
        return response.content.length
    announced = response.value("Content-Length") or ""
    return int(announced) if announced.isdecimal() else None


def differs(one: Response, other: Response) -> bool:
    """Whether two answers to GET are of different representations."""
    return not same_version(one, other) or one.content != other.content


def same_version(one: Response, other: Response) -> bool:
    """Whether two answers to GET say that they are of the same version."""
    validators = ("ETag", "Last-Modified")
    return one.status == other.status and all(
        one.values(name) == other.values(name) for name in validators
    )
