"""Conditions on the unsafe method that the user allows (RFC 9110 §13.1, §13.2).

Rule of this module: every request is under a false condition, and one that was not refused is never
sent again.
"""

from __future__ import annotations

from notmodified.conformance.exchange import expect_not, expect_refusal
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import (
    Finding,
    not_applicable,
    passed,
    together,
    unclear,
    violated,
)
from notmodified.conformance.origin import Origin, Trial
from notmodified.conformance.rules.registry import on_unsafe_methods, rule

_NEEDS_PUT = not_applicable("needs --unsafe PUT")


@on_unsafe_methods("C17")
def strong_comparison(origin: Origin) -> Finding:
    unsafe, tag = origin.may_perform, origin.tag
    if unsafe is None or tag is None:
        return origin.no_unsafe() if unsafe is None else origin.no_tag()
    return expect_refusal(origin.perform(unsafe, ("If-Match", str(tag.as_weak()))))


@on_unsafe_methods("C23")
def none_match(origin: Origin) -> Finding:
    unsafe, tag = origin.may_perform, origin.tag
    if unsafe is None or tag is None:
        return origin.no_unsafe() if unsafe is None else origin.no_tag()
    return expect_refusal(origin.perform(unsafe, ("If-None-Match", str(tag))))


@on_unsafe_methods("C28")
def no_modified_since(origin: Origin) -> Finding:
    unsafe, modified = origin.may_perform, origin.last_modified
    if unsafe is None or modified is None:
        return origin.no_unsafe() if unsafe is None else origin.no_date()
    # Under a false If-Match, so that nothing is performed.
    false = ("If-Match", str(origin.unknown_tag))
    since = ("If-Modified-Since", imf_fixdate(modified))
    return expect_not(origin.perform(unsafe, since, false), 304)


@rule("C24", "PUT with If-None-Match: * on what exists: 412", "RFC 9110 §13.1.2", any_version=True)
def no_overwriting(origin: Origin) -> Finding:
    unsafe = origin.may_perform
    if unsafe is None or unsafe.method != "PUT":
        return origin.no_unsafe() if unsafe is None else _NEEDS_PUT
    return expect_refusal(origin.perform(unsafe, ("If-None-Match", "*")))


@rule("C25", "PUT with If-Match: * on what is absent: 412", "RFC 9110 §13.1.1", any_version=True)
def no_creating(origin: Origin) -> Finding:
    unsafe = origin.may_perform
    if unsafe is None or unsafe.method != "PUT":
        return origin.no_unsafe() if unsafe is None else _NEEDS_PUT
    if origin.ask("GET", target=origin.absent).status not in (404, 410):
        return not_applicable("a path beside it exists")
    return expect_refusal(origin.perform(unsafe, ("If-Match", "*"), target=origin.absent))


@rule("C38", "Under a false condition nothing is performed", "RFC 9110 §13.1.1", any_version=True)
def not_performed(origin: Origin) -> Finding:
    trial = origin.trial
    if trial is None:
        return origin.no_unsafe()
    findings = [_unperformed(trial)]
    older = origin.an_older_date
    if trial.refused and older is not None:
        by_date = origin.attempt(("If-Unmodified-Since", older))
        if by_date is not None:
            findings.append(_unperformed(by_date))
    return together(*findings)


def _unperformed(trial: Trial) -> Finding:
    exchange = trial.exchange
    if trial.changed:
        return violated(f"{exchange}, and the resource has changed")
    if 200 <= exchange.status < 400:
        # Allowed where the change had been made before (RFC 9110 §13.1.1).
        return unclear(f"{exchange}, but no change is seen")
    if exchange.status == 412 and trial.changed is None:
        return passed(str(exchange), "the resource changes at each GET: only the status is judged")
    return expect_refusal(exchange)
