"""The table of results, for people or as JSON.

Rules of this module:

- `rich` draws the table where it is installed and the output is a terminal; elsewhere lines are
  plain and aligned, so that they can be searched and compared.
- `rich` is imported only when it is used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TextIO

from notmodified.conformance.findings import Verdict
from notmodified.conformance.probe import Result
from notmodified.conformance.rules import UNOBSERVABLE

_STYLES = {
    Verdict.VIOLATION: "bold red",
    Verdict.UNCLEAR: "yellow",
    Verdict.PASS: "green",
    Verdict.NOT_APPLICABLE: "dim",
}


def write_table(url: str, results: Sequence[Result], out: TextIO) -> None:
    """One table for people."""
    if out.isatty() and find_spec("rich") is not None:
        _write_rich(url, results, out)
    else:
        _write_plain(url, results, out)


def write_json(results_by_url: Iterable[tuple[str, Sequence[Result]]], out: TextIO) -> None:
    """All results as one JSON array, an object per URL."""
    document = [
        {
            "url": url,
            "results": [
                {
                    "rule": result.rule.number,
                    "title": result.rule.title,
                    "source": result.rule.source,
                    "verdict": result.finding.verdict.value,
                    "evidence": result.finding.evidence,
                    "note": result.finding.note,
                }
                for result in results
            ],
        }
        for url, results in results_by_url
    ]
    json.dump(document, out, indent=2)
    out.write("\n")


def _rows(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    return [
        (
            result.rule.number,
            _verdict(result),
            f"{result.rule.title} ({result.rule.source})",
            " — ".join(filter(None, [result.finding.evidence, result.finding.note])),
        )
        for result in results
    ]


def _verdict(result: Result) -> str:
    noted = result.finding.verdict is Verdict.PASS and result.finding.note
    return "pass, with a note" if noted else result.finding.verdict.value


def _summary(results: Sequence[Result]) -> str:
    counts = Counter(result.finding.verdict for result in results)
    said = ", ".join(f"{verdict.value}: {counts[verdict]}" for verdict in Verdict)
    return f"{said}. Not to be seen from outside: {', '.join(UNOBSERVABLE)}."


def _write_plain(url: str, results: Sequence[Result], out: TextIO) -> None:
    rows = _rows(results)
    number, verdict = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
    out.write(f"{url}\n")
    for row in rows:
        out.write(f"{row[0]:{number}}  {row[1]:{verdict}}  {row[2]}\n")
        if row[3]:
            out.write(f"{'':{number}}  {'':{verdict}}    {row[3]}\n")
    out.write(f"{_summary(results)}\n")


def _write_rich(url: str, results: Sequence[Result], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text, since brackets in evidence are no markup.
    table = Table("Rule", "Verdict", "What", "Evidence", title=Text(url), expand=True)
    for result, (number, verdict, what, evidence) in zip(results, _rows(results), strict=True):
        style = _STYLES[result.finding.verdict]
        table.add_row(number, Text(verdict, style), Text(what), Text(evidence))
    console = Console(file=out)
    console.print(table)
    console.print(Text(_summary(results)))
