"""A project without a single decorator, for servers under stress: settings, views, application."""

from __future__ import annotations

import os
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

from notmodified.wsgi import get_wsgi_application
from tests.settings import database

SECRET_KEY = "tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "notmodified",
    "tests.site",
]
MIDDLEWARE = [
    "notmodified.middleware.NotModifiedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
_url = os.environ.get("TESTS_DATABASE_URL", "sqlite:///")
DATABASES: dict[str, Any] = {"default": database(_url)}
if _url.startswith("sqlite"):
    DATABASES["default"]["NAME"] = "/" + DATABASES["default"]["NAME"]
    DATABASES["default"]["OPTIONS"] = {"timeout": 20}
elif os.environ.get("TESTS_ISOLATION"):
    from psycopg import IsolationLevel

    level = IsolationLevel[os.environ["TESTS_ISOLATION"]]
    DATABASES["default"]["OPTIONS"] = {"isolation_level": level}

if os.environ.get("TESTS_POOLED"):
    # Behind a pooler, as Django's documentation asks for.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
    DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ["TESTS_POOLED"])

NOTMODIFIED = {
    "LEDGER": os.environ.get("TESTS_LEDGER", "auto"),
    "SHARED_DIRECTORY": os.environ.get("TESTS_SHARED_DIRECTORY", ""),
}


def one(request: HttpRequest, pk: int) -> HttpResponse:
    from tests.site.models import Shelf

    return HttpResponse(" ".join(Shelf.objects.filter(pk=pk).values_list("name", flat=True)))


def pair(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """Two queries in one transaction, and so perhaps in one snapshot."""
    from tests.site.models import Shelf

    with transaction.atomic():
        return HttpResponse(f"{Shelf.objects.get(pk=pk).name} {Shelf.objects.get(pk=other).name}")


def every(request: HttpRequest) -> HttpResponse:
    from tests.site.models import Shelf

    return HttpResponse(" ".join(Shelf.objects.order_by("pk").values_list("name", flat=True)))


def related(request: HttpRequest, pk: int) -> HttpResponse:
    """A book, and by its row the shelf that it stands on."""
    from tests.site.models import Book

    book = Book.objects.select_related("shelf").get(pk=pk)
    assert book.shelf is not None
    return HttpResponse(book.shelf.name)


urlpatterns = [
    path("one/<int:pk>/", one),
    path("pair/<int:pk>/<int:other>/", pair),
    path("every/", every),
    path("related/<int:pk>/", related),
]
application = get_wsgi_application()

_DEFECT = os.environ.get("TESTS_DEFECT")
if _DEFECT == "unmarked":
    from notmodified.writes.claims import SharedClaim

    SharedClaim.is_wanted = lambda self: False  # type: ignore[method-assign]
elif _DEFECT == "uncounted":
    from notmodified.ledger.shared import memory

    _take_away = memory.SharedMemory._take_away

    def _uncounted(self: Any, place: int) -> None:
        before = self._words[memory._SEQUENCE]
        _take_away(self, place)
        self._words[memory._SEQUENCE] = before

    memory.SharedMemory._take_away = _uncounted  # type: ignore[method-assign]
elif _DEFECT:
    # For the proof that the stress would find it: the end of the recording is not judged.
    from notmodified.exchange import automatic

    def unproved(read: Any) -> Any:
        [found] = {snapshot.database for snapshot in read.at.values()}
        with found._lock:
            return automatic.Proof.of(found, read.keys, found._ledger.position())

    automatic._proof = unproved
