"""`token` on the caches that processes share: what it promises there, with the real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from notmodified.ledger.stores import store_for
from notmodified.validators import UNKNOWN, Members, token
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere, keeps, moves, service, text, version

pytestmark = pytest.mark.django_db(transaction=True)

SERVERS = {"memcached": "NOTMODIFIED_MEMCACHED", "redis": "NOTMODIFIED_REDIS_URL"}

shelf_page = token(lambda request: [Shelf.objects.get(pk=1), Members(Book, shelf=1)], name="shelf")
other_page = token(lambda request: [Shelf.objects.get(pk=2)], name="other shelf")


@pytest.fixture(
    params=["database", *(pytest.param(name, marks=pytest.mark.services) for name in SERVERS)],
    autouse=True,
)
def alias(request: Any, settings: Any) -> Iterator[str]:
    alias: str = request.param
    caches: dict[str, Any] = {name: dict(value) for name, value in settings.CACHES.items()}
    if alias in SERVERS:
        caches[alias]["LOCATION"] = service(SERVERS[alias])
    # A prefix of our own: others may be at work on the same server.
    caches[alias]["KEY_PREFIX"] = uuid4().hex
    settings.CACHES = caches
    settings.NOTMODIFIED = {"CACHE": alias, "WATCH": ["site.Shelf", "site.Book"]}
    store_for.cache_clear()
    for pk in (1, 2):
        Shelf.objects.create(pk=pk, name="old")
    Book.objects.create(pk=1, title="old", shelf_id=1)
    yield alias
    connection.close()
    store_for.cache_clear()


def test_a_write_moves_the_pages_it_touches_and_no_others() -> None:
    with keeps(other_page):
        with moves(shelf_page):
            Book.objects.filter(pk=1).update(title="new")
        with moves(shelf_page):
            Book.objects.create(pk=2, title="new", shelf_id=1)
        with moves(shelf_page):
            Book.objects.filter(pk=1).delete()


def test_what_is_rolled_back_leaves_a_version_that_holds() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Book.objects.filter(pk=1).update(title="new")
        raise ZeroDivisionError
    with keeps(shelf_page):
        pass


def test_there_is_no_version_while_it_is_written(alias: str) -> None:
    if alias == "database":
        pytest.skip("there the marks are part of the transaction, and moved with it")
    before = elsewhere(lambda: text(shelf_page))
    text(other_page)
    with transaction.atomic():
        Book.objects.filter(pk=1).update(title="new")
        assert elsewhere(lambda: version(shelf_page)) == UNKNOWN
        assert elsewhere(lambda: text(other_page)) is not None
    assert elsewhere(lambda: text(shelf_page)) not in (None, before)


OTHER_PROCESS = """
import sys
import django
from django.conf import settings
settings.CACHES[sys.argv[1]]["KEY_PREFIX"] = sys.argv[2]
settings.DATABASES["default"]["NAME"] = sys.argv[3]
settings.NOTMODIFIED = {"CACHE": sys.argv[1], "WATCH": ["site.Shelf", "site.Book"]}
django.setup()
from tests.site.models import Book
Book.objects.filter(pk=1).update(title="elsewhere")
"""


def test_another_process_moves_what_it_writes(alias: str, settings: Any) -> None:
    arguments = [alias, settings.CACHES[alias]["KEY_PREFIX"]]
    arguments.append(str(connection.settings_dict["NAME"]))
    with moves(shelf_page):
        subprocess.run(
            [sys.executable, "-c", OTHER_PROCESS, *arguments],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": "src:."},
            check=True,
        )


def test_readers_and_writers_at_once_see_no_version_for_two_contents(alias: str) -> None:
    if alias == "database" and connection.vendor == "sqlite":
        pytest.skip("two writers of one SQLite file, each in a transaction, lock each other out")
    seen: dict[str, set[str]] = {}
    failures: list[BaseException] = []
    written = threading.Event()

    def write() -> None:
        for number in range(40):
            with transaction.atomic():
                Book.objects.filter(pk=1).update(title=f"{threading.get_ident()} {number}")
            time.sleep(0.01)  # in which readers find nobody at work

    def read() -> None:
        while not written.is_set():
            before = text(shelf_page)
            title = Book.objects.get(pk=1).title
            if before is not None and text(shelf_page) == before:
                seen.setdefault(before, set()).add(title)

    def run(function: Any) -> None:
        try:
            elsewhere(function)
        except BaseException as error:
            failures.append(error)

    # In a database, the marks of two writers at once can deadlock: see the guarantees.
    at_once = 1 if alias == "database" else 2
    writers = [threading.Thread(target=run, args=(write,)) for _ in range(at_once)]
    readers = [threading.Thread(target=run, args=(read,)) for _ in range(2)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    written.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert seen
    assert [titles for titles in seen.values() if len(titles) > 1] == []
