"""Verdicts and their evidence.

Rules of this module:

- Evidence is short and printable: what came over the wire is escaped before it is shown, so that no
  server can write to the reader's terminal.
- Of several findings on one rule the worst is the verdict, and its evidence is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a rule says of an origin, worst first."""

    VIOLATION = "violation"
    UNCLEAR = "unclear"
    PASS = "pass"
    NOT_APPLICABLE = "not applicable"


_BY_GRAVITY = tuple(Verdict)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, what it rests on, and advice that is no verdict."""

    verdict: Verdict
    evidence: str
    note: str = ""


def passed(evidence: str, note: str = "") -> Finding:
    return Finding(Verdict.PASS, evidence, note)


def violated(evidence: str) -> Finding:
    return Finding(Verdict.VIOLATION, evidence)


def not_applicable(reason: str) -> Finding:
    return Finding(Verdict.NOT_APPLICABLE, reason)


def unclear(reason: str) -> Finding:
    return Finding(Verdict.UNCLEAR, reason)


def together(*findings: Finding) -> Finding:
    """One finding of several: the worst verdict with its evidence, and every note."""
    worst = min((finding.verdict for finding in findings), key=_BY_GRAVITY.index)
    evidence = _joined(finding.evidence for finding in findings if finding.verdict is worst)
    return Finding(worst, evidence, _joined(finding.note for finding in findings))


def _joined(texts: Iterable[str]) -> str:
    """The first few of `texts`, each once."""
    distinct = list(dict.fromkeys(filter(None, texts)))
    more = [f"and {len(distinct) - _SHOWN} more"] if len(distinct) > _SHOWN else []
    return "; ".join([*distinct[:_SHOWN], *more])


def shown(value: str | bytes, limit: int = 72) -> str:
    """`value` as printable ASCII, cut to `limit` characters."""
    text = value.decode("iso-8859-1") if isinstance(value, bytes) else value
    printable = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text[: limit + 1])
    if len(printable) <= limit:
        return printable
    return f"{printable[: limit // 2]}… ({len(text)} characters)"
