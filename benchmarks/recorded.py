"""The project whose pages are recorded: our middleware before Django's default, and plain views.

Rules of this module:

- It is its own settings and URLs; the database is the one of ``BENCH_DATABASE``, a URL.
- No view knows of the package.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from tests.settings import database

from benchmarks.project import (
    ALLOWED_HOSTS,
    DEBUG,
    DEFAULT_AUTO_FIELD,
    SECRET_KEY,
    USE_TZ,
    caller,
    empty_304,
)
from benchmarks.project import MIDDLEWARE as DEFAULT_MIDDLEWARE

__all__ = ["ALLOWED_HOSTS", "DEBUG", "DEFAULT_AUTO_FIELD", "SECRET_KEY", "USE_TZ"]

ROOT_URLCONF = __name__
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "notmodified",
    "benchmarks",
]
MIDDLEWARE = ["notmodified.middleware.NotModifiedMiddleware", *DEFAULT_MIDDLEWARE]
DATABASES = {"default": database(os.environ["BENCH_DATABASE"]) | {"CONN_MAX_AGE": None}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {"timeout": 20}
SILENCED_SYSTEM_CHECKS = ["notmodified.E003"]
NOTMODIFIED: dict[str, Any] = {}
_PAGE = """<!DOCTYPE html><title>{{ article.title }}</title>
<h1>{{ article.title }}</h1><p>by {{ article.author.name }}</p><p>{{ article.body }}</p>
{% for tag in tags %}<a href="/tag/{{ tag.pk }}/">{{ tag.name }}</a>{% endfor %}
<p>{{ count }}</p>
{% for comment in comments %}<p>{{ comment.text }} {{ comment.author.name }}</p>{% endfor %}
<ul>{% for one in latest %}<li><a href="/{{ one.pk }}/">{{ one.title }}</a></li>{% endfor %}</ul>
"""
_LIST = """<!DOCTYPE html><title>Articles</title>
<ul>{% for one in articles %}<li><a href="/{{ one.pk }}/">{{ one.title }}</a></li>{% endfor %}</ul>
"""
_LOCMEM = "django.template.loaders.locmem.Loader"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [(_LOCMEM, {"page.html": _PAGE, "list.html": _LIST})],
                )
            ]
        },
    }
]

ARTICLES = 2_000
AUTHORS = 100
TAGS = 50
DEPENDENCIES = 10
"""How many keys a page of nine articles depends on: one for each row, one for any that comes."""


def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One query: an article and its author."""
    from benchmarks.models import Article

    article = Article.objects.select_related("author").get(pk=pk)
    return render(request, "page.html", {"article": article})


def tagged(request: HttpRequest, pk: int) -> HttpResponse:
    """Two queries: an article with its author, and its tags."""
    from benchmarks.models import Article

    [article] = Article.objects.select_related("author").prefetch_related("tags").filter(pk=pk)
    return render(request, "page.html", {"article": article, "tags": article.tags.all()})


def nine(request: HttpRequest, pk: int) -> HttpResponse:
    """One query: nine articles by their keys."""
    from benchmarks.models import Article

    found = Article.objects.filter(pk__in=range(pk, pk + DEPENDENCIES - 1)).order_by("pk")
    return render(request, "list.html", {"articles": found})


def five(request: HttpRequest, pk: int) -> HttpResponse:
    """Five queries: an article, its tags, its comments and their number, and the latest ten."""
    from benchmarks.models import Article, Comment

    [article] = Article.objects.select_related("author").prefetch_related("tags").filter(pk=pk)
    context = {
        "article": article,
        "tags": article.tags.all(),
        "comments": Comment.objects.filter(article=pk).select_related("author").order_by("pk"),
        "count": Comment.objects.filter(article=pk).count(),
        "latest": Article.objects.order_by("-pk")[:10],
    }
    return render(request, "page.html", context)


def twelve(request: HttpRequest, pk: int) -> HttpResponse:
    """The same page, which asks for the author of each of seven comments apart: twelve queries."""
    from benchmarks.models import Article, Comment

    [article] = Article.objects.select_related("author").prefetch_related("tags").filter(pk=pk)
    context = {
        "article": article,
        "tags": article.tags.all(),
        "comments": Comment.objects.filter(article=pk).order_by("pk"),
        "count": Comment.objects.filter(article=pk).count(),
        "latest": Article.objects.order_by("-pk")[:10],
    }
    return render(request, "page.html", context)


def trip_304(request: HttpRequest, pk: int) -> HttpResponse:
    """What a version asked of the database by hand costs at least."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    return HttpResponse(status=304)


VIEWS: dict[str, Callable[[HttpRequest, int], HttpResponse]] = {
    "empty-304": lambda request, pk: empty_304(request),
    "trip-304": trip_304,
    **{view.__name__: view for view in (one, tagged, nine, five, twelve)},
}
RUNS = [0]
"""How many views have run."""


def chosen(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    RUNS[0] += 1
    return VIEWS[name](request, pk)


urlpatterns = [path("<str:name>/<int:pk>/", chosen)]

UNNOTED = BaseDatabaseWrapper._prepare_cursor  # type: ignore[attr-defined]
"""How Django makes cursors where the package is not installed."""


def prepared() -> None:
    """Set the project up: its tables filled, the log's triggers on all of them."""
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.db import connection

    from benchmarks.models import Article, Author, Comment, Tag
    from notmodified.records.databases import all_tables
    from notmodified.writes.log.install import install, states

    assert not install(connection, all_tables(connection))
    assert all(state.covered for state in states(connection, all_tables(connection)))
    Author.objects.bulk_create(Author(pk=n, name=f"Author {n}") for n in range(1, AUTHORS + 1))
    Tag.objects.bulk_create(Tag(pk=n, name=f"Tag {n}") for n in range(1, TAGS + 1))
    articles = [
        Article(pk=n, title=f"Article {n}", body=f"Text {n}. " * 40, author_id=n % AUTHORS + 1)
        for n in range(1, ARTICLES + 1)
    ]
    Article.objects.bulk_create(articles, batch_size=500)
    through: Any = Article.tags.through
    through.objects.bulk_create(
        through(article_id=n, tag_id=(n + k) % TAGS + 1)
        for n in range(1, ARTICLES + 1)
        for k in range(3)
    )
    Comment.objects.bulk_create(
        Comment(article_id=n, author_id=(n + k) % AUTHORS + 1, text=f"Comment {k}")
        for n in range(1, 11)
        for k in range(7)
    )
    settled()


def ledger() -> Any:
    """A ledger of the project's database, on a connection of its own."""
    from django.db import connection

    from notmodified.records import databases

    return databases._ledger(connection)


def settled() -> None:
    """Have the log as it is some minutes after much was written: compacted, where questions need
    that, and known to the database's statistics."""
    from django.db import connection

    from notmodified.writes.log.install import bump

    if connection.vendor == "mysql":
        asked = ledger()
        while asked.compact():
            bump(connection)  # somebody writes something between two compactions
        asked.close()
    analysed()


def analysed() -> None:
    """Have the database's statistics know the log."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) notmodified_log, notmodified_ledger")


def warmed() -> WSGIHandler:
    """The project with our middleware, when modules, templates and plans are loaded: what is loaded
    in the middle of a page keeps that from being recorded."""
    from notmodified.reads.memories import forget_memories

    forget_memories()  # what filled the tables is kept by nobody
    handler = WSGIHandler()
    for name in VIEWS:
        for _ in range(3):
            caller(handler, f"{name}/1", None)()
    return handler


def bare_handler() -> WSGIHandler:
    """The project without our middleware."""
    from django.test import override_settings

    with override_settings(MIDDLEWARE=DEFAULT_MIDDLEWARE):
        return WSGIHandler()
