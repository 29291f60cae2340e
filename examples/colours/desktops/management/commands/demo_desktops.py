"""``manage.py demo_desktops``: people and desktops to look at; those that are there stay."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from palette.models import Colour

from desktops.models import Desktop, Note, Shortcut, Tag

PASSWORD: Final = "colours"
PEOPLE: Final = {"ada": ("studio", "Studio"), "johannes": ("werkstatt", "Werkstatt")}
SHORTCUTS: Final = 48
NOTES: Final = (
    "Paint samples arrive on Monday.",
    "Ask for the catalogue of 1972.",
    "The blue in the hall is too cold.",
)


class Command(BaseCommand):
    help = f"Creates demo users (password: {PASSWORD}) with a desktop each; ada may use the admin."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        colours = list(Colour.objects.order_by("id")[: SHORTCUTS + len(PEOPLE)])
        if len(colours) < SHORTCUTS + len(PEOPLE):
            self.stderr.write("Too few colours: run load_colours first.")
            return
        for index, (name, (slug, title)) in enumerate(PEOPLE.items()):
            user, new = get_user_model().objects.get_or_create(
                username=name, defaults={"is_staff": name == "ada", "is_superuser": name == "ada"}
            )
            if new:
                user.set_password(PASSWORD)
                user.save()
            desktop, new = Desktop.objects.get_or_create(
                owner=user, slug=slug, defaults={"title": title, "wallpaper": colours[index]}
            )
            if new:
                self._furnish(desktop, colours[len(PEOPLE) :])
        self.stdout.write(f"Demo users: {', '.join(PEOPLE)} (password: {PASSWORD}).")

    def _furnish(self, desktop: Desktop, colours: list[Colour]) -> None:
        desktop.tags.set(
            [Tag.objects.get_or_create(name=name)[0] for name in ("colour", "work", "daily")]
        )
        Shortcut.objects.bulk_create(
            Shortcut(
                desktop=desktop,
                label=colour.name[:40],
                target="https://example.org/",
                position=position,
                colour=colour,
            )
            for position, colour in enumerate(colours)
        )
        Note.objects.bulk_create(Note(desktop=desktop, text=text) for text in NOTES)
