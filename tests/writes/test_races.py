"""Readers and writers, stopped at every step of each other.

While one stands still, the other does all it has to do, in a thread of its own. Whatever a reader
was told, a text that is current stands for the content that is current.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection, transaction
from django.test import RequestFactory

from notmodified.ledger import counters, tokens
from notmodified.ledger.counters import CounterStore
from notmodified.ledger.slots import SlotStore
from notmodified.ledger.store import MOVE
from notmodified.ledger.tokens import Tokens
from notmodified.validators import Members, token
from notmodified.validators import token as token_class
from notmodified.writes import claims, dependencies, watch
from notmodified.writes.claims import TokenClaim
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere, only_on

pytestmark = pytest.mark.django_db(transaction=True)


class Stale(AssertionError):
    """One text stood for two contents."""


class Reader:
    """A page asked for as the exchange does: the version, the view, and the version again."""

    def __init__(self) -> None:
        self.page = token(
            lambda request: [Shelf.objects.get(pk=1), Members(Book, shelf=1)], name="a shelf"
        )
        self.contents: dict[str, Any] = {}

    def content(self) -> Any:
        books = Book.objects.filter(shelf_id=1).order_by("pk").values_list("pk", "title")
        return Shelf.objects.get(pk=1).name, list(books)

    def __call__(self, between: Callable[[], None] = lambda: None) -> None:
        request = RequestFactory().get("/")
        version = self.page.version(request)
        between()
        content = self.content()
        between()
        if version.text is not None and self.page.still(version, request):
            self.contents.setdefault(version.text, content)

    def check(self) -> None:
        """What a client with each text is told now, and what it has."""
        text, content = self.page.version(RequestFactory().get("/")).text, self.content()
        if text is not None and self.contents.setdefault(text, content) != content:
            raise Stale(f"{self.contents[text]} is taken for {content}")


STEPS: dict[Any, list[str]] = {
    CounterStore: ["read", "mint", "note", "noted", "_count_one_more", "_count_one_less"],
    SlotStore: ["read", "mint", "note", "noted", "_claimed", "_renewed", "_move", "_give_up"],
}
"""What the stores do one after the other."""


class Steps:
    """Calls `act` at the step of that number, counting what the store and the database do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = -1
        self.at: int | None = None
        self.onwards = False
        self.act: Callable[[], Any] = lambda: None
        for store, names in STEPS.items():
            for name in names:
                monkeypatch.setattr(store, name, self._around(getattr(store, name)))

    def _around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any, **kwargs: Any) -> Any:
            self()
            result = method(*args, **kwargs)
            if method.__name__ in ("_count_one_less", "_give_up"):
                self()  # what the caller does next may be long in coming
            return result

        return stepping

    def __call__(self) -> None:
        if self.at is None:
            return
        self.number += 1
        if self.number == self.at or (self.onwards and self.number > self.at):
            at, self.at = self.at, None  # what it does has no steps
            self.act()
            self.at = at if self.onwards else None

    def during(
        self, at: int, act: Callable[[], Any], run: Callable[[], Any], *, onwards: bool = False
    ) -> bool:
        """Whether `run` had so many steps; `act` happened at that one, and `onwards` at each
        after it."""
        self.number, self.at, self.act, self.onwards = -1, at, act, onwards
        run()
        self.at = None
        return self.number >= at


STORES = [CounterStore, SlotStore] if connection.vendor == "sqlite" else [SlotStore]
"""What a store is made of is the same on every database; when a transaction ends, is not."""


@pytest.fixture(params=STORES)
def steps(request: Any, monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(claims, "store_for", request.param)
    return Steps(monkeypatch)


counted = pytest.mark.parametrize("steps", [CounterStore], indirect=True)


@pytest.fixture(autouse=True)
def shelf() -> Iterator[None]:
    fill()
    yield
    connection.close()


def fill() -> None:
    Book.objects.all().delete()
    Shelf.objects.all().delete()
    caches["default"].clear()
    for pk in (1, 2):
        Shelf.objects.create(pk=pk, name="old")
        Book.objects.create(pk=pk, title="old", shelf_id=pk)


def in_transaction(write: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        with transaction.atomic():
            write()
            Book.objects.filter(pk=2).update(copies=9)

    return run


WRITES: dict[str, Callable[[], Any]] = {
    "update": lambda: Book.objects.filter(pk=1).update(title="new"),
    "shelf": lambda: Shelf.objects.filter(pk=1).update(name="new"),
    "insert": lambda: Book.objects.create(pk=3, title="new", shelf_id=1),
    "delete": lambda: Book.objects.filter(pk=1).delete(),
    "join": lambda: Book.objects.filter(pk=2).update(shelf_id=1),
    "leave": lambda: Book.objects.filter(pk=1).update(shelf_id=2),
}
WAYS = {
    **WRITES,
    "update in a transaction": in_transaction(WRITES["update"]),
    "insert in a transaction": in_transaction(WRITES["insert"]),
}


def write_during_a_read(steps: Steps, write: Callable[[], Any], *, flush: bool = False) -> int:
    for warm in (False, True):
        for at in range(60):
            fill()
            reader = Reader()
            if warm:
                reader()
                elsewhere(lambda: Book.objects.filter(pk=1).update(title="older"))

            def act() -> None:
                if flush:
                    caches["default"].clear()
                elsewhere(write)

            if not steps.during(at, act, lambda: reader(steps)):  # noqa: B023
                break
            reader.check()
            for pk in (3, 1):
                # What has come in between counts from now on.
                reader()
                Book.objects.filter(pk=pk).update(title="later")
                reader.check()
    return at


@pytest.mark.parametrize("way", ["update", "insert", "join", "update in a transaction"])
def test_a_write_at_every_step_of_a_read(steps: Steps, way: str) -> None:
    assert write_during_a_read(steps, WAYS[way]) > 5


@pytest.mark.parametrize("write", list(WAYS.values())[:1])
def test_a_write_and_a_flush_at_every_step_of_a_read(
    steps: Steps, write: Callable[[], Any]
) -> None:
    assert write_during_a_read(steps, write, flush=True) > 5


def stepping_commits(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of a writer are also the moments around its statements and its COMMIT."""
    connection.close()
    wrapper: Any = connection._connections[connection._alias]
    vars(wrapper).pop(watch._ATTRIBUTE, None)
    for name in ("_commit", "_rollback", "close", "set_autocommit"):
        vars(wrapper).pop(name, None)
    wrapper.execute_wrappers.clear()
    commit = type(wrapper)._commit

    def stepping_commit() -> None:
        steps()
        commit(wrapper)
        steps()

    wrapper._commit = stepping_commit
    watch.watch(wrapper)

    def stepping_execute(execute: Any, *args: Any) -> Any:
        steps()
        result = execute(*args)
        steps()
        return result

    wrapper.execute_wrappers.append(stepping_execute)


@pytest.fixture
def writer(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    stepping_commits(steps, monkeypatch)
    yield steps
    connection.close()
    wrapper: Any = connection._connections[connection._alias]
    for name in ("_commit", "_rollback", "close", "set_autocommit", watch._ATTRIBUTE):
        vars(wrapper).pop(name, None)
    wrapper.execute_wrappers.clear()
    watch.watch(wrapper)


def read_during_a_write(
    steps: Steps, write: Callable[[], Any], *, rolled_back: bool = False
) -> int:
    for at in range(80):
        fill()
        reader = Reader()
        elsewhere(reader)
        found: list[Stale] = []

        def act() -> None:
            elsewhere(reader)  # noqa: B023
            try:
                elsewhere(reader.check)  # noqa: B023
            except Stale as error:
                found.append(error)  # noqa: B023

        def run() -> None:
            with transaction.atomic():
                write()
                transaction.set_rollback(rolled_back)

        if not steps.during(at, act, run if rolled_back else write, onwards=True):
            break
        if found:
            raise found[0]
        elsewhere(reader.check)
        elsewhere(reader)
    return at


@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS.keys())
def test_a_read_at_every_step_of_a_write(writer: Steps, write: Callable[[], Any]) -> None:
    assert read_during_a_write(writer, write) > 5


@pytest.mark.parametrize("write", list(WRITES.values())[:1])
def test_a_read_at_every_step_of_a_rollback(writer: Steps, write: Callable[[], Any]) -> None:
    assert read_during_a_write(writer, write, rolled_back=True) > 5


def test_a_read_at_every_step_of_a_savepoint(writer: Steps) -> None:
    def write() -> None:
        with transaction.atomic():
            Book.objects.filter(pk=1).update(title="a")
            with transaction.atomic():
                Book.objects.filter(pk=1).update(title="b")
                transaction.set_rollback(True)

    assert read_during_a_write(writer, write) > 10


def test_a_read_at_every_step_of_two_writers(writer: Steps) -> None:
    """The second begins and ends while the first is under way."""
    only_on("postgresql", "mysql")

    def write() -> None:
        with transaction.atomic():
            Book.objects.filter(pk=1).update(title="first")
            elsewhere(lambda: Shelf.objects.filter(pk=2).update(name="second"))
            Book.objects.filter(pk=1).update(title="again")

    assert read_during_a_write(writer, write) > 10


def _without_writers(self: CounterStore, name: str, *marked: int) -> int:
    """Moves the key, and counts nobody."""
    self._cache.add(name, MOVE)
    stamp: int = self._cache.incr(name, MOVE)
    return stamp


def _release_at_once(self: TokenClaim, sql: str, params: Any, many: bool) -> None:
    claims.tokens().release(claims.tokens().mark(self._keys_of(sql, params, many)))


def _without_members(self: Any, write: Any, field: Any, parameters: Any) -> Any:
    return iter(())


def _minted_without_a_bracket(self: Any, *args: Any) -> Any:
    """As if nothing could happen between what the query saw and the stamps noted with it."""
    read = Tokens.read

    def reading(self: Tokens, keys: Any) -> Any:
        stamps = read(self, keys)
        return [0, *stamps[1:]] if stamps else stamps

    Tokens.read = reading  # type: ignore[method-assign]
    try:
        return _minted(self, *args)
    finally:
        Tokens.read = read  # type: ignore[method-assign]


_minted = token_class._minted

READ_MUTANTS = {
    "no bracket": (token_class, "_minted", _minted_without_a_bracket),
    "a new member moves no set": (dependencies.Keys, "_sets_of", _without_members),
}
WRITE_MUTANTS: dict[str, list[tuple[Any, str, Any]]] = {
    "marks that move nothing": [
        (counters, "MOVE", 0),
        (counters, "is_same_life", lambda *stamps: True),
    ],
    "moves without marks": [
        (CounterStore, "_count_one_more", _without_writers),
        (CounterStore, "_count_one_less", _without_writers),
        (counters, "WRITERS", -1),
    ],
    "released before the COMMIT": [(TokenClaim, "before", _release_at_once)],
    "marks that nobody looks at": [(tokens, "WRITERS", 0)],
}


@counted
@pytest.mark.parametrize("mutant", READ_MUTANTS.values(), ids=READ_MUTANTS.keys())
def test_a_defect_in_reading_would_be_found(
    steps: Steps, mutant: tuple[Any, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*mutant)
    with pytest.raises(Stale):
        for write in (WRITES["insert"], WRITES["join"]):
            write_during_a_read(steps, write)


@counted
@pytest.mark.parametrize("mutants", WRITE_MUTANTS.values(), ids=WRITE_MUTANTS.keys())
def test_a_defect_in_the_protocol_would_be_found(
    writer: Steps, mutants: list[tuple[Any, str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for mutant in mutants:
        monkeypatch.setattr(*mutant)
    with pytest.raises(Stale):
        for write in (WAYS["update in a transaction"], WAYS["update"]):
            read_during_a_write(writer, write)
