"""Pages that are made from templates: which one is chosen, what their context processors add, and
what becomes of one whose file changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string, select_template
from django.test import override_settings
from django.urls import path
from django.utils.autoreload import file_changed

from notmodified.exchange import automatic
from notmodified.reads import inputs
from notmodified.reads.recorder import Recorder
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.models import Shelf

DJANGO = "django.template.backends.django.DjangoTemplates"
JINJA = "django.template.backends.jinja2.Jinja2"
UNCACHED = {"loaders": ["django.template.loaders.filesystem.Loader"]}


def by_row(request: HttpRequest) -> HttpResponse:
    shelf = Shelf.objects.get(pk=1)
    template = select_template([f"{shelf.name}.html", "page.html"])
    return HttpResponse(template.render({}, request))


def by_header(request: HttpRequest) -> HttpResponse:
    device = request.headers.get("X-Device")
    return HttpResponse(select_template([f"{device}.html", "page.html"]).render({}, request))


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(render_to_string("page.html", {}, request))


urlpatterns = [path(f"{view.__name__}/", counted(view)) for view in (by_row, by_header, page)]


def shelves(request: HttpRequest) -> dict[str, Any]:
    """As most do, it leaves it to the template whether the database is asked."""
    return {"shelves": Shelf.objects.order_by("pk")}


def how_many(request: HttpRequest) -> dict[str, Any]:
    return {"how_many": Shelf.objects.count()}


def device(request: HttpRequest) -> dict[str, Any]:
    return {"device": request.headers.get("X-Device", "none")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text("a page")
    return tmp_path


@pytest.fixture(autouse=True)
def site(log: None, folder: Path) -> Iterator[None]:
    Shelf.objects.create(pk=1, name="novels")
    with recorded_site(__name__), templates(folder):
        yield


def templates(folder: Path, *processors: str, backend: str = DJANGO, **options: Any) -> Any:
    """The settings of templates in `folder`, with context `processors` of this module."""
    if processors:
        options["context_processors"] = [f"{__name__}.{name}" for name in processors]
    return override_settings(TEMPLATES=[{"BACKEND": backend, "DIRS": [folder], "OPTIONS": options}])


class TestWhichIsChosen:
    def test_by_a_row(self, folder: Path) -> None:
        (folder / "plays.html").write_text("of plays")
        visitor = Visitor()
        assert visitor.get("/by_row/").content == b"a page"
        assert visitor.is_answered_without_view("/by_row/")
        Shelf.objects.update(name="plays")
        assert visitor.get("/by_row/").content == b"of plays"
        assert visitor.is_answered_without_view("/by_row/")

    def test_by_a_header(self, folder: Path) -> None:
        (folder / "phone.html").write_text("small")
        phone, other = Visitor(**{"X-Device": "phone"}), Visitor()
        assert phone.get("/by_header/").content == b"small"
        assert other.get("/by_header/").content == b"a page"
        assert phone.is_answered_without_view("/by_header/")
        assert other.is_answered_without_view("/by_header/")
        assert RUNS["/by_header/"] == 2


class TestContextProcessors:
    @pytest.mark.parametrize(
        ("processor", "template"),
        [("shelves", "{% for one in shelves %}x{% endfor %}"), ("how_many", "{{ how_many }}")],
    )
    def test_one_that_asks_the_database(self, processor: str, template: str, folder: Path) -> None:
        (folder / "page.html").write_text(template)
        with templates(folder, processor):
            visitor = Visitor()
            first = visitor.get("/page/").content
            assert visitor.is_answered_without_view("/page/")
            Shelf.objects.create(name="plays")
            assert visitor.get("/page/").content != first
            assert visitor.is_answered_without_view("/page/")

    def test_one_whose_query_no_template_makes(self, folder: Path) -> None:
        with templates(folder, "shelves"):
            visitor = Visitor()
            visitor.get("/page/")
            Shelf.objects.create(name="plays")
            assert visitor.is_answered_without_view("/page/")

    def test_one_that_reads_a_header(self, folder: Path) -> None:
        (folder / "page.html").write_text("for {{ device }}")
        with templates(folder, "device"):
            phone, other = Visitor(**{"X-Device": "phone"}), Visitor()
            answer = phone.get("/page/")
            assert answer.content == b"for phone"
            headers = {"If-None-Match": answer.headers["ETag"]}
            assert other.get("/page/", **headers).content == b"for none"
            assert phone.is_answered_without_view("/page/")
            assert other.is_answered_without_view("/page/")
            assert "X-Device" in answer.headers["Vary"]


class TestFilesThatChange:
    """While a site is developed; in production a template is part of the code."""

    def test_templates_that_nobody_keeps_are_files(self, folder: Path) -> None:
        with templates(folder, **UNCACHED), override_settings(DEBUG=True):
            visitor = Visitor()
            for _ in range(2):
                answer = visitor.get("/page/")
            assert "not recorded: a file" in answer.headers["Cache-Status"]
            (folder / "page.html").write_text("another page")
            assert visitor.get("/page/").content == b"another page"

    def test_under_runserver_those_that_are_kept_are_read_anew(self, folder: Path) -> None:
        with override_settings(DEBUG=True):
            visitor = Visitor()
            visitor.get("/page/")
            assert visitor.is_answered_without_view("/page/")
            (folder / "page.html").write_text("another page")
            file_changed.send(sender=None, file_path=folder / "page.html", kind="change")
            assert visitor.get("/page/").content == b"another page"
            assert visitor.is_answered_without_view("/page/")

    def test_jinja_where_it_looks_after_them_itself(self, folder: Path) -> None:
        pytest.importorskip("jinja2")
        with templates(folder, backend=JINJA, auto_reload=True):
            visitor = Visitor()
            for _ in range(2):
                answer = visitor.get("/page/")
            assert "(TEMPLATES)" in answer.headers["Cache-Status"]
            (folder / "page.html").write_text("another page")
            assert visitor.get("/page/").content == b"another page"

    def test_jinja_where_it_does_not(self, folder: Path) -> None:
        pytest.importorskip("jinja2")
        with templates(folder, backend=JINJA, auto_reload=False):
            visitor = Visitor()
            for _ in range(2):  # the first reads the file
                visitor.get("/page/")
            assert visitor.is_answered_without_view("/page/")


DEFECTS: dict[str, tuple[Any, str, Any, Callable[[Path], None]]] = {
    "queries are nobody's business": (
        Recorder,
        "read",
        lambda self, *args, **kwargs: None,
        lambda folder: TestWhichIsChosen().test_by_a_row(folder),
    ),
    "headers are nobody's business": (
        inputs._Noted,
        "note_value",
        lambda self, name: None,
        lambda folder: TestContextProcessors().test_one_that_reads_a_header(folder),
    ),
    "records stay when files change": (
        automatic.RECORDS,
        "forget",
        lambda: None,
        lambda folder: TestFilesThatChange().test_under_runserver_those_that_are_kept_are_read_anew(
            folder
        ),
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, attribute, defect, show = DEFECTS[name]
    monkeypatch.setattr(holder, attribute, defect)
    with pytest.raises(AssertionError):
        show(folder)
