"""Code that uses what nobody sees is found by what is written in it, and what reaches it is not
recorded."""

from __future__ import annotations

import asyncio
import datetime
import datetime as datetime_module
import dis
import email.utils
import importlib
import os
import random
import resource
import secrets
import sys
import tempfile
import time
import timeit
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from datetime import datetime as now_class
from functools import partial
from os import environ, path
from random import choice
from time import time as seconds
from types import CodeType, ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django import forms
from django.db import models
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, override_settings
from django.urls import path as url
from django.utils import lorem_ipsum, timezone
from django.utils.http import http_date

from notmodified.reads import watching
from notmodified.reads.inspection import uses
from notmodified.reads.recorder import Recorder
from notmodified.recording import fresh_for
from notmodified.records.store import RECORDS
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.models import Box


def by_import() -> Any:
    from datetime import datetime

    return datetime.now().year


def by_module_import() -> Any:
    import time as clock

    return clock.time()


class Sub(datetime.datetime):
    """A class of the project's."""


def with_closure() -> Callable[[], Any]:
    from time import time as t

    return lambda: t() and 1


def with_class_in_closure() -> Callable[[], Any]:
    from datetime import datetime as d

    return lambda: d.now().year


def with_default(clock: Callable[[], Any] = datetime.datetime.now) -> Any:
    return clock().year


def with_default_by_name(*, clock: Callable[[], Any] = time.time) -> Any:
    return clock() and 1


def with_class_as_default(clock: Any = datetime.datetime) -> Any:
    return clock.now().year


@dataclass
class Visit:
    at: datetime.datetime = field(default_factory=datetime.datetime.now)


@dataclass
class Named:
    names: list[str] = field(default_factory=list)


def in_a_branch() -> Any:
    clock: Any = datetime.datetime
    if not VIEW:
        clock = timezone
    return clock.now().year


def beside_each_other() -> Any:
    from datetime import datetime
    from time import sleep

    from django.utils import timezone

    sleep(0)
    begin = datetime(2026, 1, 1, tzinfo=datetime_module.UTC)
    return [one.year for one in (begin,) if one < timezone.now()] and begin.date().year


def with_harmless_default(words: str = "x", *, make: Callable[[], Any] = list) -> Any:
    return make(), words


now_of_class = datetime.datetime.now
now_in_part = partial(datetime.datetime.now)
part_of_part = partial(partial(time.strftime, "%Y"))
variable_of = os.environ.get
generator = random.Random()
upper_of = "x".upper
KEPT = {
    "in a closure": with_closure(),
    "a class in a closure": with_class_in_closure(),
    "a default": with_default,
    "a default by name": with_default_by_name,
    "a class as a default": with_class_as_default,
}
"""What functions keep, which their code does not say."""
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
    "a bound method": lambda: now_of_class().year,
    "a partial of a method": lambda: now_in_part().year,
    "a partial of a partial": lambda: part_of_part(),
    "a method of the environment": lambda: variable_of("NOBODY_SETS_THIS"),
    "a generator of its own": lambda: generator.random() and 1,
    "a new generator": lambda: random.Random().random() and 1,
    "a class of the project's": lambda: Sub.now().year,
    "a name on the way": lambda: (d := datetime.datetime).now() and d.min,
    "a comprehension": lambda: [c.now().year for c in (datetime.datetime,)],
    "a module in a comprehension": lambda: [c.time() and 1 for c in (time,)],
    "one of two": lambda: (datetime.datetime if VIEW else timezone).now().year,
    "the other of two": lambda: (timezone if not VIEW else datetime.datetime).now().year,
    "either": lambda: (datetime.datetime or timezone).now().year,
    "in a branch": in_a_branch,
    "clock_gettime": lambda: time.clock_gettime(time.CLOCK_REALTIME) and 1,
    "thread_time": lambda: time.thread_time() and 1,
    "getrandom": lambda: len(os.getrandom(4)),
    "getrusage": lambda: resource.getrusage(resource.RUSAGE_SELF) and 1,
    "default_timer": lambda: timeit.default_timer() and 1,
    "formatdate": lambda: len(email.utils.formatdate()),
    "make_msgid": lambda: bool(email.utils.make_msgid(domain="example.com")),
    "mktemp": lambda: len(tempfile.mktemp()),
    "lorem ipsum": lambda: len(lorem_ipsum.words(3, common=False).split()),
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
    "beside Django's now": lambda: (
        datetime.datetime(2026, 1, 1).year,
        timezone.now().year,
        isinstance(None, datetime.date),
    ),
    "imports beside each other": beside_each_other,
    "a harmless default": with_harmless_default,
    "a data class": lambda: Named().names,
    "a bound method of text": lambda: upper_of(),
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
@pytest.mark.parametrize("name", KEPT)
def test_what_a_function_keeps(name: str) -> None:
    VIEW[:] = [KEPT[name]]
    Visitor().get("/")
    assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


def given(default: Any) -> Any:
    """What a field of a model makes of `default`, and one of a form."""
    field = models.CharField(default=default)
    form = type("Asked", (forms.Form,), {"one": forms.CharField(initial=default)})()
    return bool(VIEW_OF_FIELDS[0](field, form))


VIEW_OF_FIELDS: list[Callable[[Any, Any], Any]] = []
OF_FIELDS: dict[str, Callable[[Any, Any], Any]] = {
    "a model": lambda field, form: field.get_default(),
    "a form": lambda field, form: form["one"].value(),
}
DEFAULTS_IN_C: dict[str, Any] = {
    "a method": datetime.datetime.now,
    "a class method": datetime.date.today,
    "a function": uuid.uuid4,
    "a partial": partial(time.strftime, "%Y"),
    "a function of the project's": lambda: random.random(),
    "a partial of one": partial(by_import),
}
HARMLESS_DEFAULTS: dict[str, Any] = {
    "a list": list,
    "a dictionary": dict,
    "a value": "x",
    "a function": lambda: "x",
    "nothing": None,
}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("of", OF_FIELDS)
@pytest.mark.parametrize("name", DEFAULTS_IN_C)
def test_defaults_that_are_called(name: str, of: str) -> None:
    default = DEFAULTS_IN_C[name]
    VIEW_OF_FIELDS[:] = [OF_FIELDS[of]]
    VIEW[:] = [lambda: given(default)]
    for _ in range(2):
        assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("of", OF_FIELDS)
@pytest.mark.parametrize("name", HARMLESS_DEFAULTS)
def test_harmless_defaults(name: str, of: str) -> None:
    default = HARMLESS_DEFAULTS[name]
    VIEW_OF_FIELDS[:] = [OF_FIELDS[of]]
    VIEW[:] = [lambda: given(default)]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("of", OF_FIELDS)
def test_the_time_as_a_default(of: str) -> None:
    VIEW_OF_FIELDS[:] = [lambda field, form: OF_FIELDS[of](field, form).year]
    VIEW[:] = [lambda: given(timezone.now)]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")


@pytest.mark.usefixtures("site")
def test_the_default_of_a_key() -> None:
    VIEW[:] = [lambda: bool(Box().pk)]
    assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
def test_dates_for_headers() -> None:
    VIEW[:] = [lambda: http_date(0)]
    visitor = Visitor()
    visitor.get("/")
    assert visitor.is_answered_without_view("/")
    RECORDS.forget()
    VIEW[:] = [lambda: len(http_date())]
    assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


@pytest.mark.usefixtures("site")
def test_what_a_data_class_makes() -> None:
    VIEW[:] = [lambda: Visit().at.year]
    for _ in range(2):
        assert "(INVISIBLE)" in Visitor().get("/").headers["Cache-Status"]


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


async def aget(path: str) -> HttpResponseBase:
    response: HttpResponseBase = await AsyncClient().get(path)
    return response


WAYS: dict[str, Callable[[], HttpResponseBase]] = {
    "an asynchronous view": lambda: Visitor().get("/async/"),
    "an asynchronous server": lambda: async_to_sync(aget)("/"),
    "both": lambda: async_to_sync(aget)("/async/"),
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

    async def recorded(*urls: str) -> list[str]:
        RECORDS.forget()
        client = AsyncClient()
        await asyncio.gather(*(client.get(url) for url in urls))
        return [path for key, _ in RECORDS.items() for path in key if path.startswith("/")]

    for _ in range(2):
        assert async_to_sync(recorded)("/async/", "/async/?2") == ["/async/"] * 2
        beside_others = async_to_sync(recorded)("/async/", "/at-random/", "/async/?2")
        assert "/at-random/" not in beside_others
        assert async_to_sync(recorded)("/at-random/") == []


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
@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there each render is profiled")
def test_where_others_monitor_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    from notmodified.reads import monitoring

    monkeypatch.setattr(monitoring, "_BLIND", [])
    monkeypatch.setattr(monitoring, "_TOOLS", (sys.monitoring.PROFILER_ID,))
    sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "another")
    try:
        monitoring.install()
        VIEW[:] = [SEEN["sorting"]]
        answer = Visitor().get("/")
    finally:
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
    assert "others monitor the code" in answer.headers["Cache-Status"]
    assert len(RECORDS) == 0


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there nobody needs a profiler")
def test_threads_that_begin_to_profile_at_once_do_not_hinder_each_other() -> None:
    """Python refuses to set a profiler while another thread is setting one: that was a 500, or a
    profiler that stayed for ever."""

    def profile(_: int) -> bool:
        recorders = [Recorder(lambda alias: None) for _ in range(2_000)]
        for recorder in recorders:
            with watching.inspected(recorder):
                pass
        return sys.getprofile() is None and all(one.reason is None for one in recorders)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(profile, range(4)))
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.usefixtures("site")
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there each render is profiled")
def test_what_is_harmless_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    VIEW[:] = [SEEN["sorting"]]
    for _ in range(3):  # a record that takes the place of another has code of its own
        Visitor().get("/")
    looked: list[Any] = []
    monkeypatch.setattr(_watching(), "found_in", lambda code, names: looked.append(code))
    assert Visitor().get("/").status_code == 200
    assert looked == []

    def another() -> int:
        return 1

    VIEW[:] = [another]
    assert Visitor().get("/").content == b"1"
    assert looked == [another.__code__]


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
