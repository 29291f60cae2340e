"""The project that is measured: Django's default middleware, a page of 200 rows, and validators.

Every URL is called through Django's WSGI handler in this process, so that what is compared is the
work of Django and of the package, and not of sockets.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators import http

from notmodified import decorators
from notmodified.validators import combine, content, field, table, token

SECRET_KEY = "benchmarks only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "notmodified",
    "tests.site",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["BENCH_DATABASE"],
        "CONN_MAX_AGE": None,
    }
}
BACKENDS = {
    "memcached": ("memcached.PyLibMCCache", os.environ.get("NOTMODIFIED_MEMCACHED", "")),
    "redis": ("redis.RedisCache", os.environ.get("NOTMODIFIED_REDIS_URL", "")),
    "locmem": ("locmem.LocMemCache", ""),
}
CACHES = {
    name: {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": location}
    for name, (backend, location) in BACKENDS.items()
    if location or name == "locmem"
}
CACHES["default"] = CACHES[os.environ.get("BENCH_CACHE", "locmem")]
NOTMODIFIED = {"WATCH": ["site.Shelf", "site.Book"]}
SILENCED_SYSTEM_CHECKS = ["notmodified.E003"]


def books(request: HttpRequest) -> HttpResponse:
    from tests.site.models import Book

    return JsonResponse({"books": list(Book.objects.values("id", "title", "copies")[:200])})


def empty_304(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=304)


def cached_304(request: HttpRequest) -> HttpResponse:
    """What a hand-written token in the cache costs: one ``get``."""
    from django.core.cache import cache

    cache.get("benchmark")
    return HttpResponse(status=304)


def cached(request: HttpRequest) -> str:
    """The practice by hand: a token in the cache, found by Django's own means."""
    from django.core.cache import cache as django_cache

    return str(django_cache.get_or_set("token", "v1"))


def held_304(request: HttpRequest) -> HttpResponse:
    """The floor: one trip to the cache server for two keys, by a client that is held."""
    _held_question()
    return HttpResponse(status=304)


@cache
def _held() -> Callable[[], object]:
    from django.core.cache import cache as django_cache

    if isinstance(django_cache._cache, dict):  # type: ignore[attr-defined]
        return lambda: None  # the process's own memory
    if "redis" in CACHES["default"]["BACKEND"]:
        from redis import Redis

        connection = Redis.from_url(CACHES["default"]["LOCATION"]).connection_pool.make_connection()
        packed = connection.pack_command("MGET", "one", "two")

        def ask() -> object:
            connection.send_packed_command(packed)
            return connection.read_response()

        return ask
    client = django_cache._cache  # type: ignore[attr-defined]
    return lambda: client.get_multi(["one", "two"])


def _held_question() -> object:
    return _held()()


def _book() -> Any:
    from tests.site.models import Book

    return Book


def _shelf_one(request: HttpRequest) -> Any:
    from tests.site.models import Shelf

    return [Shelf.objects.get(pk=1)]


def constant(request: HttpRequest) -> str:
    return "v1"


@cache
def views() -> dict[str, Any]:
    """Made late: models can be imported only once the apps are ready."""
    book = _book()
    return {
        "plain": books,
        "empty-304": empty_304,
        "cached-304": cached_304,
        "held-304": held_304,
        "django-condition": http.etag(constant)(books),
        "django-token": http.etag(cached)(books),
        "condition": decorators.etag(constant)(books),
        "content": decorators.etag(content())(books),
        "field": decorators.etag(field(book))(books),
        "field-one": decorators.etag(field(lambda request: book.objects.filter(pk=1)))(books),
        "token": decorators.etag(token(_shelf_one))(books),
        "table": decorators.etag(table(book))(books),
        "combine": decorators.etag(combine(token(_shelf_one), constant))(books),
    }


def chosen(request: HttpRequest, name: str) -> HttpResponse:
    """One pattern for all: Django tries patterns in turn, and the last would look slow."""
    return views()[name](request)  # type: ignore[no-any-return]


urlpatterns = [path("<str:name>/", chosen)]


def application() -> WSGIHandler:
    """The project, set up and filled."""
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from tests.site.models import Book, Shelf

    if not Book.objects.exists():
        Shelf.objects.create(pk=1, name="one")
        Book.objects.bulk_create(Book(title=f"Book {n}", copies=n) for n in range(1000))
    return WSGIHandler()


def caller(
    handler: Callable[..., Any], name: str, tag: str | None
) -> Callable[[], tuple[str, str]]:
    """A function that sends one GET, and gives its status and ETag."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/{name}/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if tag is not None:
        environ["HTTP_IF_NONE_MATCH"] = tag
    answer = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
        answer["status"] = status
        answer["tag"] = dict(headers).get("ETag", "")

    def call() -> tuple[str, str]:
        response = handler(dict(environ), start_response)
        for _ in response:
            pass
        if hasattr(response, "close"):
            response.close()
        return answer["status"], answer["tag"]

    return call
