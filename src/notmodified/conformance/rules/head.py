"""HEAD (RFC 9110 §9.3.2)."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine
from notmodified.conformance.exchange import expect, said
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import Finding, passed, together, violated
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule

_SAME = (
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "ETag",
    "Last-Modified",
    "Vary",
    "Cache-Control",
)
# Known only once content is made, so a server may leave them out of an answer without content.
_OPTIONAL = frozenset({"ETag", "Last-Modified", "Vary"})


@rule("C46", "HEAD is GET without content", "RFC 9110 §9.3.2, §8.6", any_status=True)
def as_get(origin: Origin) -> Finding:
    exchange, get = origin.head(), origin.current
    if exchange.status != get.status:
        return together(expect(exchange, get.status))
    head = exchange.response
    if head.content.length:
        return violated(f"{exchange} followed by {head.content.length} octets")
    findings = [passed(f"{exchange}, fields as GET, no content")]
    for name in _SAME:
        if head.value(name) == get.value(name):
            continue
        if name in _OPTIONAL and not head.values(name):
            findings.append(passed("", f"HEAD leaves out {name}"))
        else:
            findings.append(violated(f"{exchange.saying(name)}; GET {said(get, name)}"))
    sent = head.value("Content-Length")
    length = None if sent is None else origin.steady_length()
    if length is not None and sent != str(length):
        findings.append(violated(f"{exchange.saying('Content-Length')}; GET has {length} octets"))
    return together(*findings, *_conditions(origin))


def _conditions(origin: Origin) -> list[Finding]:
    """That conditions have the result on HEAD that they have on GET."""
    conditions: list[FieldLine] = [
        ("If-Match", str(origin.unknown_tag)),
        ("If-None-Match", str(origin.tag or "*")),
    ]
    if origin.last_modified is not None:
        conditions.append(("If-Modified-Since", imf_fixdate(origin.last_modified)))
    if (older := origin.an_older_date) is not None:
        conditions.append(("If-Unmodified-Since", older))
    return [expect(origin.head(line), origin.get(line).status) for line in conditions]
