"""``manage.py notmodified explain``: what a page depends on, and why it is recorded or not."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.test import override_settings
from django.urls import path
from django.utils import timezone

from notmodified.causes import Cause
from notmodified.reads.memories import forget_memories
from tests.automatic.visits import DEFAULT_MIDDLEWARE
from tests.docs.pages import DOCS, ROOT, anchors, headings
from tests.site.models import Book, Shelf


def page(request: HttpRequest) -> HttpResponse:
    shelf = Shelf.objects.get(pk=1)
    titles = [book.title for book in Book.objects.filter(shelf=shelf).order_by("pk")]
    shown = f"{shelf.name} {titles} {request.user} {cache.get('greeting')}"
    return HttpResponse(f"{shown} {timezone.localdate()} {request.headers.get('X-Colour')}")


def clock(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(timezone.now()))


def in_a_template(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string("one\n{{ numbers|random }}")
    return HttpResponse(template.render({"numbers": [1]}, request))


def every_row(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Shelf.objects.filter(name="novels").count()))


urlpatterns = [
    path("page/", page),
    path("every-row/", every_row),
    path("clock/", clock),
    path("template/", in_a_template),
]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    Shelf.objects.create(pk=1, name="novels")
    User.objects.create(username="ada")
    forget_memories()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=DEFAULT_MIDDLEWARE, NOTMODIFIED={}):
        yield


def explained(*arguments: str) -> Any:
    out = StringIO()
    call_command("notmodified", "explain", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("notmodified", "explain", *arguments, stdout=out)
    return out.getvalue()


ESCAPE = "\x1b["


def shown_in_a_terminal(*arguments: str) -> str:
    """What somebody sees who runs the command in one."""
    ours, its = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # the terminal is closed
            while True:
                shown.append(os.read(ours, 1024))

    reader = Thread(target=read)
    reader.start()
    with os.fdopen(its, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        call_command("notmodified", "explain", *arguments, stdout=terminal)
    reader.join()
    os.close(ours)
    return b"".join(shown).decode()


class TestARecordedPage:
    def test_each_dependency_with_what_counts_and_who_read_it(self) -> None:
        found = explained("/page/", "--user", "ada", "--header", "X-Colour: blue")
        assert (found["status"], found["recorded"]) == (200, True)
        by_name = {one["what"]: one for one in found["dependencies"]}
        line = page.__code__.co_firstlineno
        assert by_name["site_shelf"]["why"] == "rows with id = 1"
        assert by_name["site_shelf"]["places"] == [f"tests/test_explaining.py:{line + 1}"]
        assert by_name["site_shelf"]["queries"][0].startswith("SELECT ")
        assert "rows with shelf_id = 1" in by_name["site_book"]["why"]
        assert by_name["meta HTTP_X_COLOUR"]["why"] == "read: 'blue'"
        assert by_name["meta HTTP_X_COLOUR"]["places"] == [f"tests/test_explaining.py:{line + 4}"]
        assert by_name["cache default:greeting"]["places"] == [
            f"tests/test_explaining.py:{line + 3}"
        ]
        assert "auth_user" in by_name
        assert by_name["time"]["moved_by"] == "the moment comes"
        assert found["until"].startswith(f"{timezone.localdate() + timezone.timedelta(days=1)}")

    def test_nobody_stays_logged_in(self) -> None:
        explained("/page/", "--user", "ada")
        assert not Session.objects.exists()

    def test_for_people(self) -> None:
        said = told("/page/")
        assert "Recorded: a return visit is answered without the view." in said
        assert "rows with id = 1" in said
        assert "SELECT … FROM" in said

    def test_a_query_that_nothing_narrows(self) -> None:
        """The name has no index, so any row may come to have it."""
        [found] = [
            one for one in explained("/every-row/")["dependencies"] if one["what"] == "site_shelf"
        ]
        assert found["why"] == "every row: no condition on an indexed column narrows the query"
        assert found["moved_by"] == "any write to the table"
        assert found["places"] == [
            f"tests/test_explaining.py:{every_row.__code__.co_firstlineno + 1}"
        ]
        assert "every row" in told("/every-row/")

    def test_in_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("rich")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        said = shown_in_a_terminal("/page/")
        assert "What the page was made from" in said
        assert ESCAPE in said  # of the title and the names of the columns
        assert "┏" in said
        assert "site_shelf" in said

    def test_elsewhere_it_is_plain_text(self) -> None:
        pytest.importorskip("rich")
        said = told("/page/")
        assert "┏" in said
        assert ESCAPE not in said

    def test_a_file_has_no_escapes_in_a_terminal_either(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm-256color")
        ours, its = pty.openpty()
        out = StringIO()
        with os.fdopen(its, "w") as terminal, redirect_stdout(terminal):
            call_command("notmodified", "explain", "/page/", stdout=out)
        os.close(ours)
        assert ESCAPE not in out.getvalue()

    def test_without_rich(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "rich.console", None)
        said = told("/page/")
        assert "site_shelf\n" in said
        assert "which of it counts: rows with id = 1" in said


class TestAnotherPage:
    def test_the_cause_the_place_and_where_to_read_more(self) -> None:
        found = explained("/clock/")
        line = clock.__code__.co_firstlineno + 1
        assert not found["recorded"]
        assert (found["cause"], found["detail"]) == ("TIME", "the time")
        assert found["place"] == f"tests/test_explaining.py:{line}"
        assert found["address"] == Cause.TIME.address
        said = told("/clock/")
        assert f"Not recorded: the time, in tests/test_explaining.py:{line}." in said
        assert Cause.TIME.address in said

    def test_a_place_in_a_template(self) -> None:
        assert explained("/template/")["cause"] == "CHANCE"
        assert explained("/template/")["place"] == "<unknown source>:2"

    def test_no_page(self) -> None:
        found = explained("/missing/")
        assert (found["status"], found["cause"]) == (404, "NOT_A_PAGE")


class TestMisuse:
    def test_nobody_of_that_name(self) -> None:
        with pytest.raises(CommandError, match="no user with the name 'eve'"):
            told("/page/", "--user", "eve")

    def test_a_header_without_a_value(self) -> None:
        with pytest.raises(CommandError, match="A header has a name and a value"):
            told("/page/", "--header", "X-Colour")


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_the_address_of_every_cause(cause: Cause) -> None:
    """It leads to a heading of a page of the documentation as it is built."""
    site, _, built = cause.address.partition("/en/latest/")
    name, _, anchor = built.partition("#")
    page = DOCS / Path(name).with_suffix(".md")
    assert site == "https://django-notmodified.readthedocs.io"
    assert name.endswith(".html")  # pages are files
    assert "use_directory_urls: false" in (ROOT / "mkdocs.yml").read_text()
    assert anchor in anchors(page)
    assert [cause.name] == [heading for heading in headings(page) if heading.lower() == anchor]
