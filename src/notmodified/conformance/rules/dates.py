"""Dates as emitted and as understood (RFC 9110 §5.6.7, §6.6.1, §8.8.2)."""

from __future__ import annotations

from notmodified.conformance.client import Response
from notmodified.conformance.exchange import Exchange, expect, expect_not, said
from notmodified.conformance.fields import (
    asctime_date,
    imf_fixdate,
    is_imf_fixdate,
    parse_date,
    rfc850_date,
)
from notmodified.conformance.findings import (
    Finding,
    not_applicable,
    passed,
    together,
    violated,
)
from notmodified.conformance.origin import DAY, Origin
from notmodified.conformance.rules.registry import rule

_YEAR = 365 * DAY


@rule("C10", "Last-Modified is never later than Date", "RFC 9110 §8.8.2.1")
def not_in_the_future(origin: Origin) -> Finding:
    modified = origin.last_modified
    if modified is None:
        return origin.no_date()
    date = origin.current.value("Date")
    sent = None if date is None else parse_date(date, origin.now)
    if sent is None:
        return not_applicable("no Date to compare with (see C13)")
    evidence = said(origin.current, "Last-Modified", "Date")
    return passed(evidence) if modified <= sent else violated(evidence)


@rule("C13", "Date on every 2xx, 3xx and 4xx", "RFC 9110 §6.6.1", any_status=True)
def date_is_sent(origin: Origin) -> Finding:
    samples = [answer for answer in _samples(origin) if 200 <= answer.status < 500]
    if not samples:
        return not_applicable("only server errors")
    lacking = [answer for answer in samples if not answer.response.values("Date")]
    if lacking:
        return violated("; ".join(answer.saying("Date") for answer in lacking))
    return passed(f"Date on {', '.join(str(answer.status) for answer in samples)}")


@rule("C14", "Dates are emitted as IMF-fixdate", "RFC 9110 §5.6.7", any_status=True)
def emitted_form(origin: Origin) -> Finding:
    return together(*(_emitted(answer.response) for answer in _samples(origin)))


def _emitted(response: Response) -> Finding:
    names = [
        name for name in ("Date", "Last-Modified", "Expires") if response.value(name) is not None
    ]
    if not names:
        return not_applicable("no dates")
    wrong = [name for name in names if not is_imf_fixdate(response.value(name) or "")]
    if wrong:
        return violated(f"{response.status} {said(response, *wrong)}")
    return passed(f"{', '.join(names)} on {response.status}")


def _samples(origin: Origin) -> list[Exchange]:
    """One answer of each kind that can be had for the asking."""
    found = origin.revalidate()
    return [
        Exchange("GET", (), origin.current),
        *([] if found is None else [found.exchange]),
        origin.get(("If-Match", str(origin.unknown_tag))),
        origin.ask("GET", target=origin.absent),
    ]


@rule("C15", "RFC 850 and asctime dates are understood", "RFC 9110 §5.6.7")
def received_forms(origin: Origin) -> Finding:
    if origin.last_modified is None:
        return origin.no_date()
    findings = [*_forms_revalidate(origin), *_forms_forbid(origin)]
    return together(*findings) if findings else not_applicable("dates are not judged here")


def _forms_revalidate(origin: Origin) -> list[Finding]:
    date = origin.revalidating_date()
    if date is None:
        return []
    findings = [
        expect(origin.get(("If-Modified-Since", form)), 304) for form in _obsolete(origin, date)
    ]
    long_ago = origin.now - 45 * _YEAR
    if long_ago < date:
        # Two digits that would be 55 years ahead mean 45 years ago, before any change.
        two_digits = origin.get(("If-Modified-Since", rfc850_date(long_ago)))
        findings.append(expect(two_digits, 200))
    return findings


def _forms_forbid(origin: Origin) -> list[Finding]:
    if not origin.judges_if_unmodified_since:
        return []
    date = max((origin.last_modified or 0) - DAY, 0)
    return [
        expect(origin.get(("If-Unmodified-Since", form)), 412) for form in _obsolete(origin, date)
    ]


def _obsolete(origin: Origin, date: int) -> list[str]:
    """The obsolete forms of `date`: two digits only where they are not ambiguous."""
    recent = origin.now - 49 * _YEAR < date <= origin.now
    return [asctime_date(date), *([rfc850_date(date)] if recent else [])]


@rule("C16", "Sub-second times are truncated before they are compared", "RFC 9110 §8.8.2")
def whole_seconds(origin: Origin) -> Finding:
    modified = origin.last_modified
    if modified is None:
        return origin.no_date()
    findings = []
    if origin.revalidating_date() is not None:
        # The very date that was sent has to revalidate if any does.
        findings.append(expect(origin.get(("If-Modified-Since", imf_fixdate(modified))), 304))
    if origin.judges_if_unmodified_since:
        exchange = origin.get(("If-Unmodified-Since", imf_fixdate(modified)))
        findings.append(expect_not(exchange, 412))
    return together(*findings) if findings else not_applicable("dates are not judged here")
