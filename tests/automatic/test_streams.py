"""Streamed responses: recorded once they have been streamed to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.test import AsyncClient
from django.urls import path
from django.utils import timezone

from notmodified.reads import recorder
from notmodified.reads.memories import forget_memories
from notmodified.records.store import RECORDS
from tests.automatic.visits import RUNS, Visitor, counted, recorded_site
from tests.site.models import Book, Shelf
from tests.site.pages import elsewhere, execute

MEANWHILE: list[Callable[[], object]] = []
"""What happens between the first and the second piece, which is read after that."""


def nothing() -> None:
    pass


def names() -> Iterator[str]:
    yield f"{Shelf.objects.count()} shelves: "
    MEANWHILE[0]()
    for shelf in Shelf.objects.order_by("pk"):
        yield f"{shelf.name} "


async def anames() -> AsyncIterator[str]:
    yield "shelves: "
    async for shelf in Shelf.objects.order_by("pk"):
        yield f"{shelf.name} "


async def other_books(request: HttpRequest) -> str:
    return str([book.shelf.name async for book in BOOKS[0]])


async def header(request: HttpRequest) -> str:
    return str(request.META.get("HTTP_X_NAME"))


async def year(request: HttpRequest) -> str:
    return str(timezone.now())[:4]


AHEAD: dict[str, Callable[[HttpRequest], Awaitable[str]]] = {
    "rows": other_books,
    "request": header,
    "time": year,
}
BOOKS: list[Any] = [None]


async def ahead(request: HttpRequest, what: str) -> StreamingHttpResponse:
    """What the next piece is made from is read while a slow client takes this one."""

    async def pieces() -> AsyncIterator[str]:
        if what == "rows":
            BOOKS[0] = Book.objects.select_related("shelf").order_by("pk").aiterator(chunk_size=1)
            await anext(BOOKS[0])
        reading = asyncio.ensure_future(AHEAD[what](request))
        yield "first "
        yield await reading

    return StreamingHttpResponse(pieces())


def broken() -> Iterator[str]:
    yield "shelves: "
    raise OSError("the disk is gone")


async def asynchronous(request: HttpRequest) -> Any:
    RUNS[request.path] += 1
    return StreamingHttpResponse(anames())


def early(request: HttpRequest) -> StreamingHttpResponse:
    """What the view reads itself, before the first piece."""
    count = Shelf.objects.count()
    return StreamingHttpResponse(iter([f"{count} shelves"]))


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(Path(__file__).open("rb"))


urlpatterns: list[Any] = [
    path("names/", counted(lambda request: StreamingHttpResponse(names()))),  # type: ignore[arg-type,return-value]
    path("early/", counted(early)),  # type: ignore[arg-type]
    path("broken/", counted(lambda request: StreamingHttpResponse(broken()))),  # type: ignore[arg-type,return-value]
    path("file/", counted(file)),  # type: ignore[arg-type]
    path("async/", asynchronous),
    path("ahead/<what>/", ahead),
]


@pytest.fixture(autouse=True)
def site(log: None) -> Iterator[None]:
    MEANWHILE[:] = [nothing]
    with recorded_site(__name__):
        Shelf.objects.create(pk=1, name="a")
        yield
    assert not recorder._open  # nothing is held for ever


def read(url: str, visitor: Visitor | None = None) -> bytes:
    response = (visitor or Visitor()).get(url)
    content: bytes = response.getvalue() if response.streaming else response.content
    response.close()
    return content


@pytest.mark.parametrize(
    ("url", "first", "second"),
    [("/names/", b"1 shelves: a ", b"1 shelves: b "), ("/early/", b"1 shelves", b"1 shelves")],
)
def test_a_return_visit_runs_no_view(url: str, first: bytes, second: bytes) -> None:
    visitor = Visitor()
    assert read(url, visitor) == first
    assert visitor.is_answered_without_view(url)
    elsewhere(lambda: Shelf.objects.update(name="b"))
    assert not visitor.is_answered_without_view(url)
    assert read(url) == second


def test_c9_its_tag_is_weak_and_its_own() -> None:
    tags = set()
    for _ in range(2):
        response = Visitor().get("/early/")
        tags.add(response.headers["ETag"])
        response.close()
    assert len(tags) == 2
    assert all(tag.startswith('W/"') for tag in tags)


def test_two_clients_hold_two_streams_and_the_last_one_is_answered() -> None:
    first, second = Visitor(), Visitor()
    read("/early/", first)
    read("/early/", second)
    assert second.is_answered_without_view("/early/")
    assert not first.is_answered_without_view("/early/")


def test_asynchronous_streams() -> None:
    async def visit() -> list[int]:
        client, found = AsyncClient(), []

        async def get(**headers: str) -> Any:
            response = await client.get("/async/", headers=headers)
            if response.streaming:
                found.append(b"".join([piece async for piece in response]).count(b"a "))
            return response

        first = await get()
        tag = {"If-None-Match": first.headers["ETag"]}
        again = await get(**tag)
        await Shelf.objects.filter(pk=1).aupdate(name="b")
        changed = await get(**tag)
        return [first.status_code, again.status_code, changed.status_code, *found]

    assert async_to_sync(visit)() == [200, 304, 200, 1, 0]
    assert RUNS["/async/"] == 2


async def slowly(url: str, **headers: str) -> Any:
    response = await AsyncClient().get(url, headers=headers)
    if response.streaming:
        async for _ in response:
            await asyncio.sleep(0.1)
    return response


@pytest.mark.parametrize("what", AHEAD)
def test_what_a_task_reads_between_two_pieces(what: str) -> None:
    for pk in (2, 3):
        Book.objects.create(pk=pk, shelf=Shelf.objects.create(pk=pk, name="x"))
    forget_memories()
    url = f"/ahead/{what}/"

    async def visit() -> list[int]:
        first = await slowly(url)
        tag = first.headers["ETag"]
        again = await slowly(url, **{"If-None-Match": tag})
        await Shelf.objects.filter(pk=3).aupdate(name="b")
        changed = await slowly(url, **{"If-None-Match": tag, "X-Name": "b"})
        return [first.status_code, again.status_code, changed.status_code]

    assert async_to_sync(visit)() == [200, 200 if what == "time" else 304, 200]


def test_a_change_between_two_pieces() -> None:
    """The first is older than the change, the second is not: nobody may be told to keep that."""
    visitor = Visitor()
    MEANWHILE[:] = [lambda: elsewhere(lambda: execute("UPDATE site_shelf SET name = 'b'"))]
    assert read("/names/", visitor) == b"1 shelves: b "
    assert not visitor.is_answered_without_view("/names/")


def test_what_another_thread_reads_between_two_pieces() -> None:
    visitor = Visitor()
    found: list[int] = []
    MEANWHILE[:] = [lambda: found.append(elsewhere(Shelf.objects.count))]
    read("/names/", visitor)
    assert found == [1]
    assert len(RECORDS) == 0


def test_what_another_thread_reads_before_the_first_piece() -> None:
    response = Visitor().get("/names/")
    elsewhere(Shelf.objects.count)
    assert response.getvalue() == b"1 shelves: a "
    response.close()
    assert len(RECORDS) == 0


def test_a_stream_that_breaks_off() -> None:
    visitor = Visitor()
    response = visitor.get("/broken/")
    with pytest.raises(OSError, match="disk"):
        response.getvalue()
    response.close()
    assert len(RECORDS) == 0


def test_a_client_that_goes_away() -> None:
    response = Visitor().get("/names/")
    next(iter(response.streaming_content))
    response.close()
    assert len(RECORDS) == 0


def test_a_file_is_not_followed() -> None:
    visitor = Visitor()
    first = visitor.get("/file/")
    assert first.getvalue() == Path(__file__).read_bytes()
    first.close()
    assert "ETag" not in first.headers
    assert len(RECORDS) == 0


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    connections.close_all()
