"""Nonsense in conditional fields (RFC 9110 §2.2, §5.5)."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine, NoAnswer
from notmodified.conformance.exchange import expect_not
from notmodified.conformance.findings import Finding, Verdict, passed, shown, together, violated
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule

_FIELDS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")
_NONSENSE = (
    b"",
    b'"',
    b'"unclosed',
    b"W/",
    b'W/"',
    b",",
    b',,,"',
    b'"a" "b"',
    b"\xff\xfe\x80",
    b'"\xff',
    b"%s%n{0}${x}\\",
    b"9" * 400,
    b"Sun, 06 Nov 99999999999 08:49:37 GMT",
    b"Sun, 00 Jan 0000 00:00:00 GMT",
    b"Sunday, 99-Nov-99 99:99:99 GMT",
    b'"' + b"a" * 3000,
    b'"a",' * 700,
)
# A server may refuse to read these at all, and say nothing.
_UNREADABLE = (b"\x01\x7f", b'"a\x0bb"', b"x" * 16384)


@rule("ROBUST", "Nonsense in a condition gives neither 5xx nor 304", "RFC 9110 §2.2, §13.1")
def survives_nonsense(origin: Origin) -> Finding:
    return together(
        *(
            _survives(origin, name, value)
            for name in _FIELDS
            for value in (*_NONSENSE, *_UNREADABLE)
        )
    )


def _survives(origin: Origin, name: str, value: bytes) -> Finding:
    lines: list[FieldLine] = [(name, value)]
    if name == "If-Range":
        lines.append(("Range", "bytes=0-0"))
    try:
        exchange = origin.get(*lines)
    except NoAnswer as error:
        evidence = f"GET {name}: {shown(value)}: {error}"
        return passed("", evidence) if value in _UNREADABLE else violated(evidence)
    finding = expect_not(exchange, 304)
    if finding.verdict is not Verdict.PASS:
        return finding
    return passed(f"{len(_FIELDS) * len(_NONSENSE + _UNREADABLE)} conditions")
