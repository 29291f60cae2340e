"""The running code and templates, as one short text that is another one after a deployment.

Rules of this module:

- It is the same on every machine that runs the same: of files the names and the content count, not
  their times, and nothing of the environment does.
- The project's own files are read; of installed packages the versions count.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import django
from django.apps import apps
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.autoreload import file_changed

from notmodified import conf

AUTO: Final = "auto"

_CODE: Final = frozenset(
    {".py", ".mo", ".html", ".htm", ".txt", ".xml", ".jinja", ".jinja2", ".j2"}
)
_TEMPLATES: Final = frozenset({"templates", "jinja2"})
"""In directories of these names, every file counts."""
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules", "static", "media", "tests"})


def build() -> str:
    """What the setting ``BUILD`` says, or the fingerprint of what runs."""
    said = conf.current().BUILD
    return fingerprint() if said == AUTO else said


@cache
def fingerprint() -> str:
    """A hash of the project's code, templates and translations, and of the versions of what is
    installed."""
    found = blake2b(digest_size=8)
    for text in (sys.version, django.__version__, *sorted(_installed())):
        found.update(text.encode() + b"\0")
    for name, path in sorted(_files()):
        found.update(name.encode() + b"\0")
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def _installed() -> Iterator[str]:
    for distribution in metadata.distributions():
        yield f"{distribution.metadata['Name']}=={distribution.version}"


def _files() -> Iterator[tuple[str, Path]]:
    """The project's files, each with a name that does not tell where on a machine it is."""
    seen: set[Path] = set()
    for root in _roots():
        for path in _below(root):
            if path not in seen:
                seen.add(path)
                yield f"{root.name}/{path.relative_to(root).as_posix()}", path


def _roots() -> Iterable[Path]:
    """The directories of the project: those of its apps, of its settings and of its templates."""
    directories = [config.path for config in apps.get_app_configs()]
    engines: list[Any] = settings.TEMPLATES
    directories += [directory for engine in engines for directory in engine.get("DIRS", ())]
    directories += settings.LOCALE_PATHS
    for name in (os.environ.get("DJANGO_SETTINGS_MODULE"), getattr(settings, "ROOT_URLCONF", None)):
        module: Any = sys.modules.get(str(name))
        if getattr(module, "__file__", None):
            directories.append(os.path.dirname(module.__file__))
    packages = {Path(path).resolve() for path in sys.path if path.endswith("-packages")}
    for directory in dict.fromkeys(Path(one).resolve() for one in directories):
        if packages.isdisjoint(directory.parents):
            yield directory


def _below(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        names[:] = sorted(
            name for name in names if name not in _LEFT_OUT and not name.startswith(".")
        )
        is_of_templates = not _TEMPLATES.isdisjoint(Path(directory).relative_to(root.parent).parts)
        for name in sorted(files):
            if name.startswith("."):
                continue
            if is_of_templates or os.path.splitext(name)[1] in _CODE:
                yield Path(directory, name)


@receiver(file_changed)
def _code_changed(**kwargs: Any) -> None:
    """Under ``runserver`` templates change without a restart."""
    fingerprint.cache_clear()


@receiver(setting_changed)
def _settings_changed(*, setting: str, **kwargs: Any) -> None:
    if setting in ("INSTALLED_APPS", "TEMPLATES", "LOCALE_PATHS"):
        fingerprint.cache_clear()
