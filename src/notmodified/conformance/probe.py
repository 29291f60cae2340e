"""Runs the rules on an origin.

Rules of this module:

- A plain GET before and one after each rule tell whether the resource changed meanwhile; then the
  rule is tried again, and after some trials it is unclear.
- No answer in the middle of a rule is unclear; what to make of it is for the rule to say.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from notmodified.conformance.client import NoAnswer
from notmodified.conformance.exchange import Exchange, said
from notmodified.conformance.findings import Finding, not_applicable, together, unclear
from notmodified.conformance.origin import Origin, same_version
from notmodified.conformance.rules import RULES, UNSAFE_CHECKS, Check, Rule

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Result:
    rule: Rule
    finding: Finding


def probe(origin: Origin, numbers: Collection[str] = ()) -> list[Result]:
    """The results of the rules called `numbers`, or of all, in their order."""
    chosen = [rule for rule in RULES.values() if not numbers or rule.number in numbers]
    # C5 looks back over the whole run.
    chosen.sort(key=lambda rule: rule.number == "C5")
    results = [Result(rule, _judge(rule, origin)) for rule in chosen]
    return sorted(results, key=lambda result: _place(result.rule))


def _place(rule: Rule) -> tuple[bool, int]:
    """By number; rules without one last."""
    digits = rule.number.removeprefix("C")
    return not digits.isdecimal(), int(digits) if digits.isdecimal() else 0


def _judge(rule: Rule, origin: Origin) -> Finding:
    checks: list[Check] = [partial(_steadily, rule)]
    if origin.unsafe is not None and rule.number in UNSAFE_CHECKS:
        checks.append(partial(_once, UNSAFE_CHECKS[rule.number]))
    return together(*(_answered(check, origin) for check in checks))


def _answered(check: Check, origin: Origin) -> Finding:
    try:
        return check(origin)
    except NoAnswer as error:
        return unclear(f"no answer: {error}")


def _once(check: Check, origin: Origin) -> Finding:
    """The finding of a check that may have changed the resource itself."""
    if origin.current.status != 200:
        return not_applicable(str(Exchange("GET", (), origin.current)))
    finding = check(origin)
    origin.control()
    return finding


def _steadily(rule: Rule, origin: Origin) -> Finding:
    """The finding of a trial during which nothing changed."""
    for _ in range(_ATTEMPTS):
        if origin.current.status != 200:
            origin.control()
        before = origin.current
        plain = Exchange("GET", (), before)
        if plain.refused_for_now:
            return unclear(f"{plain}: the server refuses for now")
        if before.status != 200 and not rule.any_status:
            return not_applicable(str(plain))
        finding = rule.check(origin)
        after = origin.control()
        if same_version(before, after) or rule.any_version:
            return finding
    names = ("ETag", "Last-Modified")
    return unclear(
        f"the resource changed meanwhile: {before.status} {said(before, *names)}, "
        f"then {after.status} {said(after, *names)}"
    )
