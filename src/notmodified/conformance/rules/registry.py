"""The registry that every rule enters by its decorator.

Rules of this module:

- A rule has one number of the conformance list, and one function; what it asks of unsafe methods is
  a function apart, which is never tried twice.
- A rule judges an origin whose GET is answered 200 and stays the same version meanwhile, unless it
  says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from notmodified.conformance.findings import Finding
from notmodified.conformance.origin import Origin

Check: TypeAlias = Callable[[Origin], Finding]


@dataclass(frozen=True, slots=True)
class Rule:
    number: str
    title: str
    source: str
    check: Check
    any_status: bool
    any_version: bool


RULES: dict[str, Rule] = {}
UNSAFE_CHECKS: dict[str, Check] = {}


def rule(
    number: str,
    title: str,
    source: str,
    *,
    any_status: bool = False,
    any_version: bool = False,
) -> Callable[[Check], Check]:
    """Register a rule.

    `any_status`: it can be judged where GET is not answered 200. `any_version`: it can be judged
    while the resource changes.
    """

    def register(check: Check) -> Check:
        if number in RULES:
            raise ValueError(f"{number} is registered twice")
        RULES[number] = Rule(number, title, source, check, any_status, any_version)
        return check

    return register


def on_unsafe_methods(number: str) -> Callable[[Check], Check]:
    """Register what the rule `number` asks of the unsafe method that the user allows."""

    def register(check: Check) -> Check:
        UNSAFE_CHECKS[number] = check
        return check

    return register
