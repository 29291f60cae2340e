"""What behaves well passes, whatever it leaves out."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from itertools import count

import pytest

from notmodified.conformance.findings import Verdict
from notmodified.conformance.origin import Unsafe
from notmodified.conformance.rules import RULES, UNOBSERVABLE
from tests.conformance.origins import (
    Compressing,
    Representation,
    WellBehaved,
    Writable,
    findings,
    with_verdict,
)

NEEDS_UNSAFE = {"C24", "C25", "C38"}
NEEDS_MORE = {*NEEDS_UNSAFE, "C7", "C8", "C31", "C36"}
NEEDS_A_TAG = {"C1", "C2", "C3", "C5", "C9", "C17", "C18", "C19", "C20", "C23"}
NEEDS_A_STRONG_TAG = {"C5", "C9"}
NEEDS_A_DATE = {"C10", "C15", "C16", "C26", "C27", "C28", "C29", "C30", "C32"}


class WithoutTag(WellBehaved):
    tag = None


class WithoutDate(WellBehaved):
    modified = None


class WithoutValidator(WellBehaved):
    tag = None
    modified = None


class Weak(WellBehaved):
    tag = 'W/"v1"'


class EmptyTag(WellBehaved):
    tag = '""'


class SubSecond(WellBehaved):
    modified = 1_700_000_000.75


class BeforeTheEpoch(WellBehaved):
    """Archives and builds set such dates."""

    modified = 0.0


class WithoutOptions(WellBehaved):
    def do_OPTIONS(self) -> None:
        self.respond(405, {"Allow": "GET, HEAD"})


class NeverBySince(WellBehaved):
    """If-Modified-Since may be left unanswered by 304."""

    def if_modified_since(self, modified: float | None) -> bool:
        return True


class Chunked(WellBehaved):
    def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(b"%x;extension\r\n%b\r\n0\r\n\r\n" % (len(content), content))


class WithCookies(WellBehaved):
    def represent(self) -> Representation:
        found = super().represent()
        if "seen=1" not in self.headers.get("Cookie", ""):
            found.fields["Set-Cookie"] = "seen=1; Path=/"
        return found


class ByLanguage(WellBehaved):
    def represent(self) -> Representation:
        found = super().represent()
        if self.headers.get("Accept-Language") == "de":
            found.content, found.tag = b"hallo", '"v1-de"'
        return found


class MetadataOn304(WellBehaved):
    """What the text only discourages."""

    repeated = (*WellBehaved.repeated, "Content-Type", "Last-Modified")


@pytest.mark.parametrize(
    ("handler", "not_applicable"),
    [
        (WellBehaved, NEEDS_MORE),
        (WithoutTag, NEEDS_MORE | NEEDS_A_TAG),
        (WithoutDate, (NEEDS_MORE - {"C31"}) | NEEDS_A_DATE),
        (WithoutValidator, (NEEDS_MORE - {"C31"}) | NEEDS_A_TAG | NEEDS_A_DATE | {"C74"}),
        (Weak, NEEDS_MORE | NEEDS_A_STRONG_TAG),
        (EmptyTag, NEEDS_MORE),
        (SubSecond, NEEDS_MORE),
        (BeforeTheEpoch, NEEDS_MORE | {"C27", "C32"}),
        (WithoutOptions, NEEDS_MORE | {"C28", "C37"}),
        (NeverBySince, NEEDS_MORE | {"C26", "C28", "C29"}),
        (Chunked, NEEDS_MORE),
        (WithCookies, NEEDS_MORE),
        (ByLanguage, NEEDS_MORE - {"C8"}),
        (MetadataOn304, NEEDS_MORE),
        (Compressing, NEEDS_MORE - {"C7"}),
    ],
)
def test_passes(handler: type[BaseHTTPRequestHandler], not_applicable: set[str]) -> None:
    found = findings(handler)
    assert found.keys() == RULES.keys()
    assert {n: f for n, f in found.items() if f.verdict is Verdict.VIOLATION} == {}
    assert {n: f for n, f in found.items() if f.verdict is Verdict.UNCLEAR} == {}
    assert with_verdict(found, Verdict.NOT_APPLICABLE) == not_applicable


def test_every_rule_of_the_list_is_probed_or_named_as_unobservable() -> None:
    observable = {f"C{number}" for number in range(1, 48)} - set(UNOBSERVABLE)
    assert RULES.keys() == observable | {"C74", "ROBUST"}


def test_passes_when_asked_for_a_coding() -> None:
    found = findings(Compressing, headers=(("Accept-Encoding", "gzip"),))
    assert with_verdict(found, Verdict.VIOLATION) == set()


def test_a_tag_weakened_on_the_way_passes() -> None:
    class Weakening(Compressing):
        """As compressing proxies do; the origin behind still knows the strong tag."""

        def coded(self, tag: str) -> str:
            return f"W/{tag}"

        def same_strong(self, one: str, other: str | None) -> bool:
            return one == self.tag

    found = findings(Weakening, headers=(("Accept-Encoding", "gzip"),))
    assert with_verdict(found, Verdict.VIOLATION) == set()
    assert "strong form passes" in found["C17"].note


def test_unsafe_methods_pass() -> None:
    class Own(Writable):
        pass

    found = findings(Own, unsafe=Unsafe("PUT", b"changed", "text/plain"))
    assert with_verdict(found, Verdict.VIOLATION) == set()
    assert with_verdict(found, Verdict.NOT_APPLICABLE) == {"C7", "C8", "C31", "C36"}
    assert (Own.content, Own.revision) == (b"hello", 1)


def test_nothing_unsafe_is_sent_unless_allowed() -> None:
    methods: set[str] = set()

    class Noting(Writable):
        def parse_request(self) -> bool:
            parsed = super().parse_request()
            methods.add(self.command)
            return parsed

    findings(Noting)
    assert methods == {"GET", "HEAD", "OPTIONS"}


def test_after_a_refused_authorisation() -> None:
    class Private(WellBehaved):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != "Bearer x":
                return self.respond(401, {"WWW-Authenticate": "Bearer"}, b"who?\n")
            return super().do_GET()

    found = findings(Private, headers=(("Authorization", "Bearer x"),))
    assert with_verdict(found, Verdict.VIOLATION) == set()
    assert found["C36"].verdict is Verdict.PASS
    assert findings(Private)["C18"].evidence == "GET → 401"


@pytest.mark.parametrize("status", [302, 404, 410])
def test_what_is_not_there_is_judged_only_where_it_can_be(status: int) -> None:
    class Elsewhere(WellBehaved):
        def do_GET(self) -> None:
            self.respond(status, {"Location": "/other"} if status == 302 else {}, b"no\n")

    found = findings(Elsewhere)
    assert with_verdict(found, Verdict.PASS) == {"C13", "C14", "C35", "C46"}
    assert with_verdict(found, Verdict.VIOLATION) == set()


class TestNotes:
    """Advice is given, and nothing is held against the origin."""

    def test_a_tag_that_others_misread(self) -> None:
        class Risky(WellBehaved):
            tag = '"a,b\\c"'

        found = findings(Risky)
        assert with_verdict(found, Verdict.VIOLATION) == set()
        assert found["C2"].note == "the tag holds a comma and a backslash, which others misread"

    def test_metadata_on_a_304(self) -> None:
        note = findings(MetadataOn304, "C44")["C44"].note
        assert "Content-Type: text/plain" in note
        assert "Last-Modified: Tue, 07 May 2024 08:09:10 GMT" in note

    def test_head_without_a_tag(self) -> None:
        class NoTagOnHead(WellBehaved):
            def respond(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
                if self.command == "HEAD":
                    headers.pop("ETag", None)
                super().respond(status, headers, content)

        found = findings(NoTagOnHead, "C46")["C46"]
        assert (found.verdict, found.note) == (Verdict.PASS, "HEAD leaves out ETag")

    def test_freshness_that_says_nothing(self) -> None:
        class Public(WellBehaved):
            fields = {"Cache-Control": "public"}

        found = findings(Public, "C74")["C74"]
        assert found.verdict is Verdict.PASS
        assert found.note

    def test_nearly_a_date(self) -> None:
        class Lenient(WellBehaved):
            def parse_date(self, value: str) -> float | None:
                return super().parse_date(value.removesuffix("; length=1"))

        found = findings(Lenient, "C30")["C30"]
        assert found.verdict is Verdict.PASS
        assert "read as a date" in found.note


class TestChanging:
    """A resource that changes meanwhile is no violation."""

    def test_at_each_get(self) -> None:
        numbers = count()

        class Restless(WellBehaved):
            def represent(self) -> Representation:
                found = super().represent()
                number = next(numbers)
                found.content, found.tag = b"%d" % number, f'"v{number}"'
                return found

        found = findings(Restless)
        assert with_verdict(found, Verdict.VIOLATION) == set()
        assert found["C23"].verdict is Verdict.UNCLEAR
        assert "the resource changed meanwhile" in found["C23"].evidence
        assert found["C9"].verdict is Verdict.PASS

    def test_once(self) -> None:
        answers = count()

        class Changing(WellBehaved):
            def represent(self) -> Representation:
                found = super().represent()
                if next(answers) > 3:
                    found.tag = '"v2"'
                return found

        assert findings(Changing, "C19")["C19"].verdict is Verdict.PASS
        assert next(answers) > 10

    def test_bytes_under_a_weak_tag(self) -> None:
        numbers = count()

        class Masked(WellBehaved):
            tag = 'W/"v1"'

            def represent(self) -> Representation:
                found = super().represent()
                found.content = b"x" * next(numbers)
                return found

        assert with_verdict(findings(Masked), Verdict.VIOLATION) == set()

    def test_too_many_requests(self) -> None:
        answers = count()

        class Limited(WellBehaved):
            def do_GET(self) -> None:
                if next(answers) > 40:
                    return self.respond(429, {"Retry-After": "60"}, b"later\n")
                return super().do_GET()

        found = findings(Limited)
        assert with_verdict(found, Verdict.VIOLATION) == set()
        assert found["C43"].evidence == "GET → 429: the server refuses for now"
