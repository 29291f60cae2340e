"""A site as people build them, twice on one database, with and without the package: those who visit
it and those who write to it, and how many pages that have not changed are answered without their
view.

Rules of this module:

- What the same page is, and who visits, is said in ``tests.integration.twice``.
- Pages show the time, so the truth is asked for again where it differs: a page that equals neither
  is different.
- A page that has not changed and needs its view all the same, has a reason that its test knows.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urljoin

import httpx

from tests.integration.servers import ROOT, free_port
from tests.integration.twice import (
    WITHOUT_THE_VIEW,
    Copy,
    Different,
    Shown,
    Visitor,
    Writer,
    kind_of,
    serving,
    writing,
)
from tests.sites.forms import forms_in

AT_ONCE = 4
"""As many as the first site has threads."""
TWICE = 2
"""So often a page that has not changed is looked at, to see how it is answered."""

Asked = tuple[str, str]
"""Who asks, and for which address."""


class Reader(Visitor):
    """A visitor who comes back, and sends forms."""

    each_time: ClassVar[re.Pattern[bytes]]
    """What the site makes anew for each response."""
    any_page: ClassVar[str]
    """A page that everybody sees, on which what is said once is said."""

    def __init__(self, site: str, plain: str, name: str) -> None:
        super().__init__(site, plain, "de" if "German" in name else "")
        self.name = name
        self.ears.open = False
        if "German" in name:
            self.client.cookies.update({"_ga": "GA1.1.1234", "theme": "dark"})

    def shown(self, answer: httpx.Response) -> Shown:
        shown = super().shown(answer)
        return shown._replace(body=self.each_time.sub(b"", shown.body), size=0)

    def visit(self, method: str, path: str, *args: Any, **kwargs: Any) -> httpx.Response:
        """Where several texts of one page tell the time, an answer of the view's may have come
        between two of their steps, and it is visited again."""
        for _ in range(3):
            try:
                return super().visit(method, path, *args, **kwargs)
            except Different as error:
                if "304, but" in str(error):
                    raise
        return super().visit(method, path, *args, **kwargs)

    def ask_with(self, copy: Copy, path: str, said: str) -> httpx.Response:
        """Ask with the tag of `copy`, and compare what is held then. Raises Different; a page that
        the view has made may have been of the minute before, and is asked for again."""
        for last in (False, False, True):
            truth = self.now(path)
            headers = {"If-None-Match": copy.etag or ""}
            answer = self.client.get(self.site + path, headers=headers)
            confirmed = answer.status_code == 304
            shown = copy.shown if confirmed else self.shown(answer)
            try:
                self.compare(path, shown, truth, f"{said}: {answer.status_code} {path}")
            except Different:
                if confirmed or last:
                    raise
            else:
                break
        return answer

    def compare(self, path: str, held: Shown, truth: Shown, said: str) -> None:
        if held != truth:
            super().compare(path, held, self.now(path), f"{self.name}: {said}")

    def submit(self, path: str, *, to: str = "", button: str = "", **changes: str) -> None:
        """Send the form of a page that has the fields of `changes` and goes `to` an address, with
        what else it holds; and hear what there is to be said of it."""
        answer = self.client.get(self.site + path)
        forms = [one for one in forms_in(answer.text) if one.action.endswith(to)]
        form = next(one for one in forms if changes.keys() <= one.names)
        data: dict[str, list[str]] = {}
        for name, value in form.fields:
            data.setdefault(name, []).append(value)
        data |= {name: [value] for name, value in changes.items()}
        if button:
            data[button] = [button]
        self.ears.open = True
        answer = self.client.post(self.site + urljoin(path, form.action), data=data)
        self.ears.open = False
        errors = re.findall(r'class="[^"]*\berror[^"]*"[^>]*>.*?</', answer.text, re.DOTALL)
        assert answer.status_code == 302, f"{path}: {answer.status_code} {errors}"
        self.hear()

    def hear(self) -> None:
        """What is said once, in a cookie, is said by both sites."""
        truth = self.now(self.any_page)
        answer = self.client.get(self.site + self.any_page)
        super().compare(self.any_page, self.shown(answer), truth, f"{self.name} hears")
        assert "messages" not in self.client.cookies


class World:
    """Both sites, their visitors, and those who write."""

    def __init__(
        self,
        visitors: Mapping[str, Reader],
        pages: Mapping[str, Sequence[str]],
        users: Sequence[str],
        database: Path,
        writer: Writer,
    ) -> None:
        self._database, self._writer = database, writer
        self.visitors, self.users = visitors, users
        self.pages: list[Asked] = [(name, path) for name, paths in pages.items() for path in paths]
        for visitor in visitors.values():
            visitor.client.get(visitor.site + visitor.login)  # from here on it has a CSRF cookie
        self.answers: Counter[tuple[str, str]] = Counter()
        self.let_in()

    def close(self) -> None:
        for visitor in self.visitors.values():
            visitor.close()

    def let_in(self) -> None:
        """Those who are logged in, and have been logged out."""
        for name in self.users:
            visitor = self.visitors[name]
            visitor.client.get(visitor.site + visitor.any_page)  # a dead session's cookie goes
            if not visitor.is_logged_in:
                visitor.log_in(name)

    def visit_everything(
        self, chance: random.Random, share: float = 1, *, by: Collection[str] = ()
    ) -> dict[Asked, httpx.Response]:
        """Every page by every visitor who looks at it, or `by` some, or a `share` of these. Raises
        Different."""
        asked = [one for one in self.pages if not by or one[0] in by]
        asked = [one for one in asked if chance.random() < share]
        chance.shuffle(asked)
        seeds = [chance.random() for _ in asked]

        def visit(one: Asked, seed: float) -> httpx.Response:
            name, path = one
            truth = self.visitors[name].now(path)
            return self.visitors[name].visit("GET", path, truth, random.Random(seed))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(visit, asked, seeds))
        for (name, _), answer in zip(asked, answers, strict=True):
            self.answers[name, kind_of(answer)] += 1
        return dict(zip(asked, answers, strict=True))

    def by_the_models(self, seed: int) -> str:
        """One write of the project's program; what it is called."""
        return self._writer.write(seed)

    def read(self, sql: str) -> list[Any]:
        """What the database holds."""
        with closing(sqlite3.connect(self._database, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def by_sqlite(self, sql: str) -> str:
        """A script that knows nothing of Django; what it is."""
        with closing(sqlite3.connect(self._database, timeout=20)) as connection:
            connection.executescript(sql)
        return sql


@dataclass(frozen=True)
class Project:
    """A project below ``tests.sites``, with its settings, its seed and those who write to it."""

    name: str
    pages: Mapping[str, Sequence[str]]
    """Who visits which."""
    users: Sequence[str]
    """Those among them who log in."""
    reader: type[Reader]
    migrate: Sequence[str] = ("migrate", "--verbosity=0")
    moved_to: str = ""
    """SQL that says where the site is, of a ``:port``."""

    @contextmanager
    def world(self, state: Path, prepared: Path, defect: str | None = None) -> Iterator[World]:
        """Both sites on a copy of what was prepared; with a defect, if the test asks for one."""
        shutil.copytree(prepared, state, ignore=shutil.ignore_patterns("cache"))
        database, port = state / f"{self.name}.sqlite3", free_port()
        if self.moved_to:
            with closing(sqlite3.connect(database)) as connection, connection:
                connection.execute(self.moved_to, {"port": port})
        environment = self._environment(state)
        application = "notmodified.wsgi:get_wsgi_application()"
        if defect is not None:
            environment["TESTS_DEFECT"] = defect
            application = "tests.sites.defective:application"
        plain = "django.core.wsgi:get_wsgi_application()"
        own, others = (f"tests.sites.{self.name}.{module}" for module in ("settings", "without"))
        with ExitStack() as stack:
            site = stack.enter_context(
                serving(application, own, environment, workers=1, threads=AT_ONCE, port=port)
            )
            without = stack.enter_context(serving(plain, others, environment))
            writer = stack.enter_context(writing(f"tests.sites.{self.name}.writer", environment))
            visitors = {name: self.reader(site, without, name) for name in self.pages}
            found = World(visitors, self.pages, self.users, database, writer)
            yield stack.enter_context(closing(found))

    def prepare(self, state: Path) -> Path:
        """A directory with the site as it begins."""
        environment = self._environment(state)
        for command in (["django", *self.migrate], [f"tests.sites.{self.name}.seed"]):
            done = subprocess.run(
                [sys.executable, "-m", *command], env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
        return state

    def _environment(self, state: Path) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")}
        return {
            **kept,
            f"{self.name.upper()}_STATE": str(state),
            "DJANGO_SETTINGS_MODULE": f"tests.sites.{self.name}.settings",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Pages write CSS classes in the order of sets, which differs from process to process.
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }


class Done(NamedTuple):
    """A write that was made: what it is called, and what makes it undone."""

    name: str
    undo: Callable[[], object] | None = None


Write = Callable[[World, random.Random], Done]


def by_the_models(seed: int) -> Write:
    def write(world: World, chance: random.Random) -> Done:
        name = world.by_the_models(seed)
        again = partial(world.by_the_models, seed)
        return Done(name, again if name.startswith("switch_") else None)

    return write


def by_form(form: Callable[[World, random.Random], Any]) -> Write:
    return lambda world, chance: Done(form.__name__, form(world, chance))


def by_sqlite(scripts: str) -> Write:
    """Programs that know nothing of Django; some with another, which gives back what they take."""

    def write(world: World, chance: random.Random) -> Done:
        script, _, back = scripts.partition(" --\n")
        world.by_sqlite(script)
        return Done(script, partial(world.by_sqlite, back) if back else None)

    return write


def lose_the_session(world: World, chance: random.Random) -> None:
    """A browser forgets its cookie; the session itself is still there."""
    world.visitors[chance.choice(world.users)].client.cookies.delete("sessionid")


def change_places(world: World, chance: random.Random) -> Callable[[], object]:
    """Two people exchange their sessions, and keep their copies."""
    two = world.users[:2]
    jars = [world.visitors[name].client.cookies for name in two]
    sessions = [jar["sessionid"] for jar in jars]
    for jar, session in zip(jars, reversed(sessions), strict=True):
        jar.delete("sessionid")
        jar.set("sessionid", session, domain="127.0.0.1")

    def undo() -> None:
        if all(world.visitors[name].is_logged_in for name in two):
            change_places(world, chance)

    return undo


def rounds(
    chance: random.Random,
    forms: Sequence[Callable[[World, random.Random], Any]],
    scripts: Sequence[str],
    by_models: int,
    together: int = 2,
) -> list[list[Write]]:
    """Each kind of write, in any order, a few `together`; those who write by a form first, because
    others may keep them from it. `by_models` says how many kinds of those there are."""
    first = chance.randrange(1000)
    others = [by_the_models(first + number) for number in range(by_models)]
    others += map(by_sqlite, scripts)
    chance.shuffle(others)
    found = [[by_form(form), *(others.pop() for _ in range(1, together))] for form in forms]
    found += [others[at : at + together] for at in range(0, len(others), together)]
    chance.shuffle(found)
    return found


def tour(world: World, chance: random.Random, writes: list[list[Write]], share: float = 1) -> None:
    """Visits between writes. Raises Different."""
    world.visit_everything(chance)
    for number, group in enumerate(writes):
        done = [write(world, chance) for write in group]
        try:
            world.visit_everything(chance, share)
        except Different as error:
            names = ", ".join(one.name for one in done)
            raise Different(f"after round {number} ({names}): {error}") from None
        finally:
            for one in reversed(done):
                if one.undo is not None:
                    one.undo()
            world.let_in()


Known = Mapping[str, tuple[str, str]]
"""Why pages that have not changed need their view: what is in their addresses, what their reason
says, and why it is true."""


def check_unchanged(
    world: World,
    chance: random.Random,
    enough: Mapping[str, float],
    known: Known,
    left_out: Container[Asked] = (),
) -> None:
    """That `enough` visits to pages that have not changed are answered without the view, by
    visitor, of those that are not `left_out`; and that the reasons of the others are `known`."""
    compared = sum(world.answers.values())
    print(f"{compared} answers compared after writes: {world.answers}")
    for last in (False, False, True):
        looked = look_at_what_is_unchanged(world, chance)
        shares = {name: looked.share(name, left_out) for name in enough}
        print(*(f"{name}: {share} without the view" for name, share in shares.items()), sep="\n")
        # When a minute ends in the middle, what has the time in it is made once more.
        if last or all(shares[name].part >= least for name, least in enough.items()):
            break
    print(*looked.table(world.pages), sep="\n")
    for name, least in enough.items():
        assert shares[name].part >= least, name
        assert shares[name].visits == TWICE * shares[name].pages
        own = [one for one in looked.visits if one[0] == name]
        assert len(own) > 0.6 * sum(one[0] == name for one in world.pages), own
    for one, share in looked.by_page():
        # One whose moment had come was recorded anew, and answered the other visits.
        why = looked.reasons.get(one, "")
        was_anew = share.hits > 0 and "not recorded" not in why
        assert share.part == 1 or was_anew or _is_known(known, one[1], why), (one, share, why)


class Share(NamedTuple):
    """How many visits to pages that have not changed were answered without the view."""

    hits: int
    visits: int
    pages: int

    @property
    def part(self) -> float:
        return self.hits / self.visits

    def __str__(self) -> str:
        return f"{self.hits} of {self.visits}, {self.part:.0%}"


class Looked(NamedTuple):
    """Visits to pages that had not changed, those of them that were answered without the view, and
    what was said of the others."""

    visits: Counter[Asked]
    short: Counter[Asked]
    reasons: dict[Asked, str]

    def share(self, name: str, left_out: Container[Asked]) -> Share:
        counted = [one for one in self.visits if one[0] == name and one not in left_out]
        hits, visits = (sum(of[one] for one in counted) for of in (self.short, self.visits))
        return Share(hits, visits, len(counted))

    def by_page(self) -> Iterator[tuple[Asked, Share]]:
        """Who asked for which page, and the share of it."""
        for one, visits in self.visits.items():
            yield one, Share(self.short[one], visits, 1)

    def table(self, pages: Sequence[Asked]) -> Iterator[str]:
        """The same for people, in the order of `pages`, with what was said of the others."""
        shares = dict(self.by_page())
        for one in pages:
            share = shares.get(one, "nothing that is kept")
            yield f"{one[0]:<18} {one[1]:<45} {share!s:<20} {self.reasons.get(one, '')}".rstrip()


def look_at_what_is_unchanged(world: World, chance: random.Random) -> Looked:
    """Each page, until it was there so often as it was before."""
    looked = Looked(Counter(), Counter(), {})
    for _ in range(TWICE + 6):  # for once a minute pages change by themselves
        if looked.visits and set(looked.visits.values()) == {TWICE}:
            break
        held = {(name, path): world.visitors[name].copies.get(path) for name, path in world.pages}
        for one, answer in world.visit_everything(chance).items():
            copy = held[one]
            if copy is None or looked.visits[one] == TWICE:
                continue  # a redirect or an error, which nobody keeps; or it is enough
            if answer.status_code == 200 and world.visitors[one[0]].shown(answer) != copy.shown:
                continue  # a minute has passed, and it says so
            looked.visits[one] += 1
            if kind_of(answer) == WITHOUT_THE_VIEW:
                looked.short[one] += 1
            else:
                looked.reasons[one] = answer.headers.get("Cache-Status", "")
                print(f"    {one}: {looked.reasons[one]}")
    return looked


def _is_known(known: Known, path: str, said: str) -> bool:
    """Whether an address may have a reason."""
    return any(part in path and reason in said for part, (reason, _) in known.items())


def check_nobody_gets_another_s_page(world: World) -> None:
    """Nor the 304 that says that it is the same: the first two who log in, of one another."""
    two = world.users[:2]
    world.visit_everything(random.Random(3), by=two)
    for name, other in permutations(two):
        visitor, copies = world.visitors[name], dict(world.visitors[other].copies)
        for path, copy in copies.items():
            visitor.ask_with(copy, path, f"with the tag of {other}'s")


def check_a_right_is_gone_at_once(
    world: World, name: str, path: str, taken: str, given_back: str, *, recorded: bool = True
) -> None:
    """What a page shows by a right that a script has taken is not confirmed on the next request,
    although it was answered without the view on the last one; but for pages that need their view
    each time."""
    chance, visitor = random.Random(4), world.visitors[name]
    for _ in range(TWICE + 6):  # what is said once, and a minute that ends, take their turn
        before = visitor.visit("GET", path, visitor.now(path), chance)
        if kind_of(before) == WITHOUT_THE_VIEW:
            break
    said = before.headers.get("Cache-Status")
    assert (kind_of(before) == WITHOUT_THE_VIEW) == recorded, (path, said)
    kept = visitor.copies[path]
    world.by_sqlite(taken)
    try:
        after = visitor.client.get(visitor.site + path, headers={"If-None-Match": str(kept.etag)})
        assert after.status_code != 304, (path, kind_of(before))
        shown = visitor.shown(after)
        assert shown != kept.shown
        visitor.compare(path, shown, visitor.now(path), f"after {taken}: {path}")
    finally:
        world.by_sqlite(given_back)
    visitor.visit("GET", path, visitor.now(path), chance)


def check_nothing_is_confirmed_after(
    world: World, name: str, log_out: Callable[[], object], public: Container[str]
) -> None:
    """Of what a user holds who has logged out, but what is `public`."""
    visitor = world.visitors[name]
    world.visit_everything(random.Random(5), by=[name])
    kept = dict(visitor.copies)
    log_out()
    assert not visitor.is_logged_in
    for path, copy in kept.items():
        answer = visitor.ask_with(copy, path, "after logging out")
        if path not in public:
            assert answer.status_code == 302, path
    world.let_in()
