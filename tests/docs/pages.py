"""The documentation as data: its pages, their code blocks, headings and links.

Rule: a ``python`` block is preceded by ``<!-- snippet: KIND key="value" … -->``, which says in
which setting it is run (``test_snippets``). In a list block, the comment is indented like it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"(?:^[ ]*<!--[ ]*snippet:[ ]*(?P<snippet>.*?)[ ]*-->[ ]*\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"<!--[ ]*snippet:")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}[ ]+(?P<text>.+?)[ ]*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of code; `kind` and `options` are what the comment above it says."""

    page: Path
    line: int
    language: str
    code: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    named = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [*named, *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        kind, *options = shlex.split(match["snippet"] or "") or [""]
        yield Block(
            page,
            text.count("\n", 0, match.start("code")),
            match["language"].strip(),
            dedent(match["code"]),
            kind,
            dict(option.split("=", 1) for option in options),
        )


def number_of_comments(page: Path) -> int:
    return len(_COMMENT.findall(page.read_text(encoding="utf-8")))


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    return [match["text"] for match in _HEADING.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors of headings, as Python-Markdown makes them."""
    return {
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        for heading in headings(page)
    }


def links(page: Path) -> list[str]:
    """The targets of links that stay in the repository."""
    found = [match["target"] for match in _LINK.finditer(prose(page))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]
