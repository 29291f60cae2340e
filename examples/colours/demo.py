"""The demonstration of the example site: ``python examples/colours/demo.py``.

Prepares the site in ``.demo`` (or ``COLOURS_STATE``), runs it, visits it, and prints what the
visits cost. Then it keeps serving; with ``--once`` it ends, with ``--serve`` it does nothing else.
The status is 0 if every answer was right. ``COLOURS_LIMIT`` loads fewer colours,
``COLOURS_PAGE_SECONDS`` is how long ``cache_page`` keeps its page.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError
from typing import Final, NoReturn

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from tour import show
from tour.browser import Browser, Unexpected
from tour.site import Environment, Server, by_sqlite3, environment, manage, prepare
from tour.visits import Row, Way, tour
from tour.writes import CREDENTIALS, Writer

PAGE_SECONDS: Final = int(os.environ.get("COLOURS_PAGE_SECONDS", "8"))
"""Short, so that the end of a kept page can be seen."""

_DESKTOP: Final = ("ada", "studio")


def list_ways() -> list[Way]:
    def path(how: str) -> str:
        return f"/api/{how}/colours/"

    return [
        Way("plain", path("plain"), validates=False),
        Way("content", path("content")),
        Way("field", path("field"), most_queries=1),
        Way("token", path("token"), most_queries=0),
        Way("table", path("table"), most_queries=1),
        Way("combined", path("combined"), most_queries=1),
        Way("last-modified", path("last-modified"), dated=True, most_queries=1),
        Way("cache_page", path("cached"), stale_seconds=PAGE_SECONDS + 2),
    ]


def page_ways(*, signed_in: int) -> list[Way]:
    """Of a desktop; `signed_in` is how many queries it takes to know who is looking."""

    def path(how: str) -> str:
        return f"/d/{how}/{'/'.join(_DESKTOP)}/"

    return [
        Way("plain", path("plain"), validates=False),
        Way("middleware alone", path("middleware-alone")),
        Way("content", path("content")),
        Way("field", path("field"), most_queries=5 + signed_in),
        Way("token", path("token"), most_queries=signed_in),
        Way("table", path("table"), most_queries=7 + signed_in),
    ]


def visit_everything(console: Console, address: str, env: Environment) -> bool:
    """Print the tables. Whether everything was right."""
    writer = Writer(address)

    plain_list, plain_page = list_ways()[0], page_ways(signed_in=0)[0]

    def made(
        title: str, browser: Browser, ways: list[Way], change: Callable[[], None], note: str = ""
    ) -> list[Row]:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(title, total=2 * len(ways))
            rows = tour(
                browser,
                ways,
                change,
                tick=lambda path: progress.update(task, advance=1, description=f"GET {path}"),
            )
        show.page(console, title, rows, note)
        return rows

    rows = made(
        "The list of all colours; changed by a PATCH with If-Match",
        Browser(address),
        list_ways(),
        writer.rename,
        "combined: field and token. last-modified: field as a date, asked with If-Modified-Since "
        f"alone. cache_page: stays as it was for up to {PAGE_SECONDS} s, because the site wants "
        "that.",
    )
    attempts = writer.attempts()
    writer.restore()
    show.writes(console, writer.path, attempts)
    rows += made(
        "A desktop, for a visitor; changed by manage.py add_note",
        Browser(address),
        page_ways(signed_in=0),
        lambda: manage(env, "add_note", *_DESKTOP, "Written by another process."),
    )
    owner = Browser(address, CREDENTIALS)
    rows += made(
        "The same desktop for its owner, with a form; changed by sending the form",
        owner,
        page_ways(signed_in=2),
        lambda: owner.submit(f"/d/token/{'/'.join(_DESKTOP)}/", "notes/", text="By the form."),
        "Two queries know the owner: the session and the user.",
    )
    rows += made(
        "The list again, a plain view without any decorator; changed by the sqlite3 client",
        Browser(address),
        [plain_list, Way("automatic", "/api/colours/", most_queries=0)],
        lambda: by_sqlite3(env, "UPDATE palette_colour SET name = name || '.' WHERE id = 1"),
    )
    by_sqlite3(
        env, "UPDATE palette_colour SET name = substr(name, 1, length(name) - 1) WHERE id = 1"
    )
    rows += made(
        "The desktop again, a plain view too; changed by manage.py add_note",
        Browser(address),
        [plain_page, Way("automatic", f"/desktops/{'/'.join(_DESKTOP)}/", most_queries=0)],
        lambda: manage(env, "add_note", *_DESKTOP, "Written by yet another process."),
    )
    show.dependencies(console, Browser(address).json("/dependencies/"))
    right = not any(row.problems for row in rows)
    return right and all(status == wanted for _, status, wanted in attempts)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--once", action="store_true", help="end after the tables")
    only.add_argument("--serve", action="store_true", help="serve, without the tables")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, _interrupted)
    console = Console()
    root = Path(__file__).resolve().parent.parent.parent
    env = environment(Path(os.environ.get("COLOURS_STATE", root / ".demo")), PAGE_SECONDS)
    limit = os.environ.get("COLOURS_LIMIT")
    right = False
    try:
        prepare(env, int(limit) if limit else None)
        with Server(env) as server:
            right = options.serve or show_everything(console, server.address, env)
            if not options.once:
                show.serving(console, server.address)
                server.wait()
                right = False  # it has ended of itself
    except CalledProcessError as error:
        console.print(f"[red]{error}[/red]")
    except KeyboardInterrupt:
        console.print("\nEnded.")
    return 0 if right else 1


def show_everything(console: Console, address: str, env: Environment) -> bool:
    """The tables, and the verdict. Whether everything was right."""
    console.print(f"\nServing {address} with two workers.\n")
    show.explain(console)
    try:
        right = visit_everything(console, address, env)
    except (Unexpected, httpx.TransportError) as error:
        console.print(f"[red]{error}[/red]")
        right = False
    console.print("Everything was right." if right else "[red]Something was wrong.[/red]")
    return right


def _interrupted(*args: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
