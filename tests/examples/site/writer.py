"""Writes to the example site by its models: a program that reads seeds, one per line, and answers
each with the name of the write that it has made.
"""

from __future__ import annotations

import random

import django

django.setup()

from desktops.models import Desktop, Note, Shortcut, Tag  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import F, Value  # noqa: E402
from django.db.models.functions import Concat, Reverse  # noqa: E402
from palette.models import Colour  # noqa: E402

from tests.integration.seeds import Write, answer_seeds  # noqa: E402

Chance = random.Random


def _desktop(chance: Chance) -> Desktop:
    return chance.choice(list(Desktop.objects.all()))


def _colour(chance: Chance) -> Colour:
    """One that is shown by a page of its own, or on a desktop."""
    return chance.choice(list(Colour.objects.order_by("id")[:8]))


def _word(chance: Chance) -> str:
    return "".join(chance.choices("abcdefgh", k=6))


def save_a_desktop(chance: Chance) -> None:
    desktop = _desktop(chance)
    desktop.title = _word(chance)
    desktop.save()


def save_a_field(chance: Chance) -> None:
    desktop = _desktop(chance)
    desktop.wallpaper = _colour(chance)
    desktop.save(update_fields=["wallpaper"])


def create_a_note(chance: Chance) -> None:
    Note.objects.create(desktop=_desktop(chance), text=_word(chance))


def create_notes_in_bulk(chance: Chance) -> None:
    desktop = _desktop(chance)
    Note.objects.bulk_create(Note(desktop=desktop, text=_word(chance)) for _ in range(2))


def delete_a_note(chance: Chance) -> None:
    note = _desktop(chance).notes.first()
    if note is not None:
        note.delete()


def delete_notes(chance: Chance) -> None:
    Note.objects.filter(desktop=_desktop(chance), text__lt=_word(chance)).delete()


def update_notes(chance: Chance) -> None:
    Note.objects.filter(desktop=_desktop(chance)).update(text=Reverse("text"))


def move_a_note(chance: Chance) -> None:
    """From one desktop to another."""
    note = _desktop(chance).notes.last()
    if note is not None:
        note.desktop = _desktop(chance)
        note.save()


def update_shortcuts_in_bulk(chance: Chance) -> None:
    shortcuts = list(_desktop(chance).shortcuts.all()[:3])
    for shortcut in shortcuts:
        shortcut.label = _word(chance)
    Shortcut.objects.bulk_update(shortcuts, ["label"])


def reorder_shortcuts(chance: Chance) -> None:
    shortcut = chance.choice(list(_desktop(chance).shortcuts.all()))
    Shortcut.objects.filter(pk=shortcut.pk).update(position=F("position") + 7)


def exchange_a_shortcut(chance: Chance) -> None:
    desktop, colour = _desktop(chance), _colour(chance)
    with transaction.atomic():
        chance.choice(list(desktop.shortcuts.all())).delete()
        desktop.shortcuts.create(label=_word(chance), target="/", position=5, colour=colour)


def add_a_tag(chance: Chance) -> None:
    _desktop(chance).tags.add(Tag.objects.get_or_create(name=chance.choice("stuvw"))[0])


def remove_a_tag(chance: Chance) -> None:
    desktop = _desktop(chance)
    desktop.tags.remove(*desktop.tags.all()[:1])


def clear_the_tags(chance: Chance) -> None:
    _desktop(chance).tags.clear()


def set_the_tags(chance: Chance) -> None:
    _desktop(chance).tags.set(Tag.objects.order_by("name")[: chance.randrange(4)])


def tag_from_the_other_side(chance: Chance) -> None:
    tag = Tag.objects.get_or_create(name=chance.choice("stuvw"))[0]
    tag.desktops.set([_desktop(chance)])


def rename_a_tag(chance: Chance) -> None:
    tag = chance.choice(list(Tag.objects.all()))
    tag.name = _word(chance)
    tag.save()


def delete_a_tag(chance: Chance) -> None:
    if Tag.objects.count() > 2:
        chance.choice(list(Tag.objects.all())).delete()


def save_a_colour(chance: Chance) -> None:
    colour = _colour(chance)
    colour.hex = f"#{chance.randrange(1 << 24):06x}"
    colour.save()


def rename_a_colour(chance: Chance) -> None:
    Colour.objects.filter(pk=_colour(chance).pk).update(name=Concat(Value("~"), "name"))


def create_or_delete_a_colour(chance: Chance) -> None:
    if not Colour.objects.filter(name="Passing").delete()[0]:
        Colour.objects.create(pk=100_000, name="Passing", hex="#123456")


def rename_an_owner(chance: Chance) -> None:
    """And with that, give a page another address."""
    owner = User.objects.get(username__startswith="joh")
    owner.username = "john" if owner.username == "johannes" else "johannes"
    owner.save()


def let_somebody_in_or_out(chance: Chance) -> None:
    owner = User.objects.get(username__startswith="joh")
    owner.is_active = not owner.is_active
    owner.save(update_fields=["is_active"])


def delete_a_desktop_and_make_another(chance: Chance) -> None:
    gone = Desktop.objects.get(owner__username__startswith="joh")
    owner, colour = gone.owner, _colour(chance)
    gone.delete()
    made = Desktop.objects.create(owner=owner, slug="werkstatt", title="Neu", wallpaper=colour)
    made.shortcuts.create(label=_word(chance), target="/", position=1, colour=colour)


def roll_back(chance: Chance) -> None:
    with transaction.atomic():
        save_a_desktop(chance)
        create_a_note(chance)
        transaction.set_rollback(True)


def roll_back_in_part(chance: Chance) -> None:
    with transaction.atomic():
        update_notes(chance)
        with transaction.atomic():
            rename_a_tag(chance)
            transaction.set_rollback(True)


def write_much_at_once(chance: Chance) -> None:
    with transaction.atomic():
        for write in chance.sample(WRITES[:20], 3):
            write(chance)


def write_by_a_cursor(chance: Chance) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE desktops_note SET text = upper(text) WHERE id % 2 = 0")


def write_many_by_a_cursor(chance: Chance) -> None:
    rows = [(_word(chance), shortcut.pk) for shortcut in _desktop(chance).shortcuts.all()[:2]]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE desktops_shortcut SET label = %s WHERE id = %s", rows)


WRITES: list[Write] = [
    *(save_a_desktop, save_a_field, create_a_note, create_notes_in_bulk, delete_a_note),
    *(delete_notes, update_notes, move_a_note, update_shortcuts_in_bulk, reorder_shortcuts),
    *(exchange_a_shortcut, add_a_tag, remove_a_tag, clear_the_tags, set_the_tags),
    *(tag_from_the_other_side, rename_a_tag, delete_a_tag, save_a_colour, rename_a_colour),
    *(create_or_delete_a_colour, rename_an_owner, let_somebody_in_or_out),
    *(delete_a_desktop_and_make_another, roll_back, roll_back_in_part, write_much_at_once),
    *(write_by_a_cursor, write_many_by_a_cursor),
]

if __name__ == "__main__":
    answer_seeds(WRITES)
