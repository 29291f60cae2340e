"""Pages that show whether a file is there, how large it is and when it was written."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.urls import path

from notmodified.reads import files
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.pages import elsewhere

VIEW: list[Callable[[], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0]()))


urlpatterns = [path("", counted(page))]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    with recorded_site(__name__):
        yield


ASKS: dict[str, Callable[[Path], Any]] = {
    "exists": lambda file: os.path.exists(str(file)),
    "isfile": lambda file: os.path.isfile(str(file)),
    "getsize": lambda file: os.path.getsize(str(file)),
    "getmtime": lambda file: os.path.getmtime(str(file)),
    "storage": lambda file: FileSystemStorage(file.parent).exists(file.name),
    "storage's size": lambda file: FileSystemStorage(file.parent).size(file.name),
    "storage's time": lambda file: FileSystemStorage(file.parent).get_modified_time(file.name),
}


def shown(ask: Callable[[Path], Any], file: Path) -> Callable[[], Any]:
    def show() -> Any:
        try:
            return ask(file)
        except OSError:
            return "none"

    return show


@pytest.mark.parametrize("name", ASKS)
def test_it_is_asked_again(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("first")
    VIEW[:] = [shown(ASKS[name], file)]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")
    file.unlink()
    assert not visitor.is_answered_without_view("/")
    assert visitor.get("/").status_code == 304
    assert visitor.is_answered_without_view("/")
    FileSystemStorage(tmp_path).save("file.txt", ContentFile(b"second one"))
    assert not visitor.is_answered_without_view("/")


UNSEEN: dict[str, Callable[[Path], Any]] = {
    "a path exists": lambda file: file.exists(),
    "a path is a file": lambda file: file.is_file(),
    "a path's size": lambda file: file.stat().st_size,
    "where a path leads": lambda file: file.resolve().is_file(),
    "whether it may be read": lambda file: os.access(file, os.R_OK),
    "where a link leads": lambda file: os.path.realpath(file),
    "what a link says": lambda file: os.readlink(file),
    "room on the disk": lambda file: shutil.disk_usage(file.parent),
    "attributes": lambda file: os.listxattr(file),
    "what is in a directory": lambda file: sorted(file.parent.iterdir()),
}
"""Other ways to ask for the state of files."""


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_asked_in_other_ways_is_not_recorded(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("first")
    VIEW[:] = [shown(UNSEEN[name], file)]
    visitor = Visitor()
    for _ in range(3):
        visitor.get("/")
    assert RUNS["/"] == 3


def test_an_event_of_python_s_that_nobody_knows_keeps_a_page_from_being_recorded() -> None:
    VIEW[:] = [lambda: sys.audit("new.kind.of.outside")]
    visitor = Visitor()
    for _ in range(3):
        answer = visitor.get("/")
    assert "new.kind.of.outside" in answer.headers["Cache-Status"]
    assert RUNS["/"] == 3


CHANGES: dict[str, Callable[[Path], Any]] = {
    "touched": lambda file: file.touch(),
    "renamed": lambda file: os.rename(file, file.with_suffix(".new")),
    "removed": lambda file: os.remove(file),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_page_that_changes_files_needs_its_view(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.txt"

    def change() -> str:
        if not fresh:
            return "nothing"
        CHANGES[name](fresh.pop())
        return "changed"

    fresh: list[Path] = []
    VIEW[:] = [change]
    visitor = Visitor()
    for _ in range(3):
        file.write_text("first")
        fresh[:] = [file]
        visitor.get("/")
    assert RUNS["/"] == 3


def test_a_server_that_shows_that_it_lives_is_no_matter(tmp_path: Path) -> None:
    """gunicorn's workers touch a file now and then, in a thread of their own."""
    file = tmp_path / "heartbeat"
    file.touch()

    def beat() -> str:
        elsewhere(lambda: os.utime(file, (1, 1)))
        return "the same"

    VIEW[:] = [beat]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")


def test_a_defect_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notmodified.reads.inputs.files.answer", lambda question: True)
    assert files.answer("exists x")
    with pytest.raises(AssertionError):
        test_it_is_asked_again("exists", tmp_path)
