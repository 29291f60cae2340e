"""The 304 itself (RFC 9110 §15.4.5)."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine
from notmodified.conformance.exchange import said
from notmodified.conformance.fields import members
from notmodified.conformance.findings import (
    Finding,
    not_applicable,
    passed,
    together,
    violated,
)
from notmodified.conformance.origin import Origin, Revalidation, entity_tag
from notmodified.conformance.rules.registry import rule

_REPEATED = ("Date", "ETag", "Vary", "Cache-Control", "Expires", "Content-Location")
_NO_304 = not_applicable("no 304 can be had")


@rule("C43", "A 304 carries the fields that guide caches", "RFC 9110 §15.4.5")
def repeated_fields(origin: Origin) -> Finding:
    found = origin.revalidate()
    if found is None:
        return _NO_304
    present = [name for name in _REPEATED if found.response.values(name)]
    findings = [passed(f"{found.exchange} has {', '.join(present) or 'none, like the 200'}")]
    for name in _REPEATED:
        in_ok, in_304 = bool(found.ok.values(name)), bool(found.response.values(name))
        if in_ok and not in_304:
            findings.append(violated(_both(found, name)))
        elif in_304 and not in_ok:
            findings.append(passed("", _both(found, name)))
        elif in_ok:
            findings.append(_same(found, name))
    return together(*findings)


def _same(found: Revalidation, name: str) -> Finding:
    """Whether a field that both have says the same."""
    ok, not_modified = found.ok.value(name) or "", found.response.value(name) or ""
    if name in ("Date", "Expires") or ok == not_modified:
        return passed("")
    if name == "Vary" and not members(ok) <= members(not_modified):
        return violated(_both(found, name))
    if name == "ETag":
        one, other = entity_tag(found.ok), entity_tag(found.response)
        if one is None or other is None or one.opaque != other.opaque:
            return violated(_both(found, name))
    return passed("", _both(found, name))


def _both(found: Revalidation, *names: str) -> str:
    return f"{found.exchange.saying(*names)}; 200 {said(found.ok, *names)}"


@rule("C44", "A 304 has no content and no metadata of it", "RFC 9110 §15.4.5, §8.6")
def no_content(origin: Origin) -> Finding:
    found = origin.revalidate()
    if found is None:
        return _NO_304
    response = found.response
    if response.content.length:
        return violated(f"{found.exchange} followed by {response.content.length} octets")
    findings = [passed(f"{found.exchange} and no content")]
    sent = response.value("Content-Length")
    length = None if sent is None else origin.steady_length()
    if length is not None and sent != str(length):
        evidence = found.exchange.saying("Content-Length")
        findings.append(violated(f"{evidence}; the 200 has {length} octets"))
    needless = ["Content-Type", "Content-Encoding", "Content-Language", "Content-Range"]
    if response.values("ETag"):
        needless.append("Last-Modified")
    present = [name for name in needless if response.values(name)]
    if present:
        findings.append(
            passed("", f"the 304 says {said(response, *present)}, which guides no cache")
        )
    return together(*findings)


@rule("C45", "A 304 does not recode or retype a stored copy", "RFC 9110 §15.4.5, RFC 9111 §3.2")
def same_coding_and_type(origin: Origin) -> Finding:
    asked: tuple[tuple[FieldLine, ...], ...] = (
        (),
        (("Accept-Encoding", "gzip"),),
        (("Accept-Encoding", "br"),),
    )
    found = [one for fields in asked if (one := origin.revalidate(*fields)) is not None]
    return together(*map(_kept, found)) if found else _NO_304


def _kept(found: Revalidation) -> Finding:
    changed = [
        name
        for name in ("Content-Encoding", "Content-Type")
        if found.response.values(name) and found.response.value(name) != found.ok.value(name)
    ]
    return violated(_both(found, *changed)) if changed else passed(str(found.exchange))


@rule("C47", "A 304 sets no cookie that the client already has", "RFC 9110 §15.4.5")
def no_cookie_noise(origin: Origin) -> Finding:
    cookies = [value.partition(";")[0] for value in origin.current.values("Set-Cookie")]
    for name, value in origin.client.headers:
        if name.lower() == "cookie":
            cookies.append(value if isinstance(value, str) else value.decode("iso-8859-1"))
    # What the cookies shape may have another tag.
    found = origin.revalidate(*([("Cookie", "; ".join(cookies))] if cookies else []))
    if found is None:
        return _NO_304
    evidence = found.exchange.saying("Set-Cookie")
    return violated(evidence) if found.response.values("Set-Cookie") else passed(evidence)
