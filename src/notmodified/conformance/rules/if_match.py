"""If-Match (RFC 9110 §13.1.1)."""

from __future__ import annotations

from notmodified.conformance.exchange import expect, expect_not
from notmodified.conformance.findings import Finding, not_applicable, passed, together
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule


@rule("C17", "If-Match compares strongly", "RFC 9110 §13.1.1, §8.8.3.2")
def strong_comparison(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    if not origin.judges_if_match:
        return not_applicable("If-Match is not judged (see C34)")
    finding = expect(origin.get(("If-Match", str(tag.as_weak()))), 412)
    if not tag.weak:
        return finding
    exchange = origin.get(("If-Match", str(tag.as_strong())))
    # An intermediary that weakened the tag cannot make the server forget the strong one.
    note = "" if exchange.status == 412 else "the strong form passes, the weak one is shown"
    return together(finding, passed(str(exchange), note))


@rule("C34", "If-Match is judged on GET and HEAD, before ranges", "RFC 9110 §13.1.1, §13.2.2")
def judged_on_safe_methods(origin: Origin) -> Finding:
    unknown = ("If-Match", str(origin.unknown_tag))
    findings = [
        expect(origin.get(unknown), 412),
        expect(origin.head(unknown), 412),
        expect(origin.get(unknown, ("Range", "bytes=0-0")), 412),
        expect_not(origin.get(("If-Match", "*")), 412),
    ]
    if origin.tag is not None and not origin.tag.weak:
        findings.append(expect(origin.get(("If-Match", str(origin.tag))), 200))
    return together(*findings)
