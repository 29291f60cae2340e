"""Code that uses what nobody sees is found by what is written in it, and what reaches it is not
recorded."""

from __future__ import annotations

import asyncio
import datetime
import dis
import importlib
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from datetime import datetime as now_class
from os import environ, path
from random import choice
from time import time as seconds
from types import CodeType, ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, override_settings
from django.urls import path as url
from django.utils import timezone

from notmodified.reads import watching
from notmodified.reads.inspection import uses
from notmodified.reads.recorder import Recorder
from notmodified.recording import fresh_for
from notmodified.records.store import RECORDS
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site


def by_import() -> Any:
    from datetime import datetime

    return datetime.now().year


def by_module_import() -> Any:
    import time as clock

    return clock.time()


INVISIBLE: dict[str, Callable[[], Any]] = {
    "datetime.now()": lambda: datetime.datetime.now().year,
    "datetime.today()": lambda: now_class.today().year,
    "date.today()": lambda: date.today().year,
    "time.time": lambda: time.time() and 1,
    "by name": lambda: seconds() and 1,
    "perf_counter": lambda: time.perf_counter() and 1,
    "strftime": lambda: time.strftime("%Y"),
    "random": lambda: random.random() and 1,
    "choice": lambda: choice([1]),
    "token_hex": lambda: len(secrets.token_hex(4)),
    "uuid4": lambda: len(str(uuid.uuid4())),
    "environ": lambda: os.environ.get("NOBODY_SETS_THIS"),
    "environ by name": lambda: environ.get("NOBODY_SETS_THIS"),
    "getenv": lambda: os.getenv("NOBODY_SETS_THIS"),
    "stat": lambda: os.stat(__file__).st_size,
    "an import inside": by_import,
    "a module's import inside": by_module_import,
    "an argument": lambda: max(1, 2, key=lambda one: random.random()) and 1,
}
SEEN: dict[str, Callable[[], Any]] = {
    "Django's now": lambda: timezone.now().year,
    "a time of its own": lambda: datetime.datetime(2026, 1, 1).year,
    "from text": lambda: datetime.date.fromisoformat("2026-01-01"),
    "whether a file is there": lambda: path.exists(__file__),
    "the name of a file": lambda: os.path.basename(__file__),
    "sorting": lambda: sorted([3, 1]),
    "an attribute of that name": lambda: timezone.timedelta(days=1).days,
}
VIEW: list[Callable[[], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0]()))


async def apage(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(str(VIEW[0]()))


async def at_random(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(str(random.random() and 1))


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(str(view()) for view in VIEW)


urlpatterns = [
    url("", counted(page)),
    url("async/", apage),
    url("at-random/", at_random),
    url("streamed/", streamed),
    url("fresh/", fresh_for(60)(counted(page))),
]


def _watching() -> ModuleType:
    """What notices that code is reached, on this version of Python."""
    return sys.modules[watching.install.__module__]


@pytest.fixture
def site(log: None) -> Iterator[None]:
    with recorded_site(__name__):
        yield


@pytest.mark.parametrize("name", INVISIBLE)
def test_it_is_found_in_code(name: str) -> None:
    if name != "an argument":  # it stands in a function of its own
        assert uses(INVISIBLE[name].__code__, globals()) is not None


@pytest.mark.parametrize("name", SEEN)
def test_what_is_harmless_is_not(name: str) -> None:
    assert uses(SEEN[name].__code__, globals()) is None


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", INVISIBLE)
def test_what_reaches_it_is_not_recorded(name: str) -> None:
    VIEW[:] = [INVISIBLE[name]]
    visitor = Visitor()
    for _ in range(5):
        answer = visitor.get("/")
    assert RUNS["/"] == 5
    assert "(INVISIBLE)" in answer.headers["Cache-Status"]
    assert "tests/reads/test_inspection.py:" in answer.headers["Cache-Status"]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", SEEN)
def test_what_is_harmless_is_recorded(name: str) -> None:
    VIEW[:] = [SEEN[name]]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")


@pytest.mark.usefixtures("site")
def test_a_branch_that_is_taken_later() -> None:
    later: list[Callable[[], Any]] = []

    def branch() -> Any:
        return later[0]() if later else "nothing yet"

    VIEW[:] = [branch]
    visitor = Visitor()
    visitor.get("/")
    later.append(lambda: random.random() and 1)
    assert "(INVISIBLE)" in Visitor().client.get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
def test_a_generator_that_was_begun_before() -> None:
    def numbers() -> Iterator[float]:
        while True:
            yield random.random() and 1

    generator = numbers()
    next(generator)
    VIEW[:] = [lambda: next(generator)]
    assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["", ".by_import"])
def test_what_the_site_says_is_harmless(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(NOTMODIFIED={"HARMLESS": [__name__ + name]}):
        code = by_import.__code__.replace(co_firstlineno=1_000)  # nobody has looked at it yet
        VIEW[:] = [type(by_import)(code, globals())]
        visitor = Visitor()
        visitor.get("/")
        assert visitor.is_answered_without_view("/")


@pytest.mark.usefixtures("site")
def test_what_runs_while_a_module_is_imported(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "imported_late.py").write_text("import os\nHOME = os.environ.get('NOBODY')\n")
    monkeypatch.syspath_prepend(tmp_path)
    VIEW[:] = [lambda: importlib.import_module("imported_late").HOME]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")


@pytest.mark.usefixtures("site")
def test_a_view_may_say_for_how_long_it_is_right() -> None:
    VIEW[:] = [INVISIBLE["datetime.now()"]]
    visitor = Visitor()
    visitor.get("/fresh/")
    assert visitor.is_answered_without_view("/fresh/")


WAYS: dict[str, Callable[[], HttpResponseBase]] = {
    "an asynchronous view": lambda: Visitor().get("/async/"),
    "an asynchronous server": lambda: async_to_sync(AsyncClient().get)("/"),
    "both": lambda: async_to_sync(AsyncClient().get)("/async/"),
    "a stream": lambda: streamed_to_its_end(),
}


def streamed_to_its_end() -> HttpResponseBase:
    response = Visitor().get("/streamed/")
    assert response.getvalue()
    response.close()
    return response


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("way", WAYS)
def test_wherever_it_runs(way: str) -> None:
    VIEW[:] = [SEEN["sorting"]]
    WAYS[way]()
    assert len(RECORDS) == 1
    VIEW[:] = [INVISIBLE["time.time"]]
    RECORDS.forget()
    WAYS[way]()
    assert len(RECORDS) == 0


@pytest.mark.usefixtures("site")
def test_two_requests_at_once() -> None:
    VIEW[:] = [SEEN["sorting"]]

    async def visit(*urls: str) -> int:
        RECORDS.forget()
        client = AsyncClient()
        await asyncio.gather(*(client.get(url) for url in urls))
        return len(RECORDS)

    assert async_to_sync(visit)("/async/", "/async/?2") == 2
    assert async_to_sync(visit)("/async/", "/at-random/", "/async/?2") < 3
    assert async_to_sync(visit)("/at-random/") == 0
    assert async_to_sync(visit)("/async/", "/async/?2") == 2


@pytest.mark.usefixtures("site")
def test_a_branch_that_is_taken_after_many_renders() -> None:
    later: list[Callable[[], Any]] = []

    def branch() -> Any:
        return later[0]() if later else "nothing yet"

    VIEW[:] = [branch]
    for _ in range(40):
        assert Visitor().get("/").status_code == 200
    later.append(lambda: random.random() and 1)
    assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there nobody needs a profiler")
def test_where_others_profile_nothing_is_recorded() -> None:
    VIEW[:] = [SEEN["sorting"]]
    sys.setprofile(lambda frame, event, argument: None)
    try:
        answer = Visitor().get("/")
    finally:
        sys.setprofile(None)
    assert "another profiler is at work" in answer.headers["Cache-Status"]
    VIEW[:] = [lambda: sys.setprofile(lambda frame, event, argument: None)]
    try:
        answer = Visitor().get("/")
    finally:
        sys.setprofile(None)
    assert "another profiler came to work" in answer.headers["Cache-Status"]


@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there each render is profiled")
def test_what_is_harmless_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    VIEW[:] = [SEEN["sorting"]]
    Visitor().get("/")
    looked: list[Any] = []
    monkeypatch.setattr(_watching(), "found_in", lambda code, names: looked.append(code))
    Visitor().get("/")
    assert looked == []


@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there each render is profiled")
def test_harmless_code_runs_as_if_nobody_had_looked() -> None:
    """What is run is the same, instruction for instruction; and so is what it costs."""

    def harmless() -> int:
        return sum(range(3))

    def harmful() -> int:
        return int(time.time() > 0)

    VIEW[:] = [lambda: harmless() + harmful()]
    for _ in range(2):
        Visitor().get("/")
    assert not _watched(harmless.__code__)
    assert not _watched(page.__code__)
    assert _watched(harmful.__code__)


def _watched(code: CodeType) -> bool:
    found: Any = dis.get_instructions(code, adaptive=True)
    return any(one.opname.startswith("INSTRUMENTED") for one in found)


def test_a_defect_would_be_found(monkeypatch: pytest.MonkeyPatch, log: None) -> None:
    monkeypatch.setattr(Recorder, "doubt", lambda self, cause, detail: None)
    with (
        recorded_site(__name__),
        pytest.raises(AssertionError),
    ):
        test_what_reaches_it_is_not_recorded("time.time")
