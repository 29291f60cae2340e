"""What has a name in the code has its section in the documentation; every link leads somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from notmodified.causes import Cause
from notmodified.conf import Settings
from notmodified.conformance.rules import RULES, UNOBSERVABLE
from notmodified.reasons import Reason
from tests.docs.pages import DOCS, ROOT, anchors, headings, links, pages, prose


def test_every_reason_has_its_section() -> None:
    page = DOCS / "guides" / "reasons.md"
    found = [heading for heading in headings(page) if heading.isupper()]
    assert found == [reason.name for reason in (*Reason, *Cause)]
    for reason in (*Reason, *Cause):
        assert reason.value in prose(page), reason


def test_every_setting_has_its_section() -> None:
    found = [h for h in headings(DOCS / "guides" / "settings.md") if h.isupper()]
    assert found == [field.name for field in fields(Settings)]


def test_every_system_check_has_its_section() -> None:
    source = (ROOT / "src" / "notmodified" / "checks.py").read_text()
    ids = set(re.findall(r'"(notmodified\.[EW]\d{3})"', source))
    found = [h for h in headings(DOCS / "guides" / "checks.md") if h.startswith("notmodified.")]
    assert sorted(found) == sorted(ids)


def test_every_rule_has_its_row() -> None:
    page = (DOCS / "guides" / "conformance.md").read_text()
    rows = re.findall(r"^\| (C\d+) \|", page, re.MULTILINE)
    assert rows == [f"C{number}" for number in range(1, 48)]
    for number in [number for number in RULES if number != "ROBUST"] + list(UNOBSERVABLE):
        assert number in page


def test_every_file_that_shows_a_rule_cites_it() -> None:
    page = (DOCS / "guides" / "conformance.md").read_text()
    for number, cells in re.findall(r"^\| (C\d+) \|(.*)$", page, re.MULTILINE):
        for name in re.findall(r"`(tests/[\w/.]+)`", cells):
            text = (ROOT / name).read_text()
            ranges = [range(int(a), int(b) + 1) for a, b in re.findall(r"C(\d+)–C?(\d+)", text)]
            cited = re.search(rf"\b{number}\b|_{number.lower()}_", text)
            assert cited or any(int(number[1:]) in one for one in ranges), f"{name}: {number}"


def test_every_file_that_is_named_exists() -> None:
    for page in pages():
        for name in re.findall(r"`((?:tests|src|benchmarks|scripts)/[\w/.]+)`", prose(page)):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not there.is_dir(), f"{target} is a directory"
        if anchor:
            assert anchor in anchors(there), target


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in DOCS.rglob("*.md"):
        assert str(page.relative_to(DOCS)) in navigation, page
