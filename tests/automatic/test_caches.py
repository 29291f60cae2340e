"""Pages that are made from what Django's caches hold."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.utils import make_template_fragment_key
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import override_settings
from django.urls import path
from django.views.decorators.cache import cache_page

from notmodified.reads import caches as reads
from notmodified.reads.memories import forget_memories
from notmodified.recording import fresh_for
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.models import Shelf, Tag
from tests.site.pages import execute

pytestmark = pytest.mark.usefixtures("log")

BACKENDS = ["locmem", "database", "file"]
if os.environ.get("NOTMODIFIED_MEMCACHED"):
    BACKENDS.append("memcached")
if os.environ.get("NOTMODIFIED_REDIS_URL"):
    BACKENDS.append("redis")


class StrangeCache(LocMemCache):
    def things(self) -> int:
        return 7


VIEW: list[Callable[[HttpRequest], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0](request)))


urlpatterns = [
    path("", counted(page)),
    path("kept/", cache_page(600)(counted(page))),
    path("fresh/", fresh_for(60)(counted(page))),
]


def is_answered(visitor: Visitor, url: str) -> bool:
    """Whether a return visit is a 304 that does not run the view. One cache asks the database."""
    before = RUNS[url]
    return bool(visitor.get(url).status_code == 304 and RUNS[url] == before)


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(
        __name__,
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "strange": {"BACKEND": f"{__name__}.StrangeCache"},
        },
    ):
        cache.clear()
        yield


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, log: None) -> Iterator[None]:
    kinds: dict[str, dict[str, Any]] = {
        "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "database": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "pages_made_before",
        },
        "file": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": tempfile.mkdtemp(),
        },
        "memcached": {
            "BACKEND": "django.core.cache.backends.memcached.PyLibMCCache",
            "LOCATION": os.environ.get("NOTMODIFIED_MEMCACHED"),
            "OPTIONS": {"behaviors": {"tcp_nodelay": True}},
        },
        "redis": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ.get("NOTMODIFIED_REDIS_URL"),
        },
    }
    # A prefix of our own, and nothing is ever flushed: others may be at work on the same server.
    own = kinds[request.param] | {"KEY_PREFIX": uuid4().hex}
    with override_settings(CACHES={"default": own}):
        if request.param == "database":
            call_command("createcachetable")
        forget_memories()
        yield
        if request.param == "database":
            execute("DROP TABLE pages_made_before")


def fragment(request: HttpRequest) -> str:
    text = "{% load cache %}{% cache 600 part %}{{ shelves }}{% endcache %}"
    shelves = list(Shelf.objects.values_list("name", flat=True))
    return Template(text).render(Context({"shelves": shelves}))


READS: dict[str, Callable[[HttpRequest], Any]] = {
    "get": lambda request: cache.get("a"),
    "get with a default": lambda request: cache.get("a", 0),
    "get_many": lambda request: cache.get_many(["a", "b"]),
    "in": lambda request: "a" in cache,
    "has_key": lambda request: cache.has_key("a"),
    "get_or_set": lambda request: cache.get_or_set("a", 1),
    "of a version": lambda request: cache.get("a", version=2),
    "async": lambda request: async_to_sync(cache.aget)("a"),
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", READS)
def test_a_value_is_an_input(name: str) -> None:
    for version in (1, 2):
        cache.set("a", {"x": [1, "two", None]}, version=version)
    VIEW[:] = [READS[name]]
    visitor = Visitor()
    visitor.get("/")
    assert is_answered(visitor, "/")
    cache.set("b", 2, version=3)
    assert is_answered(visitor, "/")
    for version in (1, 2):
        cache.delete("a", version=version)
    assert not is_answered(visitor, "/")


@pytest.mark.usefixtures("backend")
def test_another_value() -> None:
    cache.set("a", "first")
    VIEW[:] = [READS["get"]]
    visitor = Visitor()
    visitor.get("/")
    cache.set("a", "other")
    assert visitor.get("/").content == b"other"


@pytest.mark.usefixtures("backend")
def test_a_value_that_is_not_there() -> None:
    VIEW[:] = [lambda request: cache.get("a", "nothing")]
    visitor = Visitor()
    visitor.get("/")
    assert is_answered(visitor, "/")
    cache.set("a", None)
    assert visitor.get("/").content == b"None"


def test_a_value_whose_time_runs_out() -> None:
    with time_machine.travel("2026-11-21", tick=False) as clock:
        cache.set("a", 1, 60)
        VIEW[:] = [READS["get"]]
        visitor = Visitor()
        visitor.get("/")
        clock.shift(timedelta(seconds=59))
        assert is_answered(visitor, "/")
        clock.shift(timedelta(seconds=2))
        assert visitor.get("/").content == b"None"


@pytest.mark.usefixtures("backend")
def test_a_part_of_a_template_that_is_kept() -> None:
    """The part is what the page shows, whatever has happened to the rows meanwhile."""
    VIEW[:] = [fragment]
    visitor = Visitor()
    first = visitor.get("/")
    assert "a write to a cache" in first.headers["Cache-Status"]
    assert visitor.get("/").status_code == 304
    assert is_answered(visitor, "/")
    cache.delete(make_template_fragment_key("part"))
    assert not is_answered(visitor, "/")


WRITES: dict[str, Callable[[HttpRequest], Any]] = {
    "set": lambda request: cache.set("a", cache.get("a", 0) + 1) and "",
    "set for a while": lambda request: cache.set("a", 1, 60),
    "set_many": lambda request: cache.set_many({"a": cache.get("a", 0) + 1}) and "",
    "set_many for a while": lambda request: cache.set_many({"a": 1}, timeout=60),
    "add": lambda request: cache.add("a", 1),
    "incr": lambda request: cache.incr("n") and "",
    "decr": lambda request: cache.decr("n") and "",
    "touch": lambda request: cache.touch("n"),
    "delete": lambda request: cache.delete("n") and cache.set("n", 0),
    "delete_many": lambda request: cache.delete_many(["a"]),
    "clear": lambda request: cache.clear(),
    "a new version": lambda request: cache.incr_version("n") and cache.decr_version("n", version=2),
    "async": lambda request: async_to_sync(cache.aset)("a", 1, 60),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_view_that_writes_runs_each_time(name: str) -> None:
    cache.set("n", 0)
    VIEW[:] = [WRITES[name]]
    visitor = Visitor()
    for _ in range(3):
        answer = visitor.get("/")
    assert RUNS["/"] == 3
    assert "a write to a cache" in answer.headers["Cache-Status"]


def a_tag() -> Any:
    tag = Tag(pk=1, name="a")
    return [tag, tag.name, "".join(["a"])]


def one_that_knows_itself() -> Any:
    tag: Any = Tag(pk=1, name="a")
    tag.file = {"of": tag, "name": "".join(["na", "me"])}
    return tag


@pytest.mark.parametrize("value", [a_tag, one_that_knows_itself])
def test_what_is_put_back_as_it_was_found_is_no_write(value: Callable[[], Any]) -> None:
    """It only stays longer."""
    cache.set("a", value())
    VIEW[:] = [
        lambda request: (
            (cache.get("a") and cache.set("a", value()))
            or cache.set_many({"a": value()}, version=1)
        )
    ]
    visitor = Visitor()
    visitor.get("/")
    assert is_answered(visitor, "/")
    cache.delete("a")
    assert not is_answered(visitor, "/")
    VIEW[:] = [lambda request: cache.set("a", [cache.get("a"), 1])]
    other = Visitor()
    for _ in range(2):
        answer = other.get("/")
    assert "a write to a cache" in answer.headers["Cache-Status"]


def test_unless_the_view_says_for_how_long_it_is_right() -> None:
    cache.set("n", 0)
    VIEW[:] = [WRITES["incr"]]
    visitor = Visitor()
    visitor.get("/fresh/")
    assert is_answered(visitor, "/fresh/")


def test_what_is_no_method_of_django_s() -> None:
    VIEW[:] = [lambda request: caches["strange"].things()]
    visitor = Visitor()
    for _ in range(2):
        answer = visitor.get("/")
    assert "a cache's things()" in answer.headers["Cache-Status"]


def test_a_value_that_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("a", "x" * 100)
    monkeypatch.setattr(reads, "MOST_BYTES", 50)
    VIEW[:] = [READS["get"]]
    answer = Visitor().get("/")
    assert "a cached value that is not the same" in answer.headers["Cache-Status"]


def test_a_cache_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("a", 1)
    VIEW[:] = [READS["get"]]
    visitor = Visitor()
    visitor.get("/")
    monkeypatch.setattr(reads, "caches", {})
    assert not is_answered(visitor, "/")


def test_more_values_than_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "MOST", 3)
    VIEW[:] = [lambda request: [cache.get(str(number)) for number in range(5)]]
    assert "more than 3 cached values" in Visitor().get("/").headers["Cache-Status"]


def test_a_page_that_the_cache_framework_keeps() -> None:
    """It tells how old it is, which a 304 from a record could not."""
    VIEW[:] = [lambda request: "kept"]
    visitor = Visitor()
    for _ in range(3):
        answer = visitor.get("/kept/")
    assert RUNS["/kept/"] == 1
    assert answer.status_code == 304


@pytest.mark.parametrize("engine", ["cache", "cached_db"])
def test_sessions_in_a_cache(engine: str) -> None:
    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
        visitor = Visitor()
        visitor.client.force_login(User.objects.create(username="ada"))
        forget_memories()
        VIEW[:] = [lambda request: f"{request.user} {request.session.get('n')}"]
        visitor.get("/")
        assert is_answered(visitor, "/")
        session = visitor.client.session
        session["n"] = 1
        session.save()
        forget_memories()
        assert visitor.get("/").content == b"ada 1"
        assert is_answered(visitor, "/")
        visitor.client.logout()
        assert visitor.get("/").content.startswith(b"AnonymousUser")


DEFECTS: dict[str, tuple[str, Any]] = {
    "what was read does not count": ("_note", lambda asked, digest: None),
    "all values are one": ("_digest", lambda value: b"x"),
    "nobody looks again": ("are_same", lambda values: True),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute, defect = DEFECTS[name]
    monkeypatch.setattr(reads, attribute, defect)
    if attribute == "are_same":
        monkeypatch.setattr("notmodified.records.store.are_same", defect)
    with pytest.raises(AssertionError):
        test_another_value()
