"""Writers stopped at every step of a reader, and what a database goes through: nothing is stale."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from notmodified.records import databases
from tests.automatic.visits import recorded_site
from tests.site.models import Shelf
from tests.site.pages import elsewhere, execute, only_on

BETWEEN: list[Callable[[], None]] = []
"""What happens after each of the view's queries."""


def two(request: HttpRequest) -> HttpResponse:
    """Two rows by two queries, and another thing between and after them."""
    shown = []
    for number, pk in enumerate((1, 2)):
        shown += Shelf.objects.filter(pk=pk).values_list("name", flat=True)
        if number < len(BETWEEN):
            BETWEEN[number]()
    return HttpResponse(" ".join(shown))


@transaction.atomic
def in_one_transaction(request: HttpRequest) -> HttpResponse:
    return two(request)


urlpatterns = [path("two/", two), path("atomic/", in_one_transaction)]
PAGES = ["/two/", "/atomic/"]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    BETWEEN.clear()
    Shelf.objects.bulk_create([Shelf(pk=1, name="a"), Shelf(pk=2, name="a")])
    with recorded_site(__name__):
        yield


def rename(pk: int, name: str) -> None:
    elsewhere(lambda: execute(f"UPDATE site_shelf SET name = '{name}' WHERE id = {pk}"))


def visit(url: str, tag: str = '"none"') -> Any:
    return Client().get(url, headers={"If-None-Match": tag})


def truth() -> bytes:
    return " ".join(Shelf.objects.order_by("pk").values_list("name", flat=True)).encode()


def check(url: str, first: Any) -> int:
    """The next answer to who holds `first`; what they hold then is true."""
    answer = visit(url, first.headers["ETag"])
    content = first.content if answer.status_code == 304 else answer.content
    assert content == truth()
    return int(answer.status_code)


@contextmanager
def open_transaction(*statements: str) -> Iterator[Any]:
    """A writer that has run `statements`; its COMMIT or ROLLBACK is to come."""
    writer = connection.copy()
    writer.connect()
    writer.set_autocommit(False)
    with writer.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    try:
        yield writer
    finally:
        writer.close()


@pytest.fixture(params=["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def isolation(request: Any) -> Iterator[str]:
    """Django's connection at one of the levels that the database has."""
    if connection.vendor == "sqlite":
        if request.param != "SERIALIZABLE":
            pytest.skip("SQLite knows one level")
        yield request.param
        return
    session = "SESSION CHARACTERISTICS AS" if connection.vendor == "postgresql" else "SESSION"
    execute(f"SET {session} TRANSACTION ISOLATION LEVEL {request.param}")
    yield request.param
    connection.close()


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("at", [0, 1], ids=["between the queries", "after them"])
@pytest.mark.parametrize("pk", [1, 2])
def test_a_write_while_the_view_runs(url: str, at: int, pk: int, isolation: str) -> None:
    if connection.vendor == "sqlite" and url == "/atomic/":
        pytest.skip("there the reader keeps the writer waiting")
    if connection.vendor == "mysql" and isolation == "SERIALIZABLE" and url == "/atomic/":
        pytest.skip("there the reader locks what it reads")
    BETWEEN[:] = [lambda: None] * at + [lambda: rename(pk, "b")]
    first = visit(url)
    BETWEEN.clear()
    assert check(url, first) == 200 or first.content == truth()
    assert visit(url, visit(url).headers["ETag"]).status_code == 304


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_write_that_began_before_the_view_and_ends_after_it(
    url: str, end: str, isolation: str
) -> None:
    if connection.vendor == "mysql" and isolation == "SERIALIZABLE" and url == "/atomic/":
        pytest.skip("there the reader waits for the writer")
    with open_transaction("UPDATE site_shelf SET name = 'b' WHERE id = 1") as writer:
        first = visit(url)
        assert first.content == b"a a"
        assert check(url, first) == 304
        getattr(writer, end)()
    assert check(url, first) == (200 if end == "commit" else 304)


def test_a_write_that_ends_while_the_view_runs() -> None:
    """The page may be half from before it, and half from after."""
    with open_transaction("UPDATE site_shelf SET name = 'b' WHERE id = 1") as writer:
        BETWEEN[:] = [writer.commit]
        first = visit("/two/")
    BETWEEN.clear()
    assert first.content == b"a a"
    status = first.headers["Cache-Status"]
    assert "not recorded: something changed while the view ran (MOVED)" in status
    assert check("/two/", first) == 200
    assert "not recorded" not in visit("/two/").headers["Cache-Status"]


def test_transactions_that_end_in_another_order_than_they_began() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("there is one writer at a time")
    with (
        open_transaction("UPDATE site_shelf SET name = 'b' WHERE id = 1") as one,
        open_transaction("UPDATE site_shelf SET name = 'b' WHERE id = 2") as other,
    ):
        other.commit()
        first = visit("/two/")
        assert first.content == b"a b"
        one.commit()
    assert check("/two/", first) == 200


def test_a_long_transaction_and_compactions() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("there a writer keeps compaction waiting")
    [database] = _databases()
    with open_transaction("UPDATE site_shelf SET name = 'b' WHERE id = 1") as writer:
        first = visit("/two/")
        for number in range(3):
            rename(2, f"c{number}")
            assert database._ledger.compact(0)
        first = visit("/two/")
        writer.commit()
    assert check("/two/", first) == 200


def test_a_record_from_before_the_horizon() -> None:
    [database] = _databases()
    first = visit("/two/")
    for _ in range(3):
        execute("INSERT INTO site_tag (name) VALUES ('x')")
        assert database._ledger.compact(0)
    check("/two/", first)
    assert check("/two/", visit("/two/")) == 304


def _databases() -> list[databases.Database]:
    visit("/two/")
    return list(databases._known.values())


WRITER = """
import sys, django
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
from django.db import connection, transaction
from tests.site.models import Shelf
with transaction.atomic():
    Shelf.objects.filter(pk=1).update(name="b")
    print("written", flush=True)
    sys.stdin.readline()
"""


def test_a_writer_that_is_killed_before_its_commit() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, connection.settings_dict["NAME"]],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        first = visit("/two/")
        assert check("/two/", first) == 304
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert check("/two/", first) == 304
    rename(1, "c")
    assert check("/two/", first) == 200


def test_a_restored_backup(tmp_path: Path) -> None:
    only_on("sqlite")
    name = connection.settings_dict["NAME"]
    visit("/two/")
    connection.close()
    shutil.copyfile(name, tmp_path / "backup")
    rename(1, "b")
    first = visit("/two/")
    assert check("/two/", first) == 304
    connection.close()
    shutil.copyfile(tmp_path / "backup", name)
    rename(2, "c")
    assert check("/two/", first) == 200


def test_a_held_connection_that_is_cut_off() -> None:
    only_on("postgresql", "mysql")
    first = visit("/two/")
    [database] = _databases()
    held: Any = database._ledger
    if connection.vendor == "postgresql":
        execute(f"SELECT pg_terminate_backend({held._held.info.backend_pid})")
    else:
        execute(f"KILL {held._held.thread_id()}")
    assert check("/two/", first) == 304  # the view has run, and come to the same
    again = visit("/two/")
    assert "not recorded" not in again.headers["Cache-Status"]
    assert check("/two/", again) == 304


def test_a_process_that_was_forked() -> None:
    """The parent's connections are left to it."""
    first = visit("/two/")
    code = os.fork()
    if code == 0:
        status = 1
        try:
            parents, connection.connection = connection.connection, None
            assert parents is not None  # to be closed by the parent
            status = 0 if check("/two/", first) == 304 and len(databases._parents) == 1 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(code, 0)[1]) == 0
    assert check("/two/", first) == 304
