"""Pages, writes, and the one thing that must never be: one text for two contents.

The oracle knows nothing of statements and keys. It compares what the pages would show.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from notmodified.validators import Members, token
from tests.site.models import Book, Box, Grandchild, Item, Parent, Shelf, Tag, Ticket
from tests.site.pages import version

FEW = 3
BOXES = [UUID(int=number) for number in range(1, FEW + 1)]
TABLES: list[Any] = [Shelf, Tag, Book, Book.tags.through, Grandchild, Box, Item, Ticket]


@dataclass
class Page:
    """A page: what it says it is made of, and what it shows."""

    name: str
    made_of: Callable[[], list[Any]]
    shows: Callable[[], Any]
    token: token = field(init=False)

    def __post_init__(self) -> None:
        self.token = token(lambda request: self.made_of() or None, name=self.name)

    def look(self) -> tuple[str | None, Any]:
        return version(self.token).text, self.shows()


def _rows(model: Any, **conditions: Any) -> list[Any]:
    # Triggers move the version, and tokens see no triggers.
    names = [one.attname for one in model._meta.concrete_fields if one.name != "version"]
    return sorted(model.objects.filter(**conditions).values_list(*names), key=repr)


def _row(model: Any, pk: Any) -> Page:
    return Page(
        f"{model.__name__} {pk}",
        lambda: list(model.objects.filter(pk=pk)),
        lambda: _rows(model, pk=pk),
    )


def _set(model: Any, **foreign_key: Any) -> Page:
    return Page(
        f"{model.__name__} of {foreign_key}",
        lambda: [Members(model, **foreign_key)],
        lambda: _rows(model, **foreign_key),
    )


def _table(model: Any) -> Page:
    return Page(f"all {model.__name__}", lambda: [model], lambda: _rows(model))


def pages() -> list[Page]:
    few = range(1, FEW + 1)
    through: Any = Book.tags.through
    return [
        *(_row(model, pk) for model in (Shelf, Tag, Book, Grandchild, Item, Ticket) for pk in few),
        *(_row(Box, pk) for pk in BOXES),
        *(_set(Book, shelf=pk) for pk in (*few, None)),
        *(_set(through, book=pk) for pk in few),
        *(_set(through, tag=pk) for pk in few),
        *(_set(Item, box=pk) for pk in BOXES),
        *(_set(Ticket, shelf=pk) for pk in few),
        *map(_table, TABLES),
        *(
            Page(
                f"book {pk} with its tags",
                lambda pk=pk: list(Book.objects.filter(pk=pk)),  # type: ignore[misc]
                lambda pk=pk: _rows(Book.tags.through, book=pk),  # type: ignore[misc]
            )
            for pk in few
        ),
    ]


Write = tuple[str, int, int, int]
"""The name of a write, and three small numbers that it may use."""


def _save(a: int, b: int, c: int) -> None:
    Book(pk=a, title=f"saved {c}", shelf_id=b).save()


def _save_late(a: int, b: int, c: int) -> None:
    late = Book.objects.filter(pk=a).first()
    Book.objects.filter(pk=a).update(shelf_id=b)
    if late:
        late.copies = c
        late.save()


def _save_fields(a: int, b: int, c: int) -> None:
    book = Book.objects.filter(pk=a).first()
    if book:
        book.shelf_id, book.title = b, f"title {c}"
        book.save(update_fields=["shelf_id"] if c % 2 else ["title"])


def _bulk_update(a: int, b: int, c: int) -> None:
    found = list(Book.objects.filter(pk__in=[a, b]))
    for book in found:
        book.shelf_id, book.copies = c, book.copies + 1
    if found:
        Book.objects.bulk_update(found, ["shelf", "copies"] if c % 2 else ["copies"])


def _bulk_create(a: int, b: int, c: int) -> None:
    tickets = [Ticket(code=a, holder=f"h{c}", shelf_id=b), Ticket(code=b, shelf_id=c)]
    tickets = tickets[: 1 if a == b else 2]
    if c == 1:
        Ticket.objects.bulk_create(tickets, ignore_conflicts=True)
    else:
        targets = connection.features.supports_update_conflicts_with_target
        Ticket.objects.bulk_create(
            tickets,
            update_conflicts=True,
            update_fields=["holder", "shelf"] if c == 2 else ["shelf"],
            unique_fields=["code"] if targets else None,
        )


def _tags(change: str) -> Callable[[int, int, int], None]:
    def write(a: int, b: int, c: int) -> None:
        book, tag = Book.objects.filter(pk=a).first(), Tag.objects.filter(pk=b).first()
        if book and tag:
            {
                "add": lambda: book.tags.add(tag),
                "remove": lambda: book.tags.remove(tag),
                "set": lambda: book.tags.set(Tag.objects.filter(pk__in=[b, c])),
                "clear": lambda: book.tags.clear(),
                "other": lambda: tag.book_set.set(Book.objects.filter(pk__in=[a, c])),
            }[change]()

    return write


def _raw(sql: str) -> Callable[[int, int, int], None]:
    names = ("a", "b", "c")
    order = [name for part in sql.split("{")[1:] for name in [part.split("}")[0]]]
    text = sql.format(a="%s", b="%s", c="%s")

    def write(*values: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(text, [values[names.index(name)] for name in order])

    return write


def _many(a: int, b: int, c: int) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE site_book SET copies = copies + 1 WHERE id = %s", [(a,), (b,), (c,)]
        )


def _create_grandchild(a: int, b: int, c: int) -> None:
    Grandchild(pk=a, name=f"n{b}", nickname="k", toy=f"t{c}").save()


def _item(a: int, b: int, c: int) -> None:
    Item(pk=a, box_id=BOXES[b - 1], name=f"i{c}").save()


WRITES: dict[str, Callable[[int, int, int], Any]] = {
    "save": _save,
    "save late": _save_late,
    "save fields": _save_fields,
    "insert": lambda a, b, c: Book.objects.get_or_create(pk=a, defaults={"shelf_id": b}),
    "update": lambda a, b, c: Book.objects.filter(pk=a).update(copies=F("copies") + c),
    "update set": lambda a, b, c: Book.objects.filter(pk=a).update(shelf_id=b),
    "update set to null": lambda a, b, c: Book.objects.filter(pk=a).update(shelf=None),
    "update by set": lambda a, b, c: Book.objects.filter(shelf_id=a).update(shelf_id=b),
    "update in": lambda a, b, c: Book.objects.filter(pk__in=[a, b]).update(copies=F("copies") + c),
    "update or": lambda a, b, c: Book.objects.filter(Q(pk=a) | Q(pk=b)).update(
        copies=F("copies") + 1
    ),
    "update and": lambda a, b, c: Book.objects.filter(pk=a, pk__in=[b, a]).update(shelf_id=c),
    "update not": lambda a, b, c: Book.objects.exclude(pk=a).update(copies=F("copies") + 1),
    "update range": lambda a, b, c: Book.objects.filter(pk__gte=a).update(shelf_id=b),
    "update related": lambda a, b, c: Book.objects.filter(shelf__name="s1").update(
        copies=F("copies") + 1
    ),
    "update or create": lambda a, b, c: Book.objects.update_or_create({"shelf_id": b}, pk=a),
    "bulk update": _bulk_update,
    "bulk create": _bulk_create,
    "delete": lambda a, b, c: Book.objects.filter(pk=a).delete(),
    "delete set": lambda a, b, c: Book.objects.filter(shelf_id=a).delete(),
    "delete shelf": lambda a, b, c: Shelf.objects.filter(pk=a).delete(),
    "delete tag": lambda a, b, c: Tag.objects.filter(pk=a).delete(),
    "shelf": lambda a, b, c: Shelf(pk=a, name=f"s{b}").save(),
    "tag": lambda a, b, c: Tag(pk=a, name=f"t{b}").save(),
    "add": _tags("add"),
    "remove": _tags("remove"),
    "set": _tags("set"),
    "clear": _tags("clear"),
    "other side": _tags("other"),
    "relation": lambda a, b, c: (
        Book.tags.through.objects.filter(tag_id=a).update(book_id=b)
        if not Book.tags.through.objects.filter(Q(book_id=b) | ~Q(tag_id=a)).exists()
        else None
    ),
    "grandchild": _create_grandchild,
    "parent": lambda a, b, c: Parent.objects.filter(pk=a).update(name=f"p{c}"),
    "toy": lambda a, b, c: Grandchild.objects.filter(name=f"n{b}").update(toy=f"u{c}"),
    "delete grandchild": lambda a, b, c: Grandchild.objects.filter(pk=a).delete(),
    "box": lambda a, b, c: Box.objects.update_or_create({"name": f"b{c}"}, pk=BOXES[a - 1]),
    "item": _item,
    "move item": lambda a, b, c: (
        Item.objects.filter(box_id=BOXES[a - 1]).update(box_id=BOXES[b - 1])
        if Box.objects.filter(pk=BOXES[b - 1])
        else None
    ),
    "delete box": lambda a, b, c: Box.objects.filter(pk=BOXES[a - 1]).delete(),
    "raw": _raw("UPDATE site_book SET copies = copies + {c} WHERE id = {a} OR id = {b}"),
    "raw in": _raw("UPDATE site_book SET copies = copies + 1 WHERE id IN ({a}, {b})"),
    "raw and": _raw("UPDATE site_book SET copies = copies + 1 WHERE ({a} = id) AND copies < 9"),
    "raw key": _raw("UPDATE site_tag SET name = 'moved' WHERE id = {a} + 1"),
    "raw delete": _raw("DELETE FROM site_book_tags WHERE book_id = {a} OR tag_id = {b}"),
    "many": _many,
}


def clear() -> None:
    for model in (Book.tags.through, Ticket, Book, Item, Box, Grandchild, Parent, Tag, Shelf):
        model.objects.all().delete()  # type: ignore[attr-defined]


def seed() -> None:
    for pk in range(1, FEW + 1):
        Shelf.objects.create(pk=pk, name=f"s{pk}")
    for pk in range(1, FEW + 1):
        Tag.objects.create(pk=pk, name=f"t{pk}")
        Book.objects.create(pk=pk, title=f"b{pk}", shelf_id=pk % 2 + 1).tags.add(pk)
        Box.objects.create(pk=BOXES[pk - 1])
        Item.objects.create(pk=pk, box_id=BOXES[0])
        Grandchild.objects.create(pk=pk, name="n1", nickname="k", toy="t")


class Stale(AssertionError):
    """One text stood for two contents."""


class Memory:
    """What each text of each page has stood for."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], Any] = {}
        self.answers = 0

    def look(self, page: Page, after: object) -> None:
        text, content = page.look()
        if text is None:
            return
        self.answers += 1
        if self.contents.setdefault((page.name, text), content) != content:
            raise Stale(f"{page.name} after {after}")


def run(writes: Sequence[Write], *, in_transaction: bool = False) -> Memory:
    """Do `writes` one after another. Raises Stale."""
    clear()
    seed()
    memory, all_pages = Memory(), pages()
    for page in all_pages:
        memory.look(page, "the start")
    for name, *numbers in writes:
        try:
            with transaction.atomic():
                WRITES[name](*numbers)
                if in_transaction and sum(numbers) % 4 == 0:
                    transaction.set_rollback(True)
        except IntegrityError:
            pass  # what the numbers asked for could not be; it is as if nothing had been asked
        for page in all_pages:
            memory.look(page, (name, *numbers))
    return memory


def random_writes(random_: random.Random, count: int) -> list[Write]:
    return [
        (random_.choice(list(WRITES)), *(random_.randint(1, FEW) for _ in range(3)))  # type: ignore[misc]
        for _ in range(count)
    ]
