"""The example site twice on one database, with and without the package, between random writes: what
a visitor holds after an answer of the first is what the second shows at that moment.

Rules of this module:

- The one without the package has no middleware, no app and no decorators. Each is a server of its
  own, and whoever writes is another process: by the models, by SQLite alone, or by a form.
- What the same page is, and who visits, is said in ``tests.integration.twice``.
- Left out are pages that the site itself wants to be old (``/api/cached/``).
- Tokens in the cache do not see what other programs write, nor what is done later to rows that
  those inserted, as the guarantees say: pages that rest on a token alone are left out from the
  first such write on.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.examples.conftest import EXAMPLE, ROOT
from tests.integration.twice import (
    WITHOUT_THE_VIEW,
    Different,
    Visitor,
    Writer,
    kind_of,
    serving,
    writing,
)

AT_ONCE = 4
"""As many as the first site has threads."""
BY_THE_MODELS = 29
"""As many kinds of them as there are."""
ENOUGH, ENOUGH_EACH = 700, 30
"""With fewer of these, nothing would have been shown."""

ADA, JOHANNES, RENAMED = "ada/studio/", "johannes/werkstatt/", "john/werkstatt/"
HOWS = ["content", "field", "token", "table", "middleware-alone"]
COLOURS = [f"colours/{rest}" for rest in ("", "3/", "100000/")]
LISTS = ["content", "field", "token", "table", "combined", "last-modified"]
ANSWERS_FIRST = ["automatic", "field", "token", "table", "combined", "last-modified"]
"""Ways to answer before the view runs."""


class Page(NamedTuple):
    """An address, and the one whose view is the same at the site without the package."""

    path: str
    plain: str

    @property
    def how(self) -> str:
        first, second, *_ = [*self.path.strip("/").split("/"), ""]
        return second if first in ("d", "api") and second != "colours" else "automatic"


def desktops(name: str) -> list[Page]:
    paths = [f"/desktops/{name}", *(f"/d/{how}/{name}" for how in HOWS)]
    return [Page(path, paths[0]) for path in paths]


def api() -> list[Page]:
    found = [Page(f"/api/{rest}", f"/api/{rest}") for rest in COLOURS]
    return found + [Page(f"/api/{how}/{rest}", f"/api/{rest}") for how in LISTS for rest in COLOURS]


def browsable() -> list[Page]:
    """They show their own addresses."""
    paths = [f"/api/{how}colours/3/" for how in ("", "field/", "token/")]
    return [Page(f"{path}?format=api", f"{path}?format=api") for path in paths]


HOME, LOGIN = Page("/", "/"), Page("/account/login/", "/account/login/")
PAGES = {
    "a visitor": [HOME, LOGIN, *desktops(ADA), *desktops(RENAMED)[:3], *api()],
    "a German visitor": [HOME, *desktops(ADA)],
    "ada": [HOME, *desktops(ADA), *browsable()],
    "johannes": [HOME, *desktops(JOHANNES)],
}


class ExampleVisitor(Visitor):
    login = "/account/login/"


class World:
    """Both sites, their visitors, and those who write."""

    def __init__(self, site: str, plain: str, database: Path, writer: Writer) -> None:
        self._database, self._writer, self._tokens_hold = database, writer, True
        languages = dict.fromkeys(PAGES, "en") | {"a German visitor": "de"}
        self.visitors = {
            name: ExampleVisitor(site, plain, said) for name, said in languages.items()
        }
        for name, visitor in self.visitors.items():
            visitor.client.get(site + LOGIN.path)  # from here on it has the cookie of a secret
            if name in ("ada", "johannes"):
                visitor.log_in(name)
        self.answers: Counter[tuple[str, str]] = Counter()

    def close(self) -> None:
        for visitor in self.visitors.values():
            visitor.close()

    def visit_everything(self, chance: random.Random) -> None:
        """Every page by every visitor who looks at it, and some by HEAD. Raises Different."""
        wanted = [
            (name, page)
            for name, pages in PAGES.items()
            for page in pages
            if self._tokens_hold or page.how != "token"
        ]
        plain = sorted({(name, page.plain) for name, page in wanted})
        asked = [("GET", *one) for one in wanted]
        asked += [("HEAD", *one) for one in chance.sample(wanted, len(wanted) // 5)]
        chance.shuffle(asked)
        seeds = [chance.random() for _ in asked]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            shown = pool.map(lambda one: self.visitors[one[0]].now(one[1]), plain)
            truth = dict(zip(plain, shown, strict=True))

            def visit(one: tuple[str, str, Page], seed: float) -> str:
                method, name, page = one
                known = truth[name, page.plain]
                answer = self.visitors[name].visit(
                    *(method, page.path, known, random.Random(seed)),
                    is_sized="format=api" not in page.path,  # it shows its method
                )
                return kind_of(answer)

            kinds = list(pool.map(visit, asked, seeds))
        hows = [page.how for _, _, page in asked]
        self.answers.update(zip(hows, kinds, strict=True))

    def by_the_models(self, seed: int) -> str:
        """One write of ``tests.examples.site.writer``; what it is called."""
        return self._writer.write(seed)

    def by_sqlite(self, sql: str) -> str:
        """A script that knows nothing of Django; what it is. Nor do tokens know of it."""
        with closing(sqlite3.connect(self._database, timeout=20)) as connection:
            connection.executescript(sql)
        self._tokens_hold = False
        return sql


def _note(world: World, chance: random.Random) -> None:
    ada = world.visitors["ada"]
    if not ada.is_logged_in:
        ada.log_in("ada")
    page = chance.choice(["/desktops/ada/studio/", "/d/token/ada/studio/"])
    ada.post(page, f"{page}notes/", text="By the form.")


def _patch(world: World, chance: random.Random) -> None:
    visitor, name = world.visitors["a visitor"], f"Patched {chance.random()}"
    for _ in range(10):
        address = f"{visitor.site}/api/{chance.choice(['field', 'token', 'table'])}/colours/3/"
        tag = visitor.client.get(address).headers.get("ETag")
        if tag is not None:
            break
    assert tag is not None
    answer = httpx.patch(
        address, json={"name": name}, headers={"If-Match": tag}, auth=("ada", "colours")
    )
    assert answer.status_code == 200, answer.text


def _admin(world: World, chance: random.Random) -> None:
    ada = world.visitors["ada"]
    if not ada.is_logged_in:
        ada.log_in("ada")
    page = "/admin/desktops/tag/add/"
    ada.post(page, page, name=f"admin {chance.random()}")


def _come_or_go(world: World, chance: random.Random) -> None:
    ada = world.visitors["ada"]
    if ada.is_logged_in:
        ada.post("/account/leave/", "/account/logout/")
    else:
        ada.log_in("ada")


def _speak(world: World, chance: random.Random) -> None:
    language = chance.choice(["de", "en"])
    world.visitors["johannes"].post("/account/language/", "/i18n/setlang/", language=language)


FORMS = [_note, _patch, _admin, _come_or_go, _speak]
SCRIPTS = """
UPDATE palette_colour SET hex = '#010203' WHERE id < 6

UPDATE desktops_desktop SET title = title || '.'

UPDATE desktops_shortcut SET colour_id = colour_id % 8 + 1 WHERE position < 4

UPDATE auth_user SET is_active = NOT is_active WHERE username LIKE 'joh%'

DELETE FROM desktops_note WHERE id = (SELECT max(id) FROM desktops_note)

DELETE FROM desktops_desktop_tags WHERE id = (SELECT max(id) FROM desktops_desktop_tags)

INSERT OR IGNORE INTO desktops_desktop_tags (desktop_id, tag_id)
SELECT d.id, t.id FROM desktops_desktop d, desktops_tag t

INSERT INTO desktops_tag (name, version) VALUES ('s', 1)
ON CONFLICT (name) DO UPDATE SET name = name || '.'

INSERT INTO desktops_note (desktop_id, text, created, version)
SELECT id, 'By SQL.', '2026-01-01 00:00:00', 1 FROM desktops_desktop

REPLACE INTO desktops_note (id, desktop_id, text, created, version)
SELECT id, desktop_id, 'Replaced.', created, version FROM desktops_note ORDER BY id LIMIT 1

BEGIN; UPDATE desktops_tag SET name = name || '-'; ROLLBACK;
BEGIN; UPDATE desktops_note SET text = text || '-' WHERE id % 3 = 0; COMMIT
""".strip().split("\n\n")
"""Programs that know nothing of Django."""


def writes(chance: random.Random) -> list[Callable[[World], str]]:
    """Each kind of write, in any order; those by other programs come last, with others between."""

    def by_form(form: Callable[[World, random.Random], None]) -> Callable[[World], str]:
        def write(world: World) -> str:
            form(world, chance)
            return form.__name__

        return write

    def by_the_models(seed: int) -> Callable[[World], str]:
        return lambda world: world.by_the_models(seed)

    def by_sqlite(sql: str) -> Callable[[World], str]:
        return lambda world: world.by_sqlite(sql)

    first = chance.randrange(1000)
    own = [by_the_models(first + number) for number in range(BY_THE_MODELS)]
    own += [by_form(form) for form in FORMS]
    others = [by_sqlite(sql) for sql in SCRIPTS]
    others += [by_the_models(chance.randrange(1000)) for _ in SCRIPTS[::2]]
    chance.shuffle(own)
    chance.shuffle(others)
    return own + others


def tour(world: World, seed: int) -> None:
    """Visits between writes. Raises Different."""
    chance = random.Random(seed)
    world.visit_everything(chance)
    for number, write in enumerate(writes(chance)):
        name = write(world)
        try:
            world.visit_everything(chance)
        except Different as error:
            raise Different(f"after write {number} ({name}): {error}") from None


@pytest.fixture
def world(
    prepared: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """On a copy of the prepared database; with a defect, if the test asks for one."""
    database = tmp_path / "colours.sqlite3"
    with (
        closing(sqlite3.connect(Path(prepared["COLOURS_STATE"]) / database.name)) as origin,
        closing(sqlite3.connect(database)) as copy,
    ):
        origin.backup(copy)
        copy.execute("DELETE FROM palette_colour WHERE id > 60")  # a list is soon made
        copy.commit()
    paths = [prepared["PYTHONPATH"], str(EXAMPLE), str(ROOT)]
    environment = prepared | {"COLOURS_STATE": str(tmp_path), "PYTHONPATH": os.pathsep.join(paths)}
    own = "colours.settings"
    application = "colours.wsgi:application"
    if hasattr(request, "param"):
        environment["TESTS_DEFECT"] = request.param
        application = "tests.examples.site.defective:application"
    plain = "django.core.wsgi:get_wsgi_application()"
    with ExitStack() as stack:
        site = stack.enter_context(serving(application, own, environment))
        without = stack.enter_context(serving(plain, "tests.examples.site.without", environment))
        writer = stack.enter_context(
            writing("tests.examples.site.writer", environment | {"DJANGO_SETTINGS_MODULE": own})
        )
        yield stack.enter_context(closing(World(site, without, database, writer)))


def test_no_page_differs(world: World) -> None:
    tour(world, seed=1)
    compared = sum(world.answers.values())
    short = {how: count for (how, kind), count in world.answers.items() if kind == WITHOUT_THE_VIEW}
    print(f"{compared} answers; without the view: {sum(short.values())}, {short}; {world.answers}")
    assert sum(short.values()) > ENOUGH, world.answers
    assert all(short[how] > ENOUGH_EACH for how in ANSWERS_FIRST), world.answers


@pytest.mark.parametrize("world", ["records", "versions"], indirect=True)
def test_a_defect_would_be_found(world: World) -> None:
    with pytest.raises(Different, match="304, but"):
        tour(world, seed=1)
