from __future__ import annotations

import pytest

from notmodified.conformance.client import Content, Response
from notmodified.conformance.exchange import (
    Exchange,
    expect,
    expect_not,
    expect_refusal,
    said,
)
from notmodified.conformance.findings import Verdict


def exchange(status: int, *fields: tuple[str, str]) -> Exchange:
    response = Response(status, fields, Content(0, b"", True))
    return Exchange("GET", (("If-Match", b'"\xff"'), ("Cookie", "session=secret")), response)


def test_shown_without_secrets() -> None:
    found = exchange(304, ("Set-Cookie", "session=secret; HttpOnly"), ("ETag", '"a"'))
    assert str(found) == 'GET If-Match: "\\xff" | Cookie: session=… → 304'
    assert found.saying("ETag", "Vary", "Set-Cookie") == (
        f'{found} ETag: "a", no Vary, Set-Cookie: session=…'
    )
    assert said(found.response, "Vary") == "no Vary"


@pytest.mark.parametrize(
    ("status", "expected", "forbidden", "refusal"),
    [
        (200, Verdict.VIOLATION, Verdict.PASS, Verdict.VIOLATION),
        (304, Verdict.PASS, Verdict.VIOLATION, Verdict.VIOLATION),
        (400, Verdict.VIOLATION, Verdict.PASS, Verdict.NOT_APPLICABLE),
        (412, Verdict.VIOLATION, Verdict.PASS, Verdict.PASS),
        (429, Verdict.UNCLEAR, Verdict.PASS, Verdict.UNCLEAR),
        (500, Verdict.VIOLATION, Verdict.VIOLATION, Verdict.UNCLEAR),
        (503, Verdict.VIOLATION, Verdict.VIOLATION, Verdict.UNCLEAR),
    ],
)
def test_expectations(status: int, expected: Verdict, forbidden: Verdict, refusal: Verdict) -> None:
    found = exchange(status)
    assert expect(found, 304).verdict is expected
    assert expect_not(found, 304).verdict is forbidden
    assert expect_refusal(found).verdict is refusal


def test_come_back_later_is_unclear() -> None:
    found = exchange(503, ("Retry-After", "5"))
    assert {expect(found, 304).verdict, expect_not(found, 304).verdict} == {Verdict.UNCLEAR}
