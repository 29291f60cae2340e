"""Conditions on unsafe methods: planted defects, and the care that is taken before one is sent."""

from __future__ import annotations

from itertools import count

import pytest

from notmodified.conformance.findings import Verdict
from notmodified.conformance.origin import Unsafe
from tests.conformance.origins import (
    Findings,
    Representation,
    Writable,
    findings,
    with_verdict,
)

PUT = Unsafe("PUT", b"changed", "text/plain")


def violations(handler: type[Writable], unsafe: Unsafe = PUT) -> Findings:
    found = findings(handler, unsafe=unsafe)
    return {number: found[number] for number in with_verdict(found, Verdict.VIOLATION)}


class WeakForUnsafe(Writable):
    def same_strong(self, one: str, other: str | None) -> bool:
        if self.command == "PUT":
            return self.same_weak(one, other)
        return super().same_strong(one, other)


class NotModifiedForUnsafe(Writable):
    safe_methods = frozenset({"GET", "HEAD", "PUT"})


class NoIfNoneMatch(Writable):
    def if_none_match(self, value: str, representation: Representation) -> bool:
        return self.command == "PUT" or super().if_none_match(value, representation)


class AsteriskOverwrites(Writable):
    def if_none_match(self, value: str, representation: Representation) -> bool:
        if self.command == "PUT" and value == "*":
            return True
        return super().if_none_match(value, representation)


class CreatesUnderIfMatch(Writable):
    def create(self) -> None:
        self.respond(201, {})


class NoIfMatch(Writable):
    def if_match(self, value: str, representation: Representation) -> bool:
        return self.command == "PUT" or super().if_match(value, representation)


class NoIfUnmodifiedSince(Writable):
    def if_unmodified_since(self, modified: float | None) -> bool:
        return self.command == "PUT" or super().if_unmodified_since(modified)


class PerformsThenRefuses(Writable):
    def do_PUT(self) -> None:
        type(self).revision += 1
        super().do_PUT()


@pytest.mark.parametrize(
    ("defect", "numbers"),
    [
        (WeakForUnsafe, {"C17"}),
        (NotModifiedForUnsafe, {"C23", "C24"}),
        (NoIfNoneMatch, {"C23", "C24"}),
        (AsteriskOverwrites, {"C24"}),
        (CreatesUnderIfMatch, {"C25"}),
        (NoIfMatch, {"C38"}),
        (NoIfUnmodifiedSince, {"C38"}),
        (PerformsThenRefuses, {"C38"}),
    ],
)
def test_caught_by_its_own_rules(defect: type[Writable], numbers: set[str]) -> None:
    class Own(defect):  # type: ignore[misc, valid-type]
        pass

    found = violations(Own)
    assert found.keys() == numbers, found


def test_since_on_an_unsafe_method() -> None:
    class Own(Writable):
        def judge(self, representation: Representation) -> int | None:
            if self.command == "PUT" and not self.if_modified_since(representation.modified):
                return 304
            return super().judge(representation)

    assert violations(Own).keys() == {"C28"}


def test_no_more_is_sent_once_one_was_performed() -> None:
    performed = count()

    class Own(Writable):
        def if_match(self, value: str, representation: Representation) -> bool:
            return self.command == "PUT" or super().if_match(value, representation)

        def store(self, content: bytes) -> None:
            next(performed)
            super().store(content)

    found = findings(Own, unsafe=PUT)
    assert next(performed) == 1
    assert "PUT If-Match" in found["C38"].evidence
    assert "the resource has changed" in found["C38"].evidence
    assert found["C24"].evidence.startswith("a false If-Match is not refused: PUT")


@pytest.mark.parametrize("status", [403, 405, 415, 422, 428])
def test_what_is_refused_anyway_says_nothing(status: int) -> None:
    class Own(Writable):
        def do_PUT(self) -> None:
            self.respond(status, {}, b"no\n")

    found = findings(Own, unsafe=PUT)
    assert with_verdict(found, Verdict.VIOLATION) == set()
    assert {n: found[n].verdict for n in ("C24", "C25", "C38")} == dict.fromkeys(
        ("C24", "C25", "C38"), Verdict.NOT_APPLICABLE
    )


def test_a_success_that_changes_nothing_is_unclear() -> None:
    class Own(Writable):
        def do_PUT(self) -> None:
            self.respond(204, {})

    assert findings(Own, "C38", unsafe=PUT)["C38"].verdict is Verdict.UNCLEAR


def test_an_error_is_unclear() -> None:
    class Own(Writable):
        def do_PUT(self) -> None:
            self.respond(500, {}, b"oops\n")

    assert findings(Own, "C38", unsafe=PUT)["C38"].verdict is Verdict.UNCLEAR


def test_another_writer_is_not_taken_for_the_method() -> None:
    puts = count()

    class Own(Writable):
        def do_PUT(self) -> None:
            if next(puts) == 0:
                type(self).revision += 1
            self.respond(412, {}, b"no\n")

    assert findings(Own, "C38", unsafe=PUT)["C38"].verdict is Verdict.PASS


def test_a_page_that_changes_at_each_get_is_judged_by_status() -> None:
    numbers = count()

    class Own(Writable):
        def represent(self) -> Representation:
            found = super().represent()
            found.content = b"%d" % next(numbers)
            return found

    found = findings(Own, "C38", unsafe=PUT)["C38"]
    assert found.verdict is Verdict.PASS
    assert "only the status is judged" in found.note


def test_put_rules_need_put() -> None:
    class Own(Writable):
        def do_PATCH(self) -> None:
            self.do_PUT()

    found = findings(Own, unsafe=Unsafe("PATCH", b"", None))
    assert with_verdict(found, Verdict.VIOLATION) == set()
    assert found["C38"].verdict is Verdict.PASS
    assert found["C24"].evidence == found["C25"].evidence == "needs --unsafe PUT"
