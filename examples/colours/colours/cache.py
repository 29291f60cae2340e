"""A cache in files in which one of several processes can be first.

Django's file cache looks whether a key is there, and then writes it, so of two writers at once both
may believe that they were first. The writers of ``notmodified`` take slots by being first; here a
lock makes sure. It serves one machine with nothing to install; use Redis or memcached where there
are more.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.cache.backends.filebased import FileBasedCache


class LockedFileCache(FileBasedCache):
    """Django's file cache with an exclusive lock around ``add``."""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        directory = Path(self._dir)
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # freed when the file is closed, or its process dies
            yield

    def add(self, *args: Any, **kwargs: Any) -> bool:
        with self._locked():
            return super().add(*args, **kwargs)
