"""How far a write reaches: of the pages that do not show the row, how many still need no view.

``python -m benchmarks.reach``: on SQLite, and on each server that the environment names. Prints
Markdown.

Rules of this module:

- Each page shows one article, its author and its tags, and is on record. One row is written; then
  every page is asked for again, with the tag that its reader has.
- The page that shows the row must come anew, with what was written; all others count. They are
  compared with all of them: the baseline is that every page but that one is answered.
- What is counted is answers that ran no view, whatever they took.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from benchmarks.scratch import on_each

PAGES = 1_000
WRITTEN = 500
TARGET = 0.998
"""The share of the other pages that shall still need no view."""


def writes() -> dict[str, Callable[[], object]]:
    """Each of them writes one row that one page shows."""
    from django.db import connection

    from benchmarks.models import Article

    def save() -> None:
        article = Article.objects.get(pk=WRITTEN)
        article.title = "saved"
        article.save()

    def bulk_update() -> None:
        article = Article.objects.get(pk=WRITTEN)
        article.title = "updated in bulk"
        Article.objects.bulk_update([article], ["title"])

    def raw() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE benchmarks_article SET title = 'by SQL' WHERE id = %s", [WRITTEN]
            )

    return {
        "`save()`": save,
        "`update()`": lambda: Article.objects.filter(pk=WRITTEN).update(title="updated"),
        "`bulk_update()`": bulk_update,
        "adding to a many-to-many relation": lambda: Article.objects.get(pk=WRITTEN).tags.add(40),
        "removing from it": lambda: Article.objects.get(pk=WRITTEN).tags.remove(40),
        "raw SQL": raw,
        "`save()` of another author": lambda: Article.objects.filter(pk=WRITTEN).update(author=7),
    }


class Readers:
    """One for each page, who holds its tag."""

    def __init__(self) -> None:
        from benchmarks.project import caller
        from benchmarks.recorded import warmed
        from notmodified.wsgi import NotModifiedApplication

        application: Any = NotModifiedApplication(warmed())
        self._visit = lambda pk, tag: caller(application, f"tagged/{pk}", tag)()
        self._tags: dict[int, str | None] = dict.fromkeys(range(1, PAGES + 1))

    def come_back(self) -> dict[int, tuple[str, bool]]:
        """The status of each page now, and whether its view has run."""
        from benchmarks.recorded import RUNS

        found = {}
        for pk, tag in self._tags.items():
            runs = RUNS[0]
            status, self._tags[pk] = self._visit(pk, tag)
            found[pk] = status[:3], RUNS[0] > runs
        return found


def measure(name: str) -> None:
    from notmodified.records.store import RECORDS

    readers = Readers()
    readers.come_back()
    assert len(RECORDS) >= PAGES
    assert set(readers.come_back().values()) == {("304", False)}
    print(f"\n### {name}: one row of {PAGES:,} is written\n")
    print("| | × all other pages | that ran their view |\n|---|---:|---:|")
    shares = []
    for title, write in writes().items():
        write()
        found = readers.come_back()
        assert found.pop(WRITTEN) == ("200", True), title
        ran = sum(view for _, view in found.values())
        shares.append(1 - ran / len(found))
        print(f"| {title} | {shares[-1]:.3f} | {ran} |")
    met = "met" if min(shares) >= TARGET else "**not met**"
    print(f"\n- At least {min(shares):.3f} ×, the target of at least {TARGET} × is {met}.")


def main() -> None:
    if len(sys.argv) == 1:
        on_each("benchmarks.reach")
        return
    from benchmarks.recorded import prepared

    prepared()
    measure(sys.argv[1])


if __name__ == "__main__":
    main()
