"""The project under which the tests run; real servers come in by the environment.

``scripts/services env`` prints the variables. Without them the database is SQLite, and the tests
marked ``services`` say that they were left out.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

SECRET_KEY = "tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.site.urls"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.sites",
    "notmodified",
    "tests.site",
]
# The tests run in one process; tests/test_checks.py shows the check itself.
SILENCED_SYSTEM_CHECKS = ["notmodified.E003"]
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
NOTMODIFIED = {
    "WATCH": ["site.Shelf", "site.Book", "site.Tag", "site.Child"],
}

_ENGINES = {"postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite3"}


def database(url: str) -> dict[str, object]:
    """A DATABASES entry for a URL such as ``postgresql://user@127.0.0.1:5432/name``."""
    parts = urlsplit(url)
    return {
        "ENGINE": f"django.db.backends.{_ENGINES[parts.scheme]}",
        "NAME": parts.path[1:],
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


_url = os.environ.get("NOTMODIFIED_TEST_DATABASE", "")
DATABASES = {
    "default": database(_url)
    if _url
    else {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).parent / "tests.sqlite3",
        "TEST": {
            "NAME": os.environ.get(
                "NOTMODIFIED_TEST_SQLITE", str(Path(__file__).parent / "test.sqlite3")
            )
        },
        "OPTIONS": {"timeout": 20},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    "database": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}
if memcached := os.environ.get("NOTMODIFIED_MEMCACHED"):
    CACHES["memcached"] = {
        "BACKEND": "django.core.cache.backends.memcached.PyLibMCCache",
        "LOCATION": memcached,
        # Without any, pylibmc 1.6.3 makes Python 3.13 complain of its own call.
        "OPTIONS": {"behaviors": {"tcp_nodelay": True}},
    }
if redis := os.environ.get("NOTMODIFIED_REDIS_URL"):
    CACHES["redis"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis,
    }
