"""The audit finds what nobody sees, and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path, re_path

from notmodified.auditing import all_urls
from notmodified.checks import check_findings
from notmodified.exchange import audit
from notmodified.reads.memories import forget_memories
from notmodified.records.store import RECORDS
from notmodified.wsgi import NotModifiedApplication
from tests.automatic.visits import DEFAULT_MIDDLEWARE, RUNS, Visitor, counted
from tests.site.models import Shelf

HIDDEN = {"n": 0, "status": 200}
"""What no ledger tells of."""


def hidden(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"page {HIDDEN['n']}", status=HIDDEN["status"])


def shelf(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(Shelf.objects.values_list("name"))))


def restless(request: HttpRequest) -> HttpResponse:
    HIDDEN["n"] += 1
    return HttpResponse(str(HIDDEN["n"]))


def writing(request: HttpRequest) -> HttpResponse:
    if HIDDEN["n"]:
        Shelf.objects.filter(pk=1).update(name=f"after {HIDDEN['n']}")
    return shelf(request)


def clock(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(cache.incr("visits")))


def of_many(request: HttpRequest) -> HttpResponse:
    """A row, a header, a cookie and a value of a cache; and what nobody sees."""
    name = Shelf.objects.get(pk=1).name
    said = f"{request.headers.get('X-Colour')} {request.COOKIES.get('theme')} {cache.get('visits')}"
    return HttpResponse(f"{name} {said} {HIDDEN['n']}")


def mine(request: HttpRequest) -> HttpResponse:
    ASKED.append(request.user.get_username())
    return HttpResponse(f"for {ASKED[-1] or 'anybody'}")


ASKED: list[str] = []
"""For whom a page was made."""


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse([f"stream {HIDDEN['n']}"])


urlpatterns = [
    path("streamed/<int:number>/", lambda request, number: streamed(request)),
    path("of-many/<int:number>/", counted(lambda request, number: of_many(request))),
    path("mine/", mine),
    path("hidden/<int:number>/", counted(lambda request, number: hidden(request))),
    path("shelf/", counted(shelf)),
    path("writing/", counted(writing)),
    re_path(r"^restless/$", counted(restless)),
    re_path(r"^restless/\d+/$", restless),
    path("more/", include([path("", shelf), path("clock/", clock), path("<name>/", shelf)])),
]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    RUNS.clear()
    HIDDEN.update(n=0, status=200)
    Shelf.objects.create(pk=1, name="a")
    cache.set("visits", 0)
    forget_memories()
    with override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=DEFAULT_MIDDLEWARE,
        NOTMODIFIED={"CACHE_STATUS": True, "AUDIT": 1.0},
    ):
        yield
    audit.forget_findings()


def find_one() -> None:
    visitor = Visitor()
    visitor.get("/hidden/1/")
    HIDDEN["n"] = 1
    visitor.get("/hidden/1/")


class TestAnAnswerThatIsAudited:
    def test_a_page_that_is_right(self) -> None:
        visitor = Visitor()
        visitor.get("/shelf/")
        for _ in range(2):
            answer = visitor.get("/shelf/")
            assert answer.status_code == 304
            assert "found after the view had run" in answer.headers["Cache-Status"]
        assert RUNS["/shelf/"] == 3
        assert audit.findings() == {}

    @pytest.mark.parametrize("change", [{"n": 1}, {"status": 403}, {"status": 404}])
    def test_one_that_is_not(
        self, change: dict[str, int], caplog: pytest.LogCaptureFixture
    ) -> None:
        visitor = Visitor()
        visitor.get("/hidden/1/")
        HIDDEN.update(change)
        with caplog.at_level(logging.ERROR, "notmodified"):
            answer = visitor.get("/hidden/1/")
        assert answer.content == f"page {HIDDEN['n']}".encode()  # C1: what the view shows
        assert answer.status_code == HIDDEN["status"]
        assert "/hidden/1/ is not what its record says" in caplog.text
        assert audit.findings() == {"hidden/<int:number>/": "/hidden/1/"}
        assert len(RECORDS) == 0

    def test_the_reason_of_one_that_is_not(self) -> None:
        visitor = Visitor()
        visitor.get("/hidden/1/")
        HIDDEN["n"] = 1
        said = visitor.get("/hidden/1/").headers["Cache-Status"]
        assert "fwd=miss" in said
        assert "the client's copy is not current" in said

    def test_what_is_logged_of_it(self, caplog: pytest.LogCaptureFixture) -> None:
        """All that the record knew, so that one can see what it did not."""
        visitor = Visitor(**{"X-Colour": "blue"})
        visitor.client.cookies["theme"] = "dark"
        held = visitor.get("/of-many/1/").headers["ETag"]
        HIDDEN["n"] = 1
        shown = visitor.get("/of-many/1/").headers["ETag"]
        [logged] = [one for one in caplog.records if one.levelno == logging.ERROR]
        said = logged.getMessage()
        assert logged.name == "notmodified"
        assert said.startswith("audit: GET /of-many/1/ is not what its record says it is: ")
        assert f"{held} was held, and the view shows 200 {shown}." in said
        for known in (
            "site_shelf (rows with id = 1)",
            "meta HTTP_X_COLOUR (read: 'blue')",
            "cookie theme (read: 'dark')",
            "cache default:visits (a value that was read)",
        ):
            assert known in said
        assert "Pages of 'of-many/<int:number>/' are not recorded any more." in said

    def test_its_route_is_not_recorded_any_more(self) -> None:
        find_one()
        visitor = Visitor()
        answer = visitor.get("/hidden/2/")
        assert "not recorded: an audit has found another page" in answer.headers["Cache-Status"]
        audit.forget_findings()
        visitor.get("/hidden/2/")
        assert len(RECORDS) == 1

    def test_one_that_moves_meanwhile(self) -> None:
        """Its record does not hold when the view has run: that explains it."""
        visitor = Visitor()
        visitor.get("/writing/")
        HIDDEN["n"] = 1
        assert visitor.get("/writing/").content == b"[('after 1',)]"
        assert audit.findings() == {}

    def test_in_front_of_django(self) -> None:
        Client().get("/hidden/1/")
        [(_, record)] = RECORDS.items()
        HIDDEN["n"] = 1
        headers = {"If-None-Match": str(record.representation.etag)}
        environ = RequestFactory().get("/hidden/1/", headers=headers).environ
        said: list[str] = []
        application = NotModifiedApplication(get_wsgi_application())
        body = b"".join(application(environ, lambda status, fields: said.append(status)))
        assert (said, body) == (["200 OK"], b"page 1")

    def test_asynchronously(self) -> None:
        async def visit() -> bytes:
            client = AsyncClient()
            first = await client.get("/hidden/1/")
            HIDDEN["n"] = 1
            again = await client.get("/hidden/1/", headers={"If-None-Match": first["ETag"]})
            return bytes(again.content)

        assert async_to_sync(visit)() == b"page 1"
        assert audit.findings()

    def test_a_fraction_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with override_settings(NOTMODIFIED={"AUDIT": 0.5}):
            visitor = Visitor()
            visitor.get("/shelf/")
            for chance, runs in ((0.6, 1), (0.4, 2)):
                monkeypatch.setattr(audit, "chance", lambda chance=chance: chance)
                assert visitor.get("/shelf/").status_code == 304
                assert RUNS["/shelf/"] == runs


class TestWhatOthersKnow:
    def test_the_system_check(self) -> None:
        assert check_findings() == []
        find_one()
        found = check_findings()
        assert [warning.id for warning in found] == ["notmodified.W006"]
        assert "/hidden/1/" in found[0].msg

    def test_another_process(self) -> None:
        find_one()
        audit._found.clear()
        audit._asked[0] = 0.0
        HIDDEN["n"] = 0
        answer = Visitor().get("/hidden/3/")
        assert "an audit has found another page" in answer.headers["Cache-Status"]

    def test_a_cache_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(audit, "caches", {})
            assert check_findings() == []


OUTCOMES = {
    "/mine/": "same",
    "/more/": "same",
    "/more/clock/": "not recorded",
    "/restless/": "differs",
    "/shelf/": "same",
    "/writing/": "not recorded",
}
"""What becomes of all pages that take no parameters; one of them writes once another was there."""


def run(*arguments: str, out: StringIO | None = None) -> str:
    out = out or StringIO()
    with override_settings(NOTMODIFIED={}):
        call_command("notmodified", "audit", *arguments, stdout=out)
    return out.getvalue()


class TestOnDemand:
    def test_pages_that_are_right(self) -> None:
        assert run("/shelf/").startswith("same            /shelf/  (3 times)")
        assert json.loads(run("/shelf/", "--times", "5", "--json")) == [
            {"url": "/shelf/", "outcome": "same", "detail": "5 times"}
        ]

    def test_one_that_is_not(self) -> None:
        with pytest.raises(CommandError, match="Something shapes a page that nobody sees"):
            run("/restless/", "/shelf/")

    def test_a_stream(self) -> None:
        assert "same" in run("/streamed/1/")

    def test_one_that_is_not_recorded(self) -> None:
        assert "not recorded    /more/clock/  (a write to a cache" in run("/more/clock/")

    def test_all_that_take_no_parameters(self) -> None:
        assert all_urls() == [*OUTCOMES]
        out = StringIO()
        with pytest.raises(CommandError, match="Something shapes a page"):
            run("--all", out=out)
        lines = out.getvalue().splitlines()
        assert len(lines) == len(OUTCOMES)
        for line, (url, outcome) in zip(lines, OUTCOMES.items(), strict=True):
            assert line.startswith(f"{outcome:<15} {url}  (")

    def test_all_of_them_for_machines(self) -> None:
        out = StringIO()
        with pytest.raises(CommandError):
            run("--all", "--json", out=out)
        assert {one["url"]: one["outcome"] for one in json.loads(out.getvalue())} == OUTCOMES

    def test_as_somebody(self) -> None:
        User.objects.create(username="ada")
        for arguments, name in ((("--user", "ada"), "ada"), ((), "")):
            ASKED.clear()
            assert run("/mine/", *arguments).startswith("same            /mine/  (3 times)")
            assert len(ASKED) == 4
            assert set(ASKED) == {name}
        assert not Session.objects.exists()

    @pytest.mark.parametrize("arguments", [[], ["/shelf/", "--user", "nobody"]])
    def test_misuse(self, arguments: list[str]) -> None:
        with pytest.raises(CommandError, match=r"Say which|no user"):
            run(*arguments)

    def test_what_was_found_is_mended(self) -> None:
        find_one()
        run("--forget")
        assert audit.findings() == {}


def test_a_defect_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "report", lambda request, record, shown: None)
    with pytest.raises(AssertionError):
        TestWhatOthersKnow().test_the_system_check()
