"""What commands say: in a table, where rich is installed (the extra ``terminal``), and in plain
lines where it is not.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable
from typing import Any, Final

from notmodified.auditing import Finding
from notmodified.explaining import Dependency, Explanation


def explanation(found: Explanation, stream: Any) -> None:
    """What a page depends on, and what became of it."""
    for line in _headline(found):
        stream.write(line)
    if not found.dependencies:
        return
    stream.write("")
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        _plainly(found, stream)
        return
    table = Table(show_lines=True, title="What the page was made from", title_justify="left")
    for name, ratio in zip(_NAMES, (2, 3, 2, 4), strict=True):
        table.add_column(name, overflow="fold", ratio=ratio)
    for one in found.dependencies:
        table.add_row(*_cells(one))
    width = shutil.get_terminal_size((100, 24)).columns
    in_terminal = stream.isatty()
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=in_terminal, width=width, highlight=False)
    console.print(table)
    stream.write(shown.getvalue())


def findings(found: Iterable[Finding], stream: Any) -> None:
    """What audits have come to, a line each."""
    for one in found:
        stream.write(f"{one.outcome:<15} {one.url}  ({one.detail})")


def _headline(found: Explanation) -> list[str]:
    lines = [f"{found.url}: {found.status}, ETag {found.etag or 'none'}"]
    if found.recorded:
        lines.append("Recorded: a return visit is answered without the view.")
        if found.until is not None:
            lines.append(f"It holds until {found.until}, if nothing moves it before.")
    elif found.cause is None:
        lines.append("Not recorded.")
    else:
        where = f", in {found.place}" if found.place else ""
        lines += [f"Not recorded: {found.detail}{where}.", f"See {found.address}"]
    return lines


def _plainly(found: Explanation, stream: Any) -> None:
    for one in found.dependencies:
        what, *cells = _cells(one)
        stream.write(what)
        for name, cell in zip(_NAMES[1:], cells, strict=True):
            if cell:
                stream.write(f"  {name}: " + cell.replace("\n", "\n    "))


_NAMES: Final = ("what", "which of it counts", "moved by", "read by")
_COLUMNS: Final = re.compile(r"\bSELECT (?:DISTINCT )?(?:(?! FROM ).){20,}? FROM ", re.DOTALL)


def _cells(one: Dependency) -> tuple[str, ...]:
    queries = [_COLUMNS.sub("SELECT … FROM ", query) for query in one.queries]
    return one.what, one.why, one.moved_by, "\n".join([*one.places, *queries])
