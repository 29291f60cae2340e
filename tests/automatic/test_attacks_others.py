"""Stale answers that were found by attack: caches, threads, sessions, dates."""

from __future__ import annotations

import asyncio
import enum
import http.server
import multiprocessing
import pkgutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import translation
from django.utils.translation import gettext

from notmodified.records import store
from tests.automatic.visits import DEFAULT_MIDDLEWARE, recorded_site
from tests.site.models import Plain
from tests.site.pages import only_on

pytestmark = pytest.mark.usefixtures("log")
VIEW: list[Callable[[HttpRequest], Any]] = []
TENANT: ContextVar[str] = ContextVar("tenant", default="public")


def page(request: HttpRequest) -> Any:
    found = VIEW[0](request)
    return (
        found
        if isinstance(found, HttpResponse | StreamingHttpResponse)
        else HttpResponse(str(found))
    )


urlpatterns = [
    path("", page),
    path("inner/", lambda r: HttpResponse(str(list(Plain.objects.values_list("name"))))),
]


def by_tenant(key: str, prefix: str, version: int) -> str:
    return f"{TENANT.get()}:{prefix}:{version}:{key}"


def by_language(key: str, prefix: str, version: int) -> str:
    return f"{translation.get_language()}:{prefix}:{version}:{key}"


def tenants(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        token = TENANT.set("acme")
        try:
            return get_response(request)
        finally:
            TENANT.reset(token)

    return middleware


class Locking(LocMemCache):
    """get_or_set() of its own, as those have that keep others from making a value twice."""

    def get_or_set(self, key: Any, default: Any, timeout: Any = 300, version: Any = None) -> Any:
        with self._lock:
            return self._cache.setdefault("mine:" + key, default)

    def incr_version(self, key: Any, delta: int = 1, version: Any = None) -> int:
        self._cache["mine:" + key] = self._cache.get("mine:" + key, 0) + delta
        return self._cache["mine:" + key]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(
        __name__,
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "locking": {"BACKEND": f"{__name__}.Locking"},
            "tenants": {
                "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                "KEY_FUNCTION": f"{__name__}.by_tenant",
            },
            "languages": {
                "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                "KEY_FUNCTION": f"{__name__}.by_language",
            },
        },
    ):
        cache.clear()
        yield


def get(client: Client, **request: Any) -> Any:
    answer = client.get("/", **request)
    answer.body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    answer.close()
    return answer


def hold(view: Callable[[HttpRequest], Any], client: Client | None = None, **first: Any) -> Any:
    VIEW[:] = [view]
    client = client or Client()
    get(client, **first)
    held = get(client, **first)
    print("held:", held.body[:150], held.headers["Cache-Status"], held.headers.get("ETag"))
    return held


def check(held: Any, client: Client | None = None, **again: Any) -> None:
    client = client or Client()
    headers = {"If-None-Match": held.headers["ETag"], **again.pop("headers", {})}
    answer = get(client, headers=headers, **again)
    content = held.body if answer.status_code == 304 else answer.body
    truth = get(
        client, headers={k: v for k, v in headers.items() if not k.startswith("If")}, **again
    ).body
    print("answer:", answer.status_code, content[:150], "truth:", truth[:150])
    assert content == truth


def in_a_thread(ask: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def test_a_cache_in_a_thread() -> None:
    cache.set("a", 1)
    held = hold(lambda r: in_a_thread(lambda: cache.get("a")))
    cache.set("a", 2)
    check(held)


def test_a_file_in_a_thread() -> None:
    file = Path(tempfile.mkdtemp()) / "a"
    file.write_text("1")
    held = hold(lambda r: in_a_thread(file.read_text))
    file.write_text("2")
    check(held)


def test_the_network_in_a_thread() -> None:
    said = [b"1"]

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said[0])

        def log_message(self, *args: Any) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        held = hold(lambda r: in_a_thread(lambda: urllib.request.urlopen(url).read()))
        said[:] = [b"2"]
        check(held)
    finally:
        server.shutdown()
        server.server_close()


def test_an_executor_of_asyncio() -> None:
    cache.set("a", 1)

    def ask(request: HttpRequest) -> Any:
        async def main() -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, cache.get, "a")

        return asyncio.run(main())

    held = hold(ask)
    cache.set("a", 2)
    check(held)


def test_a_page_within_a_page() -> None:
    Plain.objects.create(name="a")
    held = hold(lambda r: Client().get("/inner/").content)
    Plain.objects.update(name="b")
    check(held)


def test_a_cache_that_was_there_before() -> None:
    """As is any that a module keeps which is imported before ``ready()``: `caches["x"]`."""
    code = """
        import django, sys
        from django.conf import settings
        from django.core.cache import caches
        from django.http import HttpResponse
        settings.configure(
            SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", USE_TZ=True,
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
            INSTALLED_APPS=["earlier", "notmodified"],
            MIDDLEWARE=["notmodified.middleware.NotModifiedMiddleware"],
        )
        django.setup()
        from django.core.management import call_command
        call_command("migrate", verbosity=0)
        from django.urls import path
        import earlier.models
        urlpatterns = [path("", lambda r: HttpResponse(str(earlier.models.kept.get("a"))))]
        from django.test import Client
        caches["default"].set("a", 1)
        Client().get("/")
        held = Client().get("/")
        caches["default"].set("a", 2)
        again = Client().get("/", headers={"If-None-Match": held.headers["ETag"]})
        print(held.content, again.status_code, again.content)
    """
    folder = Path(tempfile.mkdtemp())
    (folder / "earlier").mkdir()
    (folder / "earlier/__init__.py").write_text("")
    (folder / "earlier/models.py").write_text(
        "from django.core.cache import caches\nkept = caches['default']\n"
    )
    (folder / "main.py").write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, folder / "main.py", folder / "db.sqlite3"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    print(done.stdout, done.stderr[-2000:])
    assert done.stdout.strip().splitlines()[-1] == "b'1' 200 b'2'"


def test_get_or_set_of_another_kind() -> None:
    caches["locking"]._cache["mine:a"] = 1
    held = hold(lambda r: caches["locking"].get_or_set("a", 0))
    caches["locking"]._cache["mine:a"] = 2
    check(held)


def test_incr_version_of_another_kind() -> None:
    held = hold(lambda r: caches["locking"].incr_version("n") and "x")
    client = Client()
    before = caches["locking"]._cache["mine:n"]
    client.get("/", headers={"If-None-Match": held.headers["ETag"]})
    assert caches["locking"]._cache["mine:n"] == before + 1


def test_keys_of_tenants() -> None:
    with override_settings(MIDDLEWARE=[*DEFAULT_MIDDLEWARE, f"{__name__}.tenants"]):
        held = hold(lambda r: caches["tenants"].get("banner"))
        token = TENANT.set("acme")
        caches["tenants"].set("banner", "hello")
        TENANT.reset(token)
        check(held)


def test_keys_by_language() -> None:
    locale = "django.middleware.locale.LocaleMiddleware"
    middleware = [*DEFAULT_MIDDLEWARE[:3], locale, *DEFAULT_MIDDLEWARE[3:]]
    with override_settings(MIDDLEWARE=middleware):
        german: Any = {"headers": {"Accept-Language": "de"}}
        held = hold(lambda r: caches["languages"].get("banner"), **german)
        with translation.override("de"):
            caches["languages"].set("banner", "hallo")
        translation.activate("en")
        try:
            check(held, **german)
        finally:
            translation.deactivate()


def test_a_row_and_a_cached_value_that_change_between_the_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No state since the request has come is (c0, r0): the cache is to be asked first."""
    Plain.objects.create(name="r0")
    cache.set("c", "c0", None)
    held = hold(lambda r: f"{cache.get('c')} {Plain.objects.get().name}")
    cache.set("c", "c1", None)
    are_same = store.are_same

    def late(values: Any) -> bool:
        Plain.objects.update(name="r1")
        cache.set("c", "c0", None)
        return are_same(values)

    monkeypatch.setattr(store, "are_same", late)
    assert Client().get("/", headers={"If-None-Match": held.headers["ETag"]}).status_code == 200


def test_a_file_by_a_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "of_data").mkdir()
    (folder / "of_data/__init__.py").write_text("")
    (folder / "of_data/data.txt").write_text("1")
    monkeypatch.syspath_prepend(str(folder))
    held = hold(lambda r: pkgutil.get_data("of_data", "data.txt"))
    (folder / "of_data/data.txt").write_text("2")
    check(held)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: socket.gethostbyname("localhost"),
        lambda: socket.gethostbyaddr("127.0.0.1"),
        lambda: socket.getnameinfo(("127.0.0.1", 80), 0),
    ],
)
def test_names_of_hosts(ask: Callable[[], Any]) -> None:
    assert "not recorded" in hold(lambda r: ask()).headers["Cache-Status"]


def test_a_process_that_is_forked() -> None:
    file = Path(tempfile.mkdtemp()) / "a"
    file.write_text("1")

    def ask(request: HttpRequest) -> Any:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return pool.apply(file.read_text)

    held = hold(ask)
    file.write_text("2")
    check(held)


def test_keys_that_are_equal() -> None:
    held = hold(lambda r: (cache.get(1), cache.get(True)))
    cache.set(True, "x")
    check(held)


class Name(enum.StrEnum):
    A = "a"


def test_keys_that_are_equal_texts() -> None:
    held = hold(lambda r: (cache.get("a"), cache.get(Name.A)))
    cache.set(Name.A, "x")
    check(held)


def test_a_key_without_a_hash() -> None:
    """Nothing stale, but the view breaks (TypeError)."""
    VIEW[:] = [lambda r: cache.get([1])]
    assert Client().get("/").content == b"None"


class TestIdentity:
    def member(self, name: str) -> Client:
        client = Client()
        client.force_login(User.objects.get_or_create(username=name)[0])
        return client

    @pytest.mark.parametrize("engine", ["cache", "cached_db"])
    def test_the_key_of_a_session_in_a_cache(self, engine: str) -> None:
        with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
            ada, bob = self.member("ada"), self.member("bob")
            held = hold(lambda r: r.session.cache_key, ada)
            check(held, bob)

    @pytest.mark.parametrize("engine", ["db", "cache", "cached_db", "signed_cookies"])
    def test_a_session_that_was_put_away(self, engine: str) -> None:
        def ask(request: HttpRequest) -> Any:
            user = request.session.get("_auth_user_id")
            request.session = SessionStore("y" * 32)
            return user

        with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
            ada, bob = self.member("ada"), self.member("bob")
            check(hold(ask, ada), bob)

    def test_what_a_middleware_in_front_has_read(self) -> None:
        """The checks warn of it (W001)."""
        with override_settings(MIDDLEWARE=[f"{__name__}.in_front", *DEFAULT_MIDDLEWARE]):
            held = hold(lambda r: r.who, headers={"X-Who": "ada"})
            check(held, headers={"X-Who": "bob"})


def in_front(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        request.who = request.headers.get("X-Who")
        return get_response(request)

    return middleware


class TestDatesAlone:
    """Clients that come back with If-Modified-Since and no tag: a date cannot tell apart what may
    come back, so there is none."""

    def since(self, clock: Any, **request: Any) -> str | None:
        for _ in range(4):
            answer = get(Client(), **request)
            clock.shift(3)
        return answer.headers.get("Last-Modified")

    def test_a_cached_value_comes_back(self) -> None:
        VIEW[:] = [lambda r: f"{cache.get('banner')} {Plain.objects.count()}"]
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            assert self.since(clock) is None

    def test_a_language_is_left(self) -> None:
        only_on("sqlite")  # a server has a clock of its own
        VIEW[:] = [lambda r: f"{gettext('Yes')} {Plain.objects.count()}"]
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            assert self.since(clock) is not None
            with translation.override("de"):
                assert self.since(clock) is None
