"""If-Modified-Since (RFC 9110 §13.1.3), and what both date conditions share."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine
from notmodified.conformance.exchange import expect, expect_not
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import Finding, not_applicable, passed, together
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule

_NO_DATES = ("yesterday", "0", "Sun, 31 Feb 2100 00:00:00 GMT", "Sun, 06 Nov 2094 25:61:61 GMT")


@rule("C28", "If-Modified-Since only on GET and HEAD", "RFC 9110 §13.1.3")
def only_on_safe_methods(origin: Origin) -> Finding:
    date = origin.revalidating_date()
    if date is None:
        return origin.no_revalidating_date()
    plain = origin.plain_options()
    if plain is None:
        return not_applicable("OPTIONS is not answered 2xx")
    return expect(origin.options(("If-Modified-Since", imf_fixdate(date))), plain.status)


@rule("C29", "A date later than Last-Modified revalidates too", "RFC 9110 §13.1.3")
def later_date(origin: Origin) -> Finding:
    modified, older = origin.last_modified, origin.an_older_date
    if modified is None:
        return origin.no_date()
    if origin.revalidating_date() is None:
        return origin.no_revalidating_date()
    findings = []
    if origin.now > modified:
        later = imf_fixdate(origin.now)
        findings.append(expect(origin.get(("If-Modified-Since", later)), 304))
    if older is not None:
        findings.append(expect_not(origin.get(("If-Modified-Since", older)), 304))
    return together(*findings) if findings else not_applicable("modified just now")


@rule("C30", "Invalid and list-valued dates are ignored", "RFC 9110 §13.1.3, §13.1.4")
def invalid_dates(origin: Origin) -> Finding:
    if origin.last_modified is None:
        return origin.no_date()
    findings = []
    if (date := origin.revalidating_date()) is not None:
        valid = imf_fixdate(date)
        for lines in _invalid("If-Modified-Since", valid):
            findings.append(expect_not(origin.get(*lines), 304))
        for nearly in (valid.replace("GMT", "+0000"), f"{valid}; length=1"):
            exchange = origin.get(("If-Modified-Since", nearly))
            note = f"{exchange}: read as a date" if exchange.status == 304 else ""
            findings.append(passed(str(exchange), note))
    older = origin.an_older_date
    if older is not None and origin.judges_if_unmodified_since:
        for lines in _invalid("If-Unmodified-Since", older):
            findings.append(expect_not(origin.get(*lines), 412))
    return together(*findings) if findings else not_applicable("dates are not judged here")


def _invalid(name: str, valid: str) -> list[list[FieldLine]]:
    """Field lines that are no single date, some made of a `valid` one."""
    lists: list[list[FieldLine]] = [
        [(name, f"{valid}, {valid}")],
        [(name, valid), (name, valid)],
    ]
    for value in _NO_DATES:
        lists.append([(name, value)])
    return lists


@rule("C31", "Dates are ignored where there is no Last-Modified", "RFC 9110 §13.1.3, §13.1.4")
def no_last_modified(origin: Origin) -> Finding:
    if origin.current.values("Last-Modified"):
        return not_applicable("has a Last-Modified")
    now, long_ago = imf_fixdate(origin.now), imf_fixdate(0)
    return together(
        expect_not(origin.get(("If-Modified-Since", now)), 304),
        expect_not(origin.get(("If-Unmodified-Since", long_ago)), 412),
    )
