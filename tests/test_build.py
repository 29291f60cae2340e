"""A deployment has another fingerprint; a restart, and another machine, the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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


def test_another_version_of_a_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = taken()
    monkeypatch.setattr(module, "_installed", lambda: iter(["shop==2"]))
    assert taken() != before


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
