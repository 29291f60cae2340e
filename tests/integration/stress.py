"""Writers that are programs of their own, readers over HTTP, and what must never be.

Each row holds a number that only grows. Once a writer's COMMIT has returned, its number is the
*floor* of that row: a request that comes later must not be answered by less.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

ROWS = 4

Connect = Callable[[], Any]
"""Makes a connection of the database's own driver, in autocommit; or something that has a `write`
of its own."""


class Stale(AssertionError):
    """A 304 or a 200 stood for a state that was over before the request came."""


class World:
    """The numbers of the rows."""

    def __init__(self) -> None:
        self.floors = dict.fromkeys(range(1, ROWS + 1), 0)
        self._next = dict.fromkeys(self.floors, 0)
        self._locks = {pk: threading.Lock() for pk in self.floors}

    @contextmanager
    def writing(self, pk: int) -> Iterator[int]:
        """The next number of a row. It is the floor once the block has ended well."""
        with self._locks[pk]:
            self._next[pk] += 1
            yield self._next[pk]
            self.floors[pk] = self._next[pk]


class RolledBackError(Exception):
    pass


def write(world: World, connect: Connect, chance: random.Random, stop: threading.Event) -> None:
    connection = connect()
    how = getattr(connection, "write", None) or partial(_by_sql, connection)
    while not stop.is_set():
        pk = chance.randint(1, ROWS)
        with suppress(RolledBackError), world.writing(pk) as number:
            how(pk, number, chance)
        time.sleep(chance.random() * 0.03)
    connection.close()


def _by_sql(connection: Any, pk: int, number: int, chance: random.Random) -> None:
    """Give a row its number, in a transaction of some milliseconds. Raises RolledBackError."""
    cursor = connection.cursor()
    sign = "?" if type(connection).__module__ == "sqlite3" else "%s"
    cursor.execute("BEGIN IMMEDIATE" if sign == "?" else "BEGIN")
    cursor.execute(f"UPDATE site_shelf SET name = {sign} WHERE id = {sign}", (str(number), pk))
    time.sleep(chance.random() * 0.004)
    if chance.random() < 0.2:
        cursor.execute("ROLLBACK")
        raise RolledBackError
    cursor.execute("COMMIT")


def pages() -> dict[str, list[int]]:
    """The pages, and the rows that each shows in turn."""
    found = {f"/one/{pk}/": [pk] for pk in range(1, ROWS + 1)}
    found |= {f"/related/{pk}/": [pk] for pk in range(1, ROWS + 1)}
    found |= {"/pair/1/2/": [1, 2], "/pair/4/3/": [4, 3], "/every/": [*range(1, ROWS + 1)]}
    return found


class Reader:
    def __init__(self, world: World, url: str, chance: random.Random) -> None:
        self._world = world
        self._url = urlsplit(url)
        self._chance = chance
        self._pages = pages()
        self._held: dict[str, tuple[str, list[int]]] = {}
        self._connection: http.client.HTTPConnection | None = None
        self.seen: Counter[int] = Counter()

    def visit(self) -> None:
        path = self._chance.choice(list(self._pages))
        rows = self._pages[path]
        floors = [self._world.floors[pk] for pk in rows]
        held = self._held.get(path)
        status, tag, body = self._get(path, held[0] if held else None)
        self.seen[status] += 1
        if status == 200:
            self._held[path] = tag, [int(text) for text in body.split()]
        elif status != 304:
            raise AssertionError(f"{path}: {status} {body[:200]!r}")
        numbers = self._held[path][1]
        if any(number < floor for number, floor in zip(numbers, floors, strict=True)):
            raise Stale(f"{status} {path}: {numbers} after {floors}")

    def _get(self, path: str, tag: str | None) -> tuple[int, str, str]:
        for _ in range(50):
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(
                        self._url.hostname or "", self._url.port, timeout=20
                    )
                self._connection.request("GET", path, headers={"If-None-Match": tag} if tag else {})
                response = self._connection.getresponse()
                body = response.read().decode()
            except (OSError, http.client.HTTPException):  # a worker was killed
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
                time.sleep(0.05)
            else:
                return response.status, response.headers.get("ETag", ""), body
        raise AssertionError("no server any more")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def stress(
    url: str,
    connect: Connect,
    seconds: float,
    disturb: Callable[[], None] = lambda: None,
    enough: int | None = None,
) -> Counter[int]:
    """Two writers and two readers, until there were `enough` 304s and 200s (as many as there are,
    if ``None``), for so many seconds at most; `disturb` is called now and then. The statuses that
    the readers got. Raises Stale."""
    world, stop = World(), threading.Event()
    errors: list[BaseException] = []

    def guarded(function: Callable[..., None], *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                function(*arguments)
            except BaseException as error:
                errors.append(error)
                stop.set()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def read(reader: Reader) -> None:
        while not stop.is_set():
            reader.visit()

    readers = [Reader(world, url, random.Random(seed)) for seed in (1, 2)]
    threads = [guarded(write, world, connect, random.Random(seed), stop) for seed in (3, 4)]
    threads += [guarded(read, reader) for reader in readers]
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stop.wait(1):
        disturb()
        if enough is not None and all(
            sum(reader.seen[status] for reader in readers) >= enough for status in (200, 304)
        ):
            break
    stop.set()
    for thread in threads:
        thread.join()
    for reader in readers:
        reader.close()
    if errors:
        raise errors[0]
    return readers[0].seen + readers[1].seen
