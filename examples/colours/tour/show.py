"""What the demonstration prints."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from tour.visits import Row


def explain(console: Console) -> None:
    console.print(
        "Each page is visited at one address per validator: [b]first[/b] (until both workers have "
        "answered it once, because a 304 repeats the header fields of a 200 that its process has "
        "seen), [b]back[/b] with the copy's ETag or Last-Modified, [b]changed[/b] after another "
        "process has written, and [b]again[/b]. Queries, ms (median) and bytes are those of the "
        "return visits to an unchanged page; × is how much faster than the plain view.\n"
    )


def page(console: Console, title: str, rows: list[Row], note: str = "") -> None:
    """One table, and what is wrong, if anything is."""
    # In 80 columns every figure must still be readable.
    shown = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1) if console.width >= 100 else 0,
    )
    shown.add_column("validator", no_wrap=True)
    for name in ("first", "back", "changed", "again", "queries", "ms", "bytes", "×"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    plain = rows[0].milliseconds
    for row in rows:
        shown.add_row(
            row.way.name,
            *row.statuses(),
            str(row.queries),
            f"{row.milliseconds:.1f}",
            f"{row.size:,}",
            f"{plain / row.milliseconds:.1f}",
            "[red]wrong[/red]" if row.problems else "[green]right[/green]",
        )
    console.print(shown)
    if note:
        console.print(f"[dim]{note}[/dim]")
    for row in rows:
        for problem in row.problems:
            console.print(f"[red]{row.way.path}: {problem}[/red]")
    console.print()


def writes(console: Console, path: str, attempts: list[tuple[str, int, int]]) -> None:
    shown = Table(title=f"PATCH {path}", title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    shown.add_column("the request says")
    shown.add_column("status", justify="right")
    shown.add_column("verdict")
    for said, status, right in attempts:
        verdict = "[green]right[/green]" if status == right else f"[red]wrong: {right}[/red]"
        shown.add_row(said, str(status), verdict)
    console.print(shown)
    console.print()


def dependencies(console: Console, pages: dict[str, list[tuple[str, str]]]) -> None:
    """What each page depends on, and why."""
    shown = Table(
        title="What the pages without a decorator depend on, and why",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1),
    )
    for name in ("page", "depends on", "why"):
        shown.add_column(name, overflow="fold")
    for path, reasons in sorted(pages.items()):
        for number, (what, why) in enumerate(reasons):
            shown.add_row(path if number == 0 else "", what, why)
    console.print(shown)
    console.print()


def serving(console: Console, address: str) -> None:
    console.print(
        Panel(
            f"[b]{address}/[/b]\n\nLog in as [b]ada[/b], password [b]colours[/b]. Ctrl-C ends it.",
            title="The site is running",
            expand=False,
        )
    )
