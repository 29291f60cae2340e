"""From the environment to settings: the database, the cache, and the build."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

DAY = 24 * 60 * 60

_ENGINES = {"postgresql": "postgresql", "mysql": "mysql"}


def database(text: str | None, state: Path) -> dict[str, Any]:
    """A DATABASES entry for a URL or a path; by default a file in `state`."""
    parts = urlsplit(text or "")
    if parts.scheme in _ENGINES:
        return {
            "ENGINE": f"django.db.backends.{_ENGINES[parts.scheme]}",
            "NAME": parts.path.lstrip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
        }
    state.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": text or state / "colours.sqlite3",
        "OPTIONS": {"timeout": 20},
        "CONN_MAX_AGE": 60,
    }


def caches(redis_url: str | None, state: Path) -> dict[str, Any]:
    """A CACHES setting whose cache all processes share."""
    if redis_url:
        return {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": redis_url,
            }
        }
    return {
        "default": {
            "BACKEND": "colours.cache.LockedFileCache",
            "LOCATION": state / "cache",
            # As long as the marks of writers may live: counting sets a key's time anew.
            "TIMEOUT": DAY,
            # A full cache drops entries at random, and must not drop marks.
            "OPTIONS": {"MAX_ENTRIES": 1_000_000},
        }
    }


def build_of(directory: Path) -> str:
    """A text that changes when code, templates or translations under `directory` do."""
    hash_ = blake2b(digest_size=8)
    for path in sorted(directory.rglob("*")):
        if path.suffix in (".py", ".html", ".mo"):
            stat = path.stat()
            hash_.update(f"{path.relative_to(directory)} {stat.st_mtime_ns}\n".encode())
    return hash_.hexdigest()
