"""The rules of the conformance list that can be seen from outside, on any server.

One module per concept, named by RFC 9110's term for it; importing this package registers them all.

Rule of this room: a condition is only ever built from what the origin itself has said, and a rule
whose ground is missing says which.
"""

from __future__ import annotations

from notmodified.conformance.rules import (  # noqa: F401 (they register themselves)
    dates,
    entity_tags,
    freshness,
    head,
    if_match,
    if_modified_since,
    if_none_match,
    if_unmodified_since,
    not_modified,
    precedence,
    robustness,
    scope,
    unsafe_methods,
)
from notmodified.conformance.rules.registry import RULES, UNSAFE_CHECKS, Check, Rule

__all__ = ["RULES", "UNOBSERVABLE", "UNSAFE_CHECKS", "Check", "Rule"]

# Of C1 to C47, those that need a look inside, a race, or a change that the probe may not make.
UNOBSERVABLE = ("C6", "C11", "C12", "C39", "C40", "C41", "C42")
