"""Every block of code in the documentation is run, or is of a kind that has nothing to run.

The kinds of ``python`` blocks, said in the comment above each:

- ``settings``: run after the defaults of ``startproject``; what comes out must be accepted.
- ``models``: run as the models of an app.
- ``wsgi``: run, and asked for a page.
- ``views``, ``urls``, ``shell``: run in the namespace of the page, in this order of appearance.
  ``try="EXPRESSION"`` is evaluated with a ``request``, twice: 200 with an ETag, then 304 under it;
  ``date="EXPRESSION"`` likewise with Last-Modified; ``get="/path/"`` asks ``urlpatterns`` so.

The app ``library`` of the examples is ``tests.site``: its models have the same names.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import get_commands, load_command_class
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client, RequestFactory, override_settings
from django.test.utils import isolate_apps
from django.urls import clear_url_caches
from django.utils.module_loading import import_string

from notmodified import conf
from notmodified.conformance.__main__ import _parser
from tests.docs.pages import ROOT, Block, blocks, number_of_comments, pages
from tests.site import models
from tests.site.models import Book, Shelf, Tag

NOTHING_TO_RUN = {"http", "nginx", "apache", "text"}
"""Languages of blocks that show what is sent, or configure other programs."""

NOT_OURS = {"curl"}
"""Programs in ``console`` blocks whose options are their own business."""

MIDDLEWARE = "notmodified.middleware.NotModifiedMiddleware"

_ALL = [block for page in pages() for block in blocks(page)]
_CONSOLE = [block for block in _ALL if block.language == "console"]
_PAGES = [page for page in pages() if any(b.language == "python" for b in blocks(page))]


def test_every_block_is_of_a_kind_known_here() -> None:
    for block in _ALL:
        assert block.language in {"python", "console"} | NOTHING_TO_RUN, block
        if block.language == "python":
            assert block.kind in KINDS, f"{block}: say in a comment above it how it is run"
    for page in pages():
        assert number_of_comments(page) == sum(bool(block.kind) for block in blocks(page)), page


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The app of the examples, with something in it."""
    package = ModuleType("library")
    package.models = models  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "library", package)
    monkeypatch.setitem(sys.modules, "library.models", models)
    User.objects.create(pk=1, username="ada")
    Shelf.objects.create(pk=1, name="Poetry")
    Tag.objects.create(pk=1, name="short")
    Book.objects.create(pk=1, title="Sonnets", shelf_id=1).tags.add(1)
    return package


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch, library: ModuleType) -> dict[str, Any]:
    """What the blocks of one page share: a module, importable as ``library.views``."""
    views = ModuleType("library.views")
    views.urlpatterns = []  # type: ignore[attr-defined]
    library.views = views  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "library.views", views)
    return vars(views)


@pytest.fixture
def shared_cache(tmp_path: Path) -> Iterator[None]:
    """A cache that several processes could share."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}):
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("shared_cache")
@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python(page: Path, namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ran = 0
    for block in blocks(page):
        if block.language == "python":
            try:
                KINDS[block.kind](block, namespace)
            except Exception as error:
                error.add_note(f"In {block}.")
                raise
            ran += 1
    assert ran == sum(block.language == "python" for block in blocks(page))


def run_settings(block: Block, namespace: dict[str, Any]) -> None:
    found: dict[str, Any] = {
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes"],
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
    }
    exec(_compiled(block), found)
    for name in found["MIDDLEWARE"]:
        import_string(name)
    for app in found["INSTALLED_APPS"]:
        __import__(app)
    if MIDDLEWARE in found["MIDDLEWARE"]:
        assert found["MIDDLEWARE"][0] == MIDDLEWARE
    stated = conf.read(found.get("NOTMODIFIED", {}))
    for label in stated.WATCH:
        apps.get_model(label.replace("library.", "site."))
    for cache in found.get("CACHES", {}).values():
        import_string(cache["BACKEND"])


def run_models(block: Block, namespace: dict[str, Any]) -> None:
    with isolate_apps("tests.site"):
        found = {"__name__": "tests.site.models"}
        exec(_compiled(block), found)
        for model in found.values():
            if hasattr(model, "_meta") and not model._meta.abstract:
                assert not [m for m in model.check() if m.is_serious()], model


def run_code(block: Block, namespace: dict[str, Any]) -> None:
    exec(_compiled(block), namespace)
    for name, condition in (
        ("try", ("ETag", "If-None-Match")),
        ("date", ("Last-Modified", "If-Modified-Since")),
    ):
        if expression := block.options.get(name):
            _come_back(lambda fields, e=expression: _evaluated(e, namespace, fields), *condition)
    if path := block.options.get("get"):
        clear_url_caches()
        with override_settings(ROOT_URLCONF="library.views", MIDDLEWARE=[MIDDLEWARE]):
            client = Client()
            _come_back(lambda fields: client.get(path, headers=fields), "ETag", "If-None-Match")
        clear_url_caches()


def run_wsgi(block: Block, namespace: dict[str, Any]) -> None:
    found: dict[str, Any] = {}
    exec(_compiled(block), found)
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    said: list[str] = []
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)  # the test's own is to stay
    body = found["application"](environ, lambda status, fields, *rest: said.append(status))
    getattr(body, "close", lambda: None)()
    for signal in signals:
        signal.connect(close_old_connections)
    assert said == ["404 Not Found"]  # the tests' project has no pages


KINDS = {
    "settings": run_settings,
    "wsgi": run_wsgi,
    "models": run_models,
    "views": run_code,
    "urls": run_code,
    "shell": run_code,
}


def _compiled(block: Block) -> Any:
    return compile("\n" * block.line + block.code, str(block.page), "exec")


def _evaluated(expression: str, namespace: dict[str, Any], fields: dict[str, str]) -> Any:
    request = RequestFactory().get("/", headers=fields)
    request.user = User.objects.get(pk=1)
    response = eval(expression, namespace | {"request": request})
    if asyncio.iscoroutine(response):
        response = async_to_sync(_awaited)(response)
    return response.render() if hasattr(response, "render") else response


async def _awaited(response: Any) -> Any:
    return await response


def _come_back(visit: Any, validator: str, condition: str) -> None:
    """A first visit with a validator, a second one with a 304."""
    full = visit({})
    assert full.status_code == 200
    assert validator in full, "no validator"
    assert visit({condition: full[validator]}).status_code == 304


@pytest.mark.parametrize("block", _CONSOLE, ids=str)
def test_console(block: Block) -> None:
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", block.code, re.MULTILINE)
    assert commands, "a console block shows a command"
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "), comments=True)
        if words[:3] == ["python", "-m", "notmodified.conformance"]:
            _parser().parse_args(words[3:])
        elif "manage.py" in words[:2]:
            _check_manage(words[words.index("manage.py") + 1 :])
        elif words[0] == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(), words
        elif words[:2] == ["pip", "install"]:
            _check_requirement(words[-1])
        elif (ROOT / words[0]).is_file():
            pass  # a script of the repository
        else:
            assert words[0] in NOT_OURS, f"{words[0]}: check it here"


def _check_manage(words: list[str]) -> None:
    name, *arguments = words
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser: ArgumentParser = command.create_parser("manage.py", name)
    parser.parse_args(arguments)


def _check_requirement(requirement: str) -> None:
    match = re.fullmatch(r"(?:django-notmodified|\.)(?:\[([a-z,]+)\])?", requirement)
    assert match is not None
    extras = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
    for extra in filter(None, (match[1] or "").split(",")):
        assert re.search(rf"^{extra} = ", extras, re.MULTILINE), extra
