"""``manage.py add_note ada studio "…"``: a write by another process than the server's."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from desktops.models import Desktop, Note


class Command(BaseCommand):
    help = "Adds a note to a desktop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("slug")
        parser.add_argument("text")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            desktop = Desktop.objects.get(owner__username=options["username"], slug=options["slug"])
        except Desktop.DoesNotExist as error:
            raise CommandError("There is no such desktop.") from error
        Note.objects.create(desktop=desktop, text=options["text"])
