"""Planted defects, each caught by the rules it breaks and by no others.

A defect is the well-behaved origin with one method broken, as real servers break it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from itertools import count
from typing import ClassVar

import pytest

from notmodified.conformance.findings import Verdict
from notmodified.conformance.rules import RULES
from tests.conformance.origins import (
    Compressing,
    Representation,
    WellBehaved,
    findings,
)

DEFECTS: list[tuple[type[WellBehaved], set[str]]] = []


def breaks(*numbers: str) -> Callable[[type[WellBehaved]], type[WellBehaved]]:
    """Plant an origin that breaks the rules `numbers`."""

    def plant(defect: type[WellBehaved]) -> type[WellBehaved]:
        DEFECTS.append((defect, set(numbers)))
        return defect

    return plant


# Entity tags


@breaks("C1")
class UnquotedTag(WellBehaved):
    tag = "v1"


@breaks("C1")
class LowerCaseWeakTag(WellBehaved):
    tag = 'w/"v1"'


@breaks("C2")
class AsciiTagsOnly(WellBehaved):
    def tags(self, value: str) -> Iterable[str]:
        return super().tags(value) if value.isascii() else []


@breaks("C3")
class AnyCaseOfW(WellBehaved):
    def tags(self, value: str) -> Iterable[str]:
        return super().tags(value.replace('w/"', 'W/"'))


@breaks("C2", "C4", "C18", "C19", "C20", "C23", "C26")
class EmptyTagIsNone(WellBehaved):
    tag = '""'

    def same_weak(self, one: str, other: str | None) -> bool:
        return bool(one.removeprefix("W/").strip('"')) and super().same_weak(one, other)


@breaks("C5", "C9")
class ConstantTag(WellBehaved):
    """The tag of a page with a token in it."""

    numbers = count()

    def represent(self) -> Representation:
        found = super().represent()
        found.content = b"%032d" % next(self.numbers)
        return found


@breaks("C7")
class OneTagForAllCodings(Compressing):
    def coded(self, tag: str) -> str:
        return tag


@breaks("C8")
class OneTagForAllLanguages(WellBehaved):
    def represent(self) -> Representation:
        found = super().represent()
        found.content += self.headers.get("Accept-Language", "").encode()
        return found


# Dates


@breaks("C10")
class FromTheFuture(WellBehaved):
    """Whatever it was made from, it was made by now."""

    modified = 4_000_000_000.0


@breaks("C13", "C43")
class UndatedNotModified(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        if status == 304:
            self.date_time_string = lambda timestamp=None: ""  # type: ignore[method-assign]
        super().respond(status, headers, content)

    def send_header(self, keyword: str, value: str) -> None:
        if value:
            super().send_header(keyword, value)


@breaks("C13")
class UndatedErrors(WellBehaved):
    def absent(self) -> None:
        self.send_response_only(404)
        self.send_header("Content-Length", "0")
        self.end_headers()


@breaks("C14")
class AsctimeDates(WellBehaved):
    def represent(self) -> Representation:
        found = super().represent()
        found.fields["Expires"] = "Thu Jan  1 00:00:00 2099"
        return found


@breaks("C14")
class OffsetDates(WellBehaved):
    def represent(self) -> Representation:
        found = super().represent()
        found.fields["Expires"] = formatdate(4_070_908_800)
        return found


@breaks("C15")
class NoAsctime(WellBehaved):
    def parse_date(self, value: str) -> float | None:
        return super().parse_date(value) if value.endswith("GMT") else None


@breaks("C15")
class NoRfc850(WellBehaved):
    def parse_date(self, value: str) -> float | None:
        return None if "-" in value else super().parse_date(value)


@breaks("C15")
class TwoDigitsAreThisCentury(WellBehaved):
    def parse_date(self, value: str) -> float | None:
        found = re.fullmatch(r"(\w+), (\d\d)-(\w\w\w)-(\d\d) (.*)", value)
        if found is not None:
            value = f"{found[1][:3]}, {found[2]} {found[3]} 20{found[4]} {found[5]}"
        return super().parse_date(value)


@breaks("C16")
class SubSecondsCompared(WellBehaved):
    modified = 1_700_000_000.75

    def if_modified_since(self, modified: float | None) -> bool:
        date = self.date("If-Modified-Since")
        return date is None or modified is None or modified > date


@breaks("C16")
class SubSecondsForbid(WellBehaved):
    modified = 1_700_000_000.75

    def if_unmodified_since(self, modified: float | None) -> bool:
        date = self.date("If-Unmodified-Since")
        return date is None or modified is None or modified <= date


# If-Match and If-None-Match


@breaks("C17")
class WeakIfMatch(WellBehaved):
    def same_strong(self, one: str, other: str | None) -> bool:
        return self.same_weak(one, other)


@breaks("C17")
class WeakTagSatisfiesIfMatch(WellBehaved):
    tag = 'W/"v1"'

    def same_strong(self, one: str, other: str | None) -> bool:
        return one == other


@breaks("C18")
class StrongIfNoneMatch(WellBehaved):
    def same_weak(self, one: str, other: str | None) -> bool:
        return self.same_strong(one, other)


@breaks("C18")
class StringIfNoneMatch(WellBehaved):
    tag = 'W/"v1"'

    def same_weak(self, one: str, other: str | None) -> bool:
        return one == other


@breaks("C19")
class SplitAtCommas(WellBehaved):
    def tags(self, value: str) -> Iterable[str]:
        for part in value.split(","):
            part = part.strip()
            weak = "W/" if part.startswith("W/") else ""
            yield f'{weak}"{part.removeprefix("W/").strip(chr(34))}"'


@breaks("C3", "C19")
class FoundAnywhere(WellBehaved):
    """The opaque part searched for in the whole field."""

    def if_none_match(self, value: str, representation: Representation) -> bool:
        return value != "*" and "v1" not in value


@breaks("C2", "C19", "C20")
class ListsAreOneString(WellBehaved):
    def tags(self, value: str) -> Iterable[str]:
        return [value]


@breaks("C20", "C30")
class FirstLineOnly(WellBehaved):
    def combined(self, name: str) -> str | None:
        return self.headers.get(name)


@breaks("C20", "C30")
class LastLineOnly(WellBehaved):
    def combined(self, name: str) -> str | None:
        values = self.headers.get_all(name)
        return values[-1] if values else None


@breaks("C21")
class NoAsterisk(WellBehaved):
    def if_none_match(self, value: str, representation: Representation) -> bool:
        return value == "*" or super().if_none_match(value, representation)


@breaks("C21")
class AsteriskNeedsATag(WellBehaved):
    tag = None

    def if_none_match(self, value: str, representation: Representation) -> bool:
        return self.tag is None


@breaks("C22")
class AsteriskInAList(WellBehaved):
    def if_none_match(self, value: str, representation: Representation) -> bool:
        return "*" not in value and super().if_none_match(value, representation)


@breaks("C22")
class AsteriskInAListCrashes(WellBehaved):
    def tags(self, value: str) -> Iterable[str]:
        if "*" in value:
            self.crashed = True
        return super().tags(value)

    crashed = False

    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        super().respond(*((500, {}, b"") if self.crashed else (status, headers, content)))


@breaks("C2", "C18", "C19", "C20", "C21", "C23", "C26")
class NoIfNoneMatch(WellBehaved):
    def if_none_match(self, value: str, representation: Representation) -> bool:
        return True


@breaks("C21", "C23", "C46")
class NoConditionsOnHead(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        status = super().judge(representation)
        return None if self.command == "HEAD" and status == 304 else status


@breaks("C34", "C46")
class NoIfMatchOnHead(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        status = super().judge(representation)
        return None if self.command == "HEAD" and status == 412 else status


@breaks("C34")
class NoIfMatch(WellBehaved):
    def if_match(self, value: str, representation: Representation) -> bool:
        return True


@breaks("C34")
class RangesBeforeIfMatch(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        return 206 if "Range" in self.headers else super().judge(representation)


# Precedence


@breaks("C26", "C33")
class SinceWinsOverNoneMatch(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        if not self.if_modified_since(representation.modified):
            return 304
        return super().judge(representation)


@breaks("C26")
class UnparsableNoneMatchIsAbsent(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        value = self.combined("If-None-Match")
        if value not in (None, "*") and not self.tags(value or ""):
            del self.headers["If-None-Match"]
        return super().judge(representation)


@breaks("C26")
class BothMustAgree(WellBehaved):
    """A 304 only if If-Modified-Since is false as well."""

    def judge(self, representation: Representation) -> int | None:
        status = super().judge(representation)
        newer = "If-Modified-Since" in self.headers and self.if_modified_since(self.modified)
        return None if status == 304 and newer else status


@breaks("C27")
class UnmodifiedSinceDespiteMatch(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        if not self.if_unmodified_since(representation.modified):
            return 412
        return super().judge(representation)


@breaks("C28", "C37")
class ConditionsOnOptions(WellBehaved):
    def do_OPTIONS(self) -> None:
        self.respond(self.judge(self.represent()) or 204, {})


@breaks("C37")
class AsteriskOnOptions(WellBehaved):
    def do_OPTIONS(self) -> None:
        self.respond(412 if self.headers.get("If-None-Match") == "*" else 204, {})


@breaks("C29")
class ExactDateOnly(WellBehaved):
    def if_modified_since(self, modified: float | None) -> bool:
        return self.date("If-Modified-Since") != modified


@breaks("C15", "C29", "C30", "ROBUST")
class AnyDateRevalidates(WellBehaved):
    def if_modified_since(self, modified: float | None) -> bool:
        return "If-Modified-Since" not in self.headers


@breaks("C30")
class FirstOfADateList(WellBehaved):
    def parse_date(self, value: str) -> float | None:
        found = super().parse_date(value)
        return super().parse_date(value[:29]) if found is None else found


@breaks("C30")
class InvalidDateForbids(WellBehaved):
    def if_unmodified_since(self, modified: float | None) -> bool:
        if "If-Unmodified-Since" in self.headers and self.date("If-Unmodified-Since") is None:
            return False
        return super().if_unmodified_since(modified)


@breaks("C31")
class SinceWithoutLastModified(WellBehaved):
    modified = None

    def if_modified_since(self, modified: float | None) -> bool:
        return self.date("If-Modified-Since") is None


@breaks("C31")
class UnmodifiedSinceWithoutLastModified(WellBehaved):
    modified = None

    def if_unmodified_since(self, modified: float | None) -> bool:
        return self.date("If-Unmodified-Since") is None


@breaks("C32")
class NoIfUnmodifiedSince(WellBehaved):
    def if_unmodified_since(self, modified: float | None) -> bool:
        return True


@breaks("C33")
class NoneMatchFirst(WellBehaved):
    def judge(self, representation: Representation) -> int | None:
        value = self.combined("If-None-Match")
        if value is not None and not self.if_none_match(value, representation):
            return 304
        return super().judge(representation)


@breaks("C35")
class NotModifiedWhereNothingIs(WellBehaved):
    def absent(self) -> None:
        self.respond(304 if "If-None-Match" in self.headers else 404, {})


@breaks("C35")
class FailedWhereNothingIs(WellBehaved):
    def absent(self) -> None:
        self.respond(412 if self.headers.get("If-Match") == "*" else 404, {})


# The 304


@breaks("C43")
class NoVaryOn304(WellBehaved):
    repeated = ("ETag", "Cache-Control", "Expires", "Content-Location")


@breaks("C43")
class OtherVaryOn304(WellBehaved):
    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        return {**super().fields_of_304(representation), "Vary": "Cookie"}


@breaks("C43")
class BareNotModified(WellBehaved):
    repeated = ()


@breaks("C43")
class OtherTagOn304(WellBehaved):
    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        return {**super().fields_of_304(representation), "ETag": '"other"'}


@breaks("C44")
class ContentOn304(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        super().respond(status, headers, b"not modified" if status == 304 else content)


@breaks("C44")
class LengthZeroOn304(WellBehaved):
    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        return {**super().fields_of_304(representation), "Content-Length": "0"}


@breaks("C45")
class HtmlOn304(WellBehaved):
    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        return {**super().fields_of_304(representation), "Content-Type": "text/html"}


@breaks("C45")
class IdentityOn304(Compressing):
    def fields_of_304(self, representation: Representation) -> dict[str, str]:
        return {**super().fields_of_304(representation), "Content-Encoding": "identity"}

    def represent(self) -> Representation:
        found = super().represent()
        found.fields.setdefault("Content-Encoding", "identity")
        return found


@breaks("C47")
class CookieOn304(WellBehaved):
    """A new session for everyone, every time."""

    repeated = (*WellBehaved.repeated, "Set-Cookie")
    fields: ClassVar[dict[str, str]] = {**WellBehaved.fields, "Set-Cookie": "session=new; HttpOnly"}


# HEAD


@breaks("C46")
class OtherTypeOnHead(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        if self.command == "HEAD" and status == 200:
            headers["Content-Type"] = "application/octet-stream"
        super().respond(status, headers, content)


@breaks("C46")
class ContentOnHead(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        super().respond(status, headers, content)
        if self.command == "HEAD":
            self.wfile.write(content)


@breaks("C46")
class LengthZeroOnHead(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        super().respond(status, headers, b"" if self.command == "HEAD" else content)


@breaks("C21", "C23", "C34", "C46")
class NoHead(WellBehaved):
    def do_HEAD(self) -> None:
        self.respond(405, {"Allow": "GET"})


# Freshness and robustness


@breaks("C74")
class NoFreshness(WellBehaved):
    fields: ClassVar[dict[str, str]] = {"Content-Type": "text/plain"}


@breaks("ROBUST")
class CrashesOnNonsense(WellBehaved):
    def do_GET(self) -> None:
        if self.headers.get("If-None-Match") == "W/":
            return self.respond(500, {}, b"IndexError\n")
        return super().do_GET()


@breaks("ROBUST")
class DropsTheConnection(WellBehaved):
    def do_GET(self) -> None:
        if "\xff" in self.headers.get("If-Match", ""):
            self.close_connection = True
        else:
            super().do_GET()


@breaks("ROBUST")
class NotModifiedOnNonsense(WellBehaved):
    def if_modified_since(self, modified: float | None) -> bool:
        value = self.combined("If-Modified-Since") or ""
        return "99999999999" not in value and super().if_modified_since(modified)


@pytest.mark.parametrize(
    ("defect", "numbers"), DEFECTS, ids=[defect.__name__ for defect, _ in DEFECTS]
)
def test_caught_by_its_own_rules(defect: type[WellBehaved], numbers: set[str]) -> None:
    found = findings(defect)
    violations = {n: f.evidence for n, f in found.items() if f.verdict is Verdict.VIOLATION}
    assert violations.keys() == numbers, violations


def test_every_rule_has_its_defect() -> None:
    elsewhere = {"C24", "C25", "C36", "C38"}  # test_unsafe_methods, test_scope
    assert set().union(*(numbers for _, numbers in DEFECTS), elsewhere) == RULES.keys()


def test_one_strong_tag_for_all_languages_where_bytes_change_anyway() -> None:
    """The variants cannot be told apart then; C9 says why."""
    assert findings(ConstantTag, "C8")["C8"].verdict is Verdict.UNCLEAR
