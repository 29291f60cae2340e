"""A deployment has another fingerprint; a restart, and another machine, the same."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.apps import AppConfig, apps
from django.test import override_settings
from django.utils.autoreload import file_changed

from notmodified import build as module
from notmodified.build import build, fingerprint

BACKEND = "django.template.backends.django.DjangoTemplates"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A directory of templates, as one of a project's roots."""
    root = tmp_path / "here" / "templates"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "page.html").write_text("first")
    (root / "shop" / "logo.svg").write_text("first")
    (root / "__pycache__").mkdir()
    with override_settings(TEMPLATES=[{"BACKEND": BACKEND, "DIRS": [root]}]):
        yield root


def taken() -> str:
    fingerprint.cache_clear()
    return fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "shop" / "page.html").write_text("second"),
        lambda root: (root / "shop" / "logo.svg").write_text("second"),
        lambda root: (root / "shop" / "page.html").rename(root / "shop" / "other.html"),
        lambda root: (root / "new.html").write_text(""),
        lambda root: (root / "shop" / "page.html").unlink(),
    ],
)
def test_another_release(project: Path, change: Any) -> None:
    before = taken()
    change(project)
    assert taken() != before


class TestThePartsOfAProject:
    """Its code is that of its apps, what stands beside its settings, and beside its URLs."""

    @pytest.fixture(params=["app", "settings", "urls"])
    def part(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Path]:
        """The directory of a package which is that."""
        kind = request.param
        root = tmp_path / f"a_{kind}"
        for name in ("__init__", kind, "other"):
            root.mkdir(exist_ok=True)
            (root / f"{name}.py").write_text("first = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        module = importlib.import_module(f"{root.name}.{kind}")
        with ExitStack() as stack:
            if kind == "app":
                config = AppConfig(root.name, sys.modules[root.name])
                monkeypatch.setitem(apps.app_configs, root.name, config)
            elif kind == "settings":
                monkeypatch.setenv("DJANGO_SETTINGS_MODULE", module.__name__)
            else:
                stack.enter_context(override_settings(ROOT_URLCONF=module.__name__))
            yield root
        for name in (root.name, module.__name__):
            del sys.modules[name]

    @pytest.mark.parametrize("name", ["__init__.py", "other.py", "deeper/new.py", "de/django.mo"])
    def test_another_release_of_it(self, part: Path, name: str) -> None:
        before = taken()
        (part / name).parent.mkdir(exist_ok=True)
        (part / name).write_text("second = 2\n")
        assert taken() != before

    def test_a_module_that_goes(self, part: Path) -> None:
        before = taken()
        (part / "other.py").unlink()
        assert taken() != before

    @pytest.mark.parametrize(
        "name", ["tests/other.py", "static/page.html", "media/page.html", ".git/x.py", "notes.md"]
    )
    def test_what_is_no_part_of_the_running_code(self, part: Path, name: str) -> None:
        before = taken()
        (part / name).parent.mkdir(exist_ok=True)
        (part / name).write_text("nobody's")
        assert taken() == before

    def test_the_times_of_its_files(self, part: Path) -> None:
        before = taken()
        for file in part.iterdir():
            os.utime(file, (1, 1))
        assert taken() == before


def test_another_version_of_a_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = taken()
    monkeypatch.setattr(module, "_installed", lambda: iter(["shop==2"]))
    assert taken() != before


def test_every_package_that_is_installed_counts() -> None:
    assert f"pytest=={pytest.__version__}" in set(module._installed())


def test_the_same_release_elsewhere(project: Path, tmp_path: Path) -> None:
    before = taken()
    os.utime(project / "shop" / "page.html", (1, 1))
    (project / "__pycache__" / "page.html").write_text("nobody's")
    (project / ".page.html.swp").write_text("nobody's")
    elsewhere = tmp_path / "there" / "templates"
    shutil.copytree(project, elsewhere)
    with override_settings(TEMPLATES=[{"BACKEND": BACKEND, "DIRS": [elsewhere]}]):
        assert taken() == before


def test_a_template_that_changes_under_runserver(project: Path) -> None:
    before = taken()
    (project / "shop" / "page.html").write_text("second")
    assert fingerprint() == before
    file_changed.send(sender=None, file_path=project / "shop" / "page.html", kind="change")
    assert fingerprint() != before


def test_the_site_may_say_itself_what_runs() -> None:
    for said in ("", "2026.1"):
        with override_settings(NOTMODIFIED={"BUILD": said}):
            assert build() == said
    with override_settings(NOTMODIFIED={}):
        assert build() == fingerprint()
