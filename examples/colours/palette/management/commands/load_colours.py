"""``manage.py load_colours``: the names of ``data/colornames.csv`` that are not there yet."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from palette.models import Colour

BATCH: Final = 500


class Command(BaseCommand):
    help = "Loads the colour names; those that are there stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, help="only so many of them")

    def handle(self, *args: Any, **options: Any) -> None:
        there = set(Colour.objects.values_list("name", flat=True))
        new = [
            Colour(name=name, hex=hex_).split()
            for name, hex_ in islice(_rows(), options["limit"])
            if name not in there
        ]
        for batch in _with_progress([new[i : i + BATCH] for i in range(0, len(new), BATCH)]):
            Colour.objects.bulk_create(batch)
        self.stdout.write(f"{len(new):,} colours loaded, {len(there):,} were there.")


def _rows() -> Iterator[tuple[str, str]]:
    path = settings.BASE_DIR / "data" / "colornames.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["name"], row["hex"]


def _with_progress(batches: list[list[Colour]]) -> Iterator[list[Colour]]:
    """`batches` one by one, with a progress bar where rich is installed."""
    try:
        from rich.progress import track
    except ImportError:
        yield from batches
        return
    yield from track(batches, description="Loading colours") if batches else ()
