"""A tiny origin that does everything right, in small methods that a test can break one by one.

It shares no code with the probe: lists are read by a regular expression of its own, dates by
``strptime``.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

from notmodified.conformance.client import Client, Target
from notmodified.conformance.findings import Finding, Verdict
from notmodified.conformance.origin import Origin, Unsafe
from notmodified.conformance.probe import probe
from tests.conformance.servers import serving

# 7 May: asctime pads a day of one digit with a blank.
MODIFIED = datetime(2024, 5, 7, 8, 9, 10, tzinfo=UTC).timestamp()

_LIST = re.compile(r'(?:[ \t]*,)*[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)(?:[ \t]*,)*')
_FORMS = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")


@dataclass
class Representation:
    content: bytes
    tag: str | None
    modified: float | None
    fields: dict[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        headers = dict(self.fields)
        if self.tag is not None:
            headers["ETag"] = self.tag
        if self.modified is not None:
            headers["Last-Modified"] = formatdate(int(self.modified), usegmt=True)
        return headers


class WellBehaved(BaseHTTPRequestHandler):
    """One resource, ``/page``, with everything that a validator can have."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    content = b"hello"
    tag: str | None = '"v1"'
    modified: float | None = MODIFIED
    fields: ClassVar[dict[str, str]] = {
        "Content-Type": "text/plain",
        "Vary": "Accept-Encoding",
        "Cache-Control": "no-cache",
        "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
        "Content-Location": "/page.txt",
    }
    repeated: tuple[str, ...] = ("ETag", "Vary", "Cache-Control", "Expires", "Content-Location")
    safe = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Say nothing."""

    # What there is

    def represent(self) -> Representation:
        return Representation(self.content, self.tag, self.modified, dict(self.fields))

    # Methods

    def do_GET(self) -> None:
        if self.path != "/page":
            return self.absent()
        representation = self.represent()
        status = self.judge(representation)
        if status == 304:
            return self.respond(304, self.fields_of_304(representation))
        if status is not None:
            return self.respond(status, {}, b"no\n")
        return self.respond(200, representation.headers(), representation.content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_OPTIONS(self) -> None:
        self.respond(204, {"Allow": "GET, HEAD, OPTIONS"})

    def absent(self) -> None:
        self.respond(404, {}, b"nothing here\n")

    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        headers = representation.headers()
        return {name: headers[name] for name in self.repeated if name in headers}

    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # Conditions

    def judge(self, representation: Representation) -> int | None:
        """The status that the conditions ask for, in the order of RFC 9110 §13.2.2."""
        modified = representation.modified
        if (value := self.combined("If-Match")) is not None:
            if not self.if_match(value, representation):
                return 412
        elif not self.if_unmodified_since(modified):
            return 412
        if (value := self.combined("If-None-Match")) is not None:
            if not self.if_none_match(value, representation):
                return 304 if self.safe else 412
        elif self.safe and not self.if_modified_since(modified):
            return 304
        return None

    def combined(self, name: str) -> str | None:
        values = self.headers.get_all(name)
        return None if values is None else ", ".join(values)

    def if_match(self, value: str, representation: Representation) -> bool:
        if value.strip() == "*":
            return True
        return any(self.same_strong(tag, representation.tag) for tag in self.tags(value))

    def if_none_match(self, value: str, representation: Representation) -> bool:
        if value.strip() == "*":
            return False
        return not any(self.same_weak(tag, representation.tag) for tag in self.tags(value))

    def tags(self, value: str) -> Iterable[str]:
        """The tags of a list, none if it follows no grammar."""
        tags, place = [], 0
        while place < len(value):
            match = _LIST.match(value, place)
            if match is None:
                return []
            tags.append(f'{match[1] or ""}"{match[2]}"')
            place = match.end()
        return tags

    def same_strong(self, one: str, other: str | None) -> bool:
        return one == other and not one.startswith("W/")

    def same_weak(self, one: str, other: str | None) -> bool:
        return other is not None and one.removeprefix("W/") == other.removeprefix("W/")

    def if_unmodified_since(self, modified: float | None) -> bool:
        date = self.date("If-Unmodified-Since")
        return date is None or modified is None or int(modified) <= date

    def if_modified_since(self, modified: float | None) -> bool:
        date = self.date("If-Modified-Since")
        return date is None or modified is None or int(modified) > date

    def date(self, name: str) -> float | None:
        value = self.combined(name)
        return None if value is None else self.parse_date(value)

    def parse_date(self, value: str) -> float | None:
        for form in _FORMS:
            try:
                return datetime.strptime(value, form).replace(tzinfo=UTC).timestamp()
            except ValueError:
                continue
        return None


class Compressing(WellBehaved):
    """Has a gzip coding, with a tag of its own."""

    def represent(self) -> Representation:
        found = super().represent()
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            found.content = gzip.compress(found.content, mtime=0)
            found.fields["Content-Encoding"] = "gzip"
            if found.tag is not None:
                found.tag = self.coded(found.tag)
        return found

    def coded(self, tag: str) -> str:
        return tag[:-1] + '-gzip"'


class Writable(WellBehaved):
    """Can be changed by PUT. A test takes a subclass, whose state is its own."""

    revision = 1
    safe_methods = frozenset({"GET", "HEAD"})

    @property
    def safe(self) -> bool:  # type: ignore[override]
        return self.command in self.safe_methods

    def represent(self) -> Representation:
        found = super().represent()
        found.tag = f'"v{self.revision}"'
        return found

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/page":
            return self.create()
        status = self.judge(self.represent())
        if status is not None:
            return self.respond(status, {}, b"no\n")
        return self.store(content)

    def store(self, content: bytes) -> None:
        type(self).content = content
        type(self).revision += 1
        self.respond(204, {})

    def create(self) -> None:
        status = 412 if self.combined("If-Match") is not None else 201
        self.respond(status, {})


Findings = dict[str, Finding]


def findings(
    handler: type[BaseHTTPRequestHandler],
    *numbers: str,
    headers: tuple[tuple[str, str], ...] = (),
    unsafe: Unsafe | None = None,
) -> Findings:
    """What the probe says of an origin, by number."""
    with serving(handler) as url:
        origin = Origin(Client(headers, timeout=10), Target.parse(url), unsafe)
        return {result.rule.number: result.finding for result in probe(origin, numbers)}


def with_verdict(found: Findings, verdict: Verdict) -> set[str]:
    return {number for number, finding in found.items() if finding.verdict is verdict}
