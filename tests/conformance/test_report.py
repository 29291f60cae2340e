from __future__ import annotations

import io
import json
import sys

import pytest

from notmodified.conformance.findings import Finding, not_applicable, passed, violated
from notmodified.conformance.probe import Result
from notmodified.conformance.report import write_json, write_table
from notmodified.conformance.rules import RULES

URL = "http://example.org/"


def result(number: str, finding: Finding) -> Result:
    return Result(RULES[number], finding)


RESULTS = [
    result("C1", passed("200 ETag: [bold]x", "advice")),
    result("C18", violated("GET → 200, expected 304")),
    result("ROBUST", not_applicable("")),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_are_aligned() -> None:
    out = io.StringIO()
    write_table(URL, RESULTS, out)
    robust = RULES["ROBUST"]
    unobservable = "Not to be seen from outside: C6, C11, C12, C39, C40, C41, C42."
    assert out.getvalue().splitlines() == [
        "http://example.org/",
        "C1      pass, with a note  An emitted ETag follows the grammar (RFC 9110 §8.8.3)",
        "                             200 ETag: [bold]x — advice",
        "C18     violation          If-None-Match compares weakly (RFC 9110 §13.1.2, §8.8.3.2)",
        "                             GET → 200, expected 304",
        f"ROBUST  not applicable     {robust.title} ({robust.source})",
        f"violation: 1, unclear: 0, pass: 1, not applicable: 1. {unobservable}",
    ]


def test_on_a_terminal_rich_draws_and_reads_no_markup() -> None:
    pytest.importorskip("rich")
    out = Terminal()
    write_table(URL, RESULTS, out)
    assert "━" in out.getvalue()
    assert "[bold]x" in out.getvalue()


def test_without_rich_a_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notmodified.conformance.report.find_spec", lambda name: None)
    terminal, plain = Terminal(), io.StringIO()
    write_table(URL, RESULTS, terminal)
    write_table(URL, RESULTS, plain)
    assert terminal.getvalue() == plain.getvalue()


def test_rich_is_not_imported_unless_used() -> None:
    assert "rich" not in vars(sys.modules["notmodified.conformance.report"])


def test_json() -> None:
    out = io.StringIO()
    write_json([(URL, RESULTS)], out)
    (document,) = json.loads(out.getvalue())
    assert document["url"] == URL
    assert document["results"][1] == {
        "rule": "C18",
        "title": "If-None-Match compares weakly",
        "source": "RFC 9110 §13.1.2, §8.8.3.2",
        "verdict": "violation",
        "evidence": "GET → 200, expected 304",
        "note": "",
    }
