from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notmodified.conformance.findings import (
    Finding,
    Verdict,
    not_applicable,
    passed,
    shown,
    together,
    unclear,
    violated,
)


def test_the_worst_is_the_verdict_and_its_evidence_is_shown() -> None:
    assert together(passed("a"), violated("b"), unclear("c")) == violated("b")
    assert together(passed("a"), unclear("c"), not_applicable("d")) == unclear("c")
    assert together(not_applicable("d"), passed("a")) == passed("a")


def test_every_note_is_kept() -> None:
    found = together(passed("a", "one"), violated("b"), passed("c", "two"))
    assert found == Finding(Verdict.VIOLATION, "b", "one; two")


def test_evidence_stays_short() -> None:
    assert together(*(violated(text) for text in "abbcde")).evidence == "a; b; c; and 2 more"


@given(st.binary())
def test_shown_is_printable(value: bytes) -> None:
    text = shown(value)
    assert text.replace("…", "").isascii()
    assert text.isprintable()
    assert len(text) < 72 + 30


def test_shown_escapes_what_would_move_the_cursor() -> None:
    assert shown("a\x1b[2Jb") == "a\\x1b[2Jb"
    assert shown(b"\xff") == "\\xff"
    assert shown("x" * 500) == "x" * 36 + "… (500 characters)"
