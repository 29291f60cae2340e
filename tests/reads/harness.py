"""Queries, writes, and the one thing that must never be: a result that changed unannounced.

The oracle knows nothing of plans. It compares whole tables before and after a write, and says for
each row that came, went or changed which dependencies that moves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, connection, models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Subquery

from notmodified.reads.analysis import NotProvableError
from notmodified.reads.plans import Planner
from notmodified.reads.recorder import Recorder, recording
from notmodified.sql.dependencies import SEPARATOR, SHAPE, Dependency
from notmodified.sql.schema import Schema, as_stored, schema_of
from notmodified.writes.log import definitions
from tests.site.models import Book, Child, City, Copy, Country, Numbered, Parent, Shelf, Tag, Ticket

FEW = 3
MODELS: list[Any] = [
    *(Shelf, Tag, Book, Book.tags.through, Parent, Child, Numbered, Copy, Ticket, Country, City)
]

Result = list[Any]
Query = Callable[[], Result]


def schema() -> Schema:
    models = apps.get_app_config("site").get_models(include_auto_created=True)
    texts = definitions.plain_texts(connection)
    return as_stored(schema_of(models, texts=bool(texts)), texts)


class Stale(AssertionError):
    """A result changed, and nothing that it depends on moved."""


# What a query depends on


class Planned(NamedTuple):
    """A database without a ledger."""

    planner: Planner


@contextmanager
def depending_on(planner: Planner) -> Iterator[set[Dependency]]:
    """What the queries inside depend on."""
    recorder = Recorder(lambda connection: Planned(planner))
    found: set[Dependency] = set()
    with recording(recorder):
        yield found
    if recorder.reason is not None:
        raise NotProvableError(str(recorder.reason))
    for read in recorder.reads.values():
        found.update(Dependency(*key.split(SEPARATOR)) for key in read.keys)


# What a write moves


def tables(shape: Schema) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that the harness writes."""
    found = {}
    with connection.cursor() as cursor:
        for model in MODELS:
            name = model._meta.db_table
            columns = sorted(shape[name.lower()].columns)
            quoted = ", ".join(map(connection.ops.quote_name, columns))
            cursor.execute(f"SELECT {quoted} FROM {connection.ops.quote_name(name)}")
            found[name.lower()] = cursor.fetchall()
    return found


def moved(
    shape: Schema,
    before: dict[str, list[tuple[Any, ...]]],
    after: dict[str, list[tuple[Any, ...]]],
) -> set[Dependency]:
    found: set[Dependency] = set()
    for name, table in shape.items():
        if name not in before:
            continue
        columns = sorted(table.columns)
        changed = set(before[name]) ^ set(after[name])
        if changed:
            found.add(Dependency(name))
        narrow = [number for number, column in enumerate(columns) if column in table.narrowing]
        was, now = (
            {tuple(row[number] for number in narrow) for row in rows[name]}
            for rows in (before, after)
        )
        if now - was:
            found.add(Dependency(name, SHAPE))
        for row in changed:
            for column, value in zip(columns, row, strict=True):
                if column in table.narrowing and value is not None:
                    text = table.narrowing[column].kind.canonical(value)
                    assert text is not None
                    found.add(Dependency(name, column, text))
    return found


# Queries

SQL = [
    "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id AND b.shelf_id = {a}",
    "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id AND s.id = {a}",
    "SELECT s.id, b.title FROM {shelf} s LEFT JOIN {book} b ON b.id = s.id AND b.id = {a} ",
    "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id WHERE b.id = {a}",
    (
        "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id "
        "WHERE s.id = {a} OR b.id = {b}"
    ),
    (
        "SELECT s.id, b.id, t.tag_id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id "
        "LEFT JOIN {through} t ON t.book_id = b.id AND t.tag_id = {a} WHERE s.id = {b}"
    ),
    (
        "SELECT s.id, b.id, o.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id "
        "INNER JOIN {ticket} o ON o.shelf_id = s.id AND b.id = {a}"
    ),
    (
        "SELECT b.id, o.id FROM {book} b LEFT JOIN {shelf} o ON o.id = b.shelf_id "
        "AND EXISTS (SELECT 1 FROM {tag} t WHERE t.id = {a})"
    ),
    "SELECT b.id FROM {book} b WHERE NOT b.id = {a}",
    (
        "SELECT b.id FROM {book} b "
        "WHERE b.id IN (SELECT t.book_id FROM {through} t WHERE t.tag_id = {a})"
    ),
    "SELECT b.id FROM {book} b WHERE b.shelf_id IS NULL OR b.shelf_id = {a}",
    "SELECT b.id, b.title FROM {book} b WHERE b.id IN ({a}, {b})",
    (
        "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id AND s.id = {a} "
        "WHERE EXISTS (SELECT 1 FROM {ticket} k WHERE k.shelf_id = s.id)"
    ),
    "SELECT COUNT(*) FROM {book} WHERE id = {a} AND shelf_id = {b} OR id = {c}",
    (
        "WITH c AS (SELECT id, shelf_id FROM {book} WHERE shelf_id = {a}) "
        "SELECT c.id, (SELECT COUNT(*) FROM {through} x WHERE x.book_id = c.id) FROM c"
    ),
    "WITH b AS (SELECT id FROM {shelf} WHERE id = {a}) SELECT b.id, x.title FROM b, {book} x",
    "SELECT id FROM {shelf} WHERE id = {a} UNION ALL SELECT shelf_id FROM {book} WHERE id = {b}",
    "SELECT x.id, y.id FROM {book} x, {book} y WHERE x.shelf_id = y.shelf_id AND x.shelf_id = {a}",
    (
        "SELECT s.id, (SELECT MAX(b.copies) FROM {book} b WHERE b.shelf_id = s.id AND EXISTS "
        "(SELECT 1 FROM {through} t WHERE t.book_id = b.id AND t.tag_id = s.id)) FROM {shelf} s "
        "WHERE s.id = {a}"
    ),
    (
        "SELECT s.id FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id AND b.id = {a} "
        "WHERE EXISTS (SELECT 1 FROM {through} t WHERE t.book_id = b.id) OR s.id = {b}"
    ),
    (
        "SELECT s.id FROM {shelf} s WHERE s.id = {a} OR EXISTS "
        "(SELECT 1 FROM {book} b WHERE b.shelf_id = s.id)"
    ),
    (
        "SELECT n.number, c.state FROM {numbered} n LEFT JOIN {copy} c ON c.of_id = n.number "
        "AND n.number = {a}"
    ),
    (
        "SELECT d.n FROM (SELECT shelf_id, COUNT(*) AS n FROM {book} WHERE shelf_id = {a} "
        "GROUP BY shelf_id) d"
    ),
    "SELECT s.id, b.id FROM {shelf} s LEFT JOIN {book} b ON s.id = {a} WHERE b.shelf_id = s.id",
    (
        "SELECT id FROM {book} ORDER BY "
        "(SELECT MAX(t.tag_id) FROM {through} t WHERE t.book_id = {a}), id LIMIT 2"
    ),
    (
        "SELECT b.shelf_id, COUNT(*) FROM {book} b GROUP BY b.shelf_id "
        "HAVING COUNT(*) > (SELECT COUNT(*) FROM {ticket} k WHERE k.shelf_id = {a})"
    ),
]
"""Shapes that people write and Django does not, or seldom; `a`, `b` and `c` are small numbers."""


def by_sql(chance: random.Random) -> Query:
    names = {
        "shelf": Shelf,
        "book": Book,
        "tag": Tag,
        "through": Book.tags.through,
        "ticket": Ticket,
        "numbered": Numbered,
        "copy": Copy,
    }
    quoted = {
        name: connection.ops.quote_name(model._meta.db_table) for name, model in names.items()
    }
    parameters: list[int] = []
    text = chance.choice(SQL)
    for letter in "abc":
        quoted[letter] = "%s" if f"{{{letter}}}" in text else ""
        if quoted[letter]:
            parameters.append(chance.randint(1, FEW))
    sql = text.format_map(quoted)

    def run() -> Result:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return sorted(cursor.fetchall(), key=repr)

    run.__doc__ = f"{sql} {parameters}"
    return run


LOOKUPS: dict[Any, list[str]] = {
    Book: [
        "pk",
        "pk__in",
        "shelf",
        "shelf__pk",
        "shelf__name",
        "tags",
        "tags__name",
        "copies",
        "shelf__isnull",
        "tags__isnull",
        "shelf__ticket",
        "shelf__ticket__code",
        "pk__gt",
    ],
    Shelf: ["pk", "books", "books__tags", "books__copies", "ticket__code", "name", "books__isnull"],
    Tag: ["pk", "book", "book__shelf", "book__shelf__name", "name"],
    Child: ["pk", "name", "parent_ptr__name", "nickname"],
    Parent: ["pk", "child__nickname", "name", "child__isnull"],
    Copy: ["of", "of__number", "pk", "state"],
    Ticket: ["code", "shelf", "shelf__books", "shelf__books__tags", "pk", "shelf__name"],
}
TEXTS = ("name", "nickname", "state", "holder")


def condition(chance: random.Random, model: Any, depth: int = 2) -> Q:
    if depth and chance.random() < 0.6:
        one, other = condition(chance, model, depth - 1), condition(chance, model, depth - 1)
        joined = one & other if chance.random() < 0.5 else one | other
        return ~joined if chance.random() < 0.2 else joined
    lookup = chance.choice(LOOKUPS[model])
    value: Any = chance.randint(1, FEW)
    if lookup.endswith("isnull"):
        value = chance.random() < 0.5
    elif lookup.endswith("__in"):
        value = chance.sample(range(1, FEW + 2), 2)
    elif lookup.split("__")[-1] in TEXTS:
        value = chance.choice("abc")
    found = Q(**{lookup: value})
    return ~found if chance.random() < 0.2 else found


ANNOTATIONS: dict[Any, list[Callable[[], Any]]] = {
    Book: [
        lambda: Count("tags"),
        lambda: Max("shelf__ticket__code"),
        lambda: Exists(Ticket.objects.filter(shelf=OuterRef("shelf"))),
        lambda: Subquery(Shelf.objects.filter(pk=OuterRef("shelf")).values("name")[:1]),
        lambda: F("shelf__name"),
    ],
    Shelf: [
        lambda: Count("books", filter=Q(books__copies=1)),
        lambda: Exists(Book.objects.filter(shelf=OuterRef("pk"), tags=1)),
        lambda: Subquery(
            Book.objects.filter(shelf=OuterRef("pk")).order_by("-pk").values("title")[:1]
        ),
    ],
}
SHOWN = [
    "SELECT b.id, b.shelf_id, s.name FROM {book} b LEFT JOIN {shelf} s ON b.shelf_id = s.id",
    "SELECT b.id, s.id, s.name FROM {book} b LEFT JOIN {shelf} s ON b.shelf_id = s.id",
    (
        "SELECT b.id, s.id, s.name FROM {book} b INNER JOIN {shelf} s ON b.shelf_id = s.id "
        "ORDER BY s.name, b.id"
    ),
    (
        "SELECT b.id, s.id, s.name FROM {book} b INNER JOIN {shelf} s ON b.shelf_id = s.id "
        "ORDER BY s.name, b.id LIMIT 1"
    ),
    (
        "SELECT x.book_id, x.tag_id, b.title, t.name FROM {through} x "
        "INNER JOIN {book} b ON x.book_id = b.id INNER JOIN {tag} t ON x.tag_id = t.id"
    ),
    (
        "SELECT x.book_id, b.title, b.shelf_id, s.name FROM {through} x "
        "INNER JOIN {book} b ON x.book_id = b.id LEFT JOIN {shelf} s ON b.shelf_id = s.id"
    ),
    (
        "SELECT x.book_id, b.title, b.shelf_id, s.name FROM {through} x "
        "INNER JOIN {book} b ON x.book_id = b.id INNER JOIN {shelf} s ON b.shelf_id = s.id"
    ),
    (
        "SELECT x.id, x.book_id, b.title, b.shelf_id, s.name FROM {through} x "
        "LEFT JOIN {book} b ON x.book_id = b.id INNER JOIN {shelf} s ON b.shelf_id = s.id"
    ),
    (
        "SELECT k.id, k.shelf_id, s.name, b.id FROM {ticket} k "
        "LEFT JOIN {shelf} s ON k.shelf_id = s.id INNER JOIN {book} b ON b.id = s.id"
    ),
    (
        "SELECT b.id, b.shelf_id, s.name FROM {book} b LEFT JOIN {shelf} s ON b.shelf_id = s.id "
        "WHERE s.name = 'a'"
    ),
    (
        "SELECT b.id, b.shelf_id, s.name FROM {book} b LEFT JOIN {shelf} s ON b.shelf_id = s.id "
        "AND s.name = 'a'"
    ),
    (
        "SELECT b.id, b.shelf_id, s.name, (SELECT COUNT(*) FROM {tag} t WHERE t.name = s.name) "
        "FROM {book} b INNER JOIN {shelf} s ON b.shelf_id = s.id"
    ),
    "SELECT c.id, c.of_id, n.id FROM {copy} c INNER JOIN {numbered} n ON n.number = c.of_id",
    (
        "SELECT t.id, t.name FROM {tag} t INNER JOIN {through} x ON t.id = x.tag_id "
        "WHERE x.book_id = 1"
    ),
    "SELECT t.id, t.name FROM {tag} t, {through} x WHERE t.id = x.tag_id AND x.book_id = 1",
    "SELECT s.id, s.name, b.id, b.title FROM {shelf} s LEFT JOIN {book} b ON b.shelf_id = s.id",
    "SELECT s.id, s.name, b.title FROM {shelf} s INNER JOIN {book} b ON b.shelf_id = s.id",
    (
        "SELECT COUNT(*), MAX(b.shelf_id) FROM {book} b "
        "INNER JOIN {shelf} s ON b.shelf_id = s.id WHERE b.id = 1"
    ),
    (
        "SELECT d.one, d.one, d.name FROM (SELECT b.id AS one, b.shelf_id AS two, s.name AS name "
        "FROM {book} b INNER JOIN {shelf} s ON b.shelf_id = s.id) d"
    ),
    (
        "SELECT b.id, b.shelf_id, s.name FROM {book} b INNER JOIN {shelf} s ON b.shelf_id = s.id "
        "UNION SELECT 1, 1, 'a'"
    ),
]
"""Joins whose tables may count by the rows that are fetched only, and joins that only look so."""


def by_shown(chance: random.Random) -> Query:
    names = {"shelf": Shelf, "book": Book, "tag": Tag, "through": Book.tags.through}
    names |= {"ticket": Ticket, "numbered": Numbered, "copy": Copy}
    sql = chance.choice(SHOWN).format_map(
        {name: connection.ops.quote_name(model._meta.db_table) for name, model in names.items()}
    )
    size = chance.choice([None, 1, 2])

    def run() -> Result:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            if size is None:
                return sorted(cursor.fetchall(), key=repr)
            if size == 1:
                return sorted(iter(cursor.fetchone, None), key=repr)
            return sorted(cursor, key=repr)

    run.__doc__ = sql
    return run


def _name(of: Any) -> str | None:
    """Of the shelf, if there is one."""
    try:
        return of.shelf and of.shelf.name
    except ObjectDoesNotExist:  # others do not check foreign keys
        return None


def by_related(chance: random.Random) -> Query:
    """Instances, and those that they refer to."""
    pk, text = chance.randint(1, FEW), chance.choice(["a", "A", "b", "b "])
    through: Any = Book.tags.through
    some: list[Query] = [
        lambda: [(b.pk, _name(b)) for b in Book.objects.select_related("shelf")],
        lambda: [(b.pk, _name(b)) for b in Book.objects.select_related("shelf").filter(pk=pk)],
        lambda: [
            (x.book.title, _name(x.book), x.tag.name)
            for x in through.objects.select_related("book__shelf", "tag")
        ],
        lambda: [(c.pk, c.of.pk) for c in Copy.objects.select_related("of")],
        lambda: [(c.pk, c.name, c.nickname) for c in Child.objects.all()],
        lambda: [(c.pk, c.name, c.nickname) for c in Child.objects.filter(pk=pk)],
        lambda: [t.name for t in Tag.objects.filter(book=pk)],
        lambda: [
            (b.pk, [t.name for t in b.tags.all()])
            for b in Book.objects.prefetch_related("tags").filter(pk__in=[pk, 1])
        ],
        lambda: [(t.holder, _name(t)) for t in Ticket.objects.select_related()],
        lambda: [(c.name, c.country.name) for c in City.objects.select_related("country")],
        lambda: [(c.name, c.country.name) for c in City.objects.filter(country=text)],
        lambda: list(City.objects.filter(country__in=[text, "C"]).values_list("name")),
        lambda: list(Country.objects.filter(code=text).values_list("name", "city__name")),
        lambda: [s.ticket_set.count() for s in Shelf.objects.filter(pk=pk)],
    ]
    query = chance.choice(some)
    return lambda: sorted(query(), key=repr)


RELATED: dict[Any, list[str]] = {
    Book: ["shelf"],
    Child: ["parent_ptr"],
    Copy: ["of"],
    Ticket: ["shelf"],
}


def by_orm(chance: random.Random) -> Query:
    model = chance.choice(list(LOOKUPS))
    queryset: models.QuerySet[Any, Any] = model._default_manager.order_by("pk")
    for _ in range(chance.randint(1, 2)):
        queryset = queryset.filter(condition(chance, model))
    names = ["pk", *chance.choice([[], [f.attname for f in model._meta.concrete_fields]])]
    if model in ANNOTATIONS and chance.random() < 0.4:
        queryset = queryset.annotate(extra=chance.choice(ANNOTATIONS[model])())
        names.append("extra")
    if model in RELATED and chance.random() < 0.3:
        queryset = queryset.select_related(*RELATED[model])
        related = f"{RELATED[model][0]}__pk"
        names.append(related)
    if chance.random() < 0.15:
        queryset = queryset.distinct()
    if chance.random() < 0.15:
        queryset = queryset[: chance.randint(1, 3)]
    if chance.random() < 0.1:
        return lambda: [queryset.count()]
    if chance.random() < 0.1:
        return lambda: [queryset.exists()]
    return lambda: list(queryset.values_list(*names))


# Writes


def fill(chance: random.Random) -> None:
    """A small world, where each number is met often."""
    for model in reversed(MODELS):
        model._base_manager.all().delete()
    some = range(1, FEW + 1)
    for pk in some:
        Shelf.objects.create(pk=pk, name=chance.choice("abc"))
        Tag.objects.create(pk=pk, name=chance.choice("abc"))
        Numbered.objects.create(pk=pk, number=pk)
    for pk in some:
        for kind in KINDS:
            _put(chance, pk, kind)


KINDS = ("book", "book", "ticket", "child", "copy", "tags", "tags", "names")


def _put(chance: random.Random, pk: int, kind: str) -> None:
    def maybe(model: Any, field: str = "pk") -> Any:
        return chance.choice([None, *model.objects.values_list(field, flat=True)])

    text, number = chance.choice("abc"), chance.randint(1, FEW)
    if kind == "book":
        Book(pk=pk, title=text, copies=number, shelf_id=maybe(Shelf)).save()
    elif kind == "ticket":
        Ticket.objects.filter(code=pk).delete()
        Ticket(pk=pk, code=pk, holder=text, shelf_id=maybe(Shelf)).save()
    elif kind == "child":
        Child(pk=pk, name=text, nickname=text).save()
    elif kind == "copy":
        Copy(pk=pk, of_id=maybe(Numbered, "number") or 1, state=text).save()
    elif kind == "tags":
        book, tag = Book.objects.filter(pk=pk).first(), Tag.objects.filter(pk=number).first()
        if book and tag:
            book.tags.add(tag)
    else:
        chance.choice([Shelf, Tag]).objects.update_or_create(pk=pk, defaults={"name": text})


def write(chance: random.Random) -> None:
    """One write of some kind, as a rule of a single row."""
    pk, number = chance.randint(1, FEW), chance.randint(1, FEW)
    if not Numbered.objects.filter(number=1).exists():
        Numbered.objects.update_or_create(pk=1, defaults={"number": 1})
    kind = chance.randrange(14 if connection.vendor == "sqlite" else 12)
    if kind > 11:
        _dangle(chance, number)
    elif kind > 9:
        _put_city(chance, pk)
    elif kind < 6:
        _put(chance, pk, chance.choice(KINDS))
    elif kind == 6:
        chance.choice([Book, Shelf, Ticket, Child, Copy, Tag]).objects.filter(pk=pk).delete()
    elif kind == 7:
        Book.objects.filter(pk=pk).update(shelf=Shelf.objects.filter(pk=number).first())
    elif kind == 8:
        Book.tags.through.objects.filter(book=pk).delete()
    else:
        chance.choice([Book, Shelf, Ticket]).objects.filter(pk=pk).update(version=number)


def _put_city(chance: random.Random, pk: int) -> None:
    """Rows whose keys are texts, which some databases tell apart by case and blanks, and some do
    not."""
    code, text = chance.choice(["a", "A", "b", "b ", "c"]), chance.choice("abc")
    if not Country.objects.filter(code=code).exists():
        Country.objects.create(code=code, name=text)
    if chance.random() < 0.3:
        Country.objects.filter(code=code).update(name=text)
    elif chance.random() < 0.2:
        City.objects.filter(country=code).delete()
    else:
        City(pk=pk, name=text, country=Country.objects.get(code=code)).save()


def _dangle(chance: random.Random, number: int) -> None:
    """What a program that does not check foreign keys may leave, or mend."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        statement = chance.choice(
            [
                "DELETE FROM site_shelf WHERE id = %s",
                "DELETE FROM site_tag WHERE id = %s",
                "DELETE FROM site_book WHERE id = %s",
                "DELETE FROM site_numbered WHERE number = %s",
                "INSERT OR IGNORE INTO site_shelf (id, name, version) VALUES (%s, 'c', 1)",
                "INSERT OR IGNORE INTO site_tag (id, name) VALUES (%s, 'c')",
                "UPDATE OR IGNORE site_numbered SET number = %s WHERE id = 1",
                "UPDATE OR IGNORE site_shelf SET id = 3 WHERE id = %s",
                "UPDATE site_book SET shelf_id = 9 WHERE id = %s",
            ]
        )
        cursor.execute(statement, [number])
        cursor.execute("PRAGMA foreign_keys = ON")


HasMoved = Callable[[set[Dependency]], bool]


def oracle() -> Callable[[], HasMoved]:
    """Called before a write; what it returns is called after, and says whether something moved."""
    shape = schema()
    before = tables(shape)

    def after() -> HasMoved:
        moves = moved(shape, before, tables(shape))
        return lambda needed: not needed.isdisjoint(moves)

    return after


def search(
    planner: Planner,
    seed: int,
    *,
    rounds: int,
    queries: int,
    judge: Callable[[], Callable[[], HasMoved]] = oracle,
) -> tuple[int, int]:
    """Writes at random between queries at random. How many results were compared, and how many
    of them had changed. Raises Stale where one has changed and `judge` says that nothing moved."""
    chance = random.Random(seed)
    compared = changed = 0
    fill(chance)
    for _ in range(rounds):
        asked = []
        for _ in range(queries):
            query = chance.choice([by_sql, by_sql, by_orm, by_orm, by_shown, by_related])(chance)
            try:
                with depending_on(planner) as needed:
                    asked.append((query, query(), needed))
            except NotProvableError:
                continue
        after = judge()
        with suppress(IntegrityError):  # by a row that others have left without its parent
            write(chance)
        has_moved = after()
        for query, result, needed in asked:
            compared += 1
            if query() == result:
                continue
            changed += 1
            if not has_moved(needed):
                raise Stale(f"seed {seed}: {query.__doc__}\n{result}\n{needed}")
    return compared, changed
