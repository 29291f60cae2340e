"""Explicit freshness (RFC 9111 §4.2)."""

from __future__ import annotations

from notmodified.conformance.exchange import said
from notmodified.conformance.fields import members
from notmodified.conformance.findings import Finding, not_applicable, passed, violated
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule

_EXPLICIT = frozenset({"max-age", "s-maxage", "no-cache", "no-store"})


@rule("C74", "What has a validator states its freshness", "RFC 9111 §4.2.2")
def explicit_freshness(origin: Origin) -> Finding:
    ok = origin.current
    if not ok.values("ETag") and not ok.values("Last-Modified"):
        return not_applicable("no validator")
    evidence = said(ok, "Cache-Control", "Expires")
    control = ok.value("Cache-Control")
    if control is None and not ok.values("Expires"):
        return violated(f"200 {evidence}: caches guess")
    directives = {member.partition("=")[0] for member in members(control or "")}
    if ok.values("Expires") or directives & _EXPLICIT:
        return passed(evidence)
    return passed(evidence, "no directive says how long: caches guess")
