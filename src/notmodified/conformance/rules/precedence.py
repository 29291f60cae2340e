"""Which condition is judged, and which first (RFC 9110 §13.2.2)."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine
from notmodified.conformance.exchange import expect, expect_not
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import Finding, not_applicable, passed, together
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule


@rule("C26", "If-None-Match makes If-Modified-Since ignored", "RFC 9110 §13.1.3")
def none_match_over_modified_since(origin: Origin) -> Finding:
    date = origin.revalidating_date()
    if date is None:
        return origin.no_revalidating_date()
    since, unknown = ("If-Modified-Since", imf_fixdate(date)), origin.unknown_tag
    findings = [
        expect(origin.get(("If-None-Match", str(unknown)), since), 200),
        # Not parsable, yet present.
        expect_not(origin.get(("If-None-Match", unknown.opaque), since), 304),
        expect_not(origin.get(("If-None-Match", f'"{unknown.opaque}'), since), 304),
    ]
    empty = origin.get(("If-None-Match", ""), since)
    note = f"{empty}: an empty field counts as absent" if empty.status == 304 else ""
    findings.append(passed(str(empty), note))
    if origin.tag is not None and (older := origin.an_older_date) is not None:
        current = ("If-None-Match", str(origin.tag))
        findings.append(expect(origin.get(current, ("If-Modified-Since", older)), 304))
    return together(*findings)


@rule("C27", "If-Match makes If-Unmodified-Since ignored", "RFC 9110 §13.1.4")
def match_over_unmodified_since(origin: Origin) -> Finding:
    older = origin.an_older_date
    if older is None:
        return origin.no_date()
    if not origin.judges_if_unmodified_since:
        return not_applicable("If-Unmodified-Since is not judged (see C32)")
    since = ("If-Unmodified-Since", older)
    findings = [expect(origin.get(("If-Match", "*"), since), 200)]
    if origin.tag is not None and not origin.tag.weak:
        findings.append(expect(origin.get(("If-Match", str(origin.tag)), since), 200))
    return together(*findings)


@rule("C33", "If-Match and If-Unmodified-Since come before the others", "RFC 9110 §13.2.2")
def order(origin: Origin) -> Finding:
    first: list[FieldLine] = []
    if origin.judges_if_match:
        first.append(("If-Match", str(origin.unknown_tag)))
    if origin.judges_if_unmodified_since and (older := origin.an_older_date) is not None:
        first.append(("If-Unmodified-Since", older))
    second: list[FieldLine] = [("If-None-Match", "*" if origin.tag is None else str(origin.tag))]
    if (date := origin.revalidating_date()) is not None:
        second.append(("If-Modified-Since", imf_fixdate(date)))
    if not first:
        return not_applicable("neither is judged (see C34, C32)")
    return together(*(expect(origin.get(a, b), 412) for a in first for b in second))
