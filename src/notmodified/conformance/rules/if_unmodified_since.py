"""If-Unmodified-Since (RFC 9110 §13.1.4)."""

from __future__ import annotations

from notmodified.conformance.exchange import expect, expect_not
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import Finding, together
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule


@rule("C32", "If-Unmodified-Since false: 412", "RFC 9110 §13.1.4")
def false_condition(origin: Origin) -> Finding:
    older, modified = origin.an_older_date, origin.last_modified
    if older is None or modified is None:
        return origin.no_date()
    later = imf_fixdate(max(origin.now, modified))
    return together(
        expect(origin.get(("If-Unmodified-Since", older)), 412),
        expect_not(origin.get(("If-Unmodified-Since", later)), 412),
    )
