"""What the settings of the sites have in common: Django's apps and middleware behind ours, a
database and a cache below a directory, two languages.
"""

from pathlib import Path
from typing import Any

DEBUG = False
SECRET_KEY = "tests only"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "notmodified",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "notmodified.middleware.NotModifiedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

NOTMODIFIED = {"CACHE_STATUS": True, "NEVER_CACHE": "revalidate"}
# Nothing here watches a model with tokens, which is what a cache of files is too weak for.
SILENCED_SYSTEM_CHECKS = ["notmodified.E003"]

LANGUAGES = [("en", "English"), ("de", "Deutsch")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
MEDIA_URL = "/media/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def templates(*context_processors: str) -> list[dict[str, Any]]:
    """Django's templates, in which every page may know who asks."""
    known = [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": [*known, *context_processors]},
        }
    ]


def databases(file: Path, **more: Any) -> dict[str, Any]:
    """One of SQLite, with a write-ahead log."""
    options = {
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
        # Pages that write while they are shown wait for their turn, instead of an error.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
    engine = "django.db.backends.sqlite3"
    found = {"ENGINE": engine, "NAME": file, "CONN_MAX_AGE": None, "OPTIONS": options}
    return {"default": found | more}


def caches(directory: Path) -> dict[str, Any]:
    """One that all processes share."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    return {"default": {"BACKEND": backend, "LOCATION": directory}}
