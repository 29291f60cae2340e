"""Pages that show whether a file is there, how large it is and when it was written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse
from django.urls import path

from notmodified.reads import files
from tests.automatic.visits import Visitor, counted, recorded_site

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


def test_a_defect_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notmodified.reads.inputs.files.answer", lambda question: True)
    assert files.answer("exists x")
    with pytest.raises(AssertionError):
        test_it_is_asked_again("exists", tmp_path)
