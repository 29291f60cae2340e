"""Asks the site for a page, and says what it depends on, what would move it, and why it is recorded
or is not.

Rules of this module:

- The page is asked for by the project's own handler in this process, as a client would ask: twice,
  so that what the first visit leaves behind (a cookie, a value in a cache) is there.
- Nothing is left behind: a session that was made to log somebody in is taken away again.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client

from notmodified.causes import Cause, Objection
from notmodified.reads.recorder import unrecorded
from notmodified.reads.trace import Query, Trace, tracing
from notmodified.records.explain import explain
from notmodified.records.store import Record
from notmodified.sql.dependencies import SEPARATOR


class UnknownUserError(Exception):
    """There is nobody of that name."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that the page was made from: `what` it is, which part of it counts (`why`), what
    would move the page, and the queries and places that have read it."""

    what: str
    why: str
    moved_by: str
    queries: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one request.

    `until` is when the page may read otherwise by itself, in ISO 8601. `cause` and `address` are
    those of why it was not recorded, `detail` and `place` what it was exactly.
    """

    url: str
    status: int
    etag: str | None
    recorded: bool
    cause: str | None
    detail: str | None
    place: str | None
    address: str | None
    until: str | None
    dependencies: tuple[Dependency, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_VISITS: Final = 3


class Visitor:
    """Asks for one page, as one client would."""

    def __init__(self, client: Client, path: str, *, secure: bool) -> None:
        self._client, self._path, self._secure = client, path, secure

    def __call__(self) -> tuple[Any, Trace]:
        """The response to one more visit, and what it was made from."""
        with tracing() as trace:
            response: Any = self._client.get(self._path, secure=self._secure)
            if response.streaming:
                response.streaming_content = [b"".join(response)]  # to be read again
        return response, trace

    def until_recorded(self) -> tuple[Any, Trace]:
        """The same once what the first visits leave behind is there."""
        for _ in range(_VISITS):
            response, trace = self()
            if trace.record is not None:
                break
        return response, trace


@contextmanager
def visitor(
    url: str, *, user: str | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[Visitor]:
    """Somebody who visits `url`, a path or an address of the site's, and is logged in with the name
    `user` meanwhile. Raises UnknownUserError."""
    parts = urlsplit(url)
    client = Client(
        raise_request_exception=False,
        headers=dict(headers or {}),
        SERVER_NAME=parts.hostname or _host(),
        SERVER_PORT=str(parts.port or (443 if parts.scheme == "https" else 80)),
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if user is not None:
        _log_in(client, user)
    try:
        yield Visitor(client, path, secure=parts.scheme == "https")
    finally:
        if user is not None:
            client.logout()


def ask(
    url: str, *, user: str | None = None, headers: Mapping[str, str] | None = None
) -> Explanation:
    """The explanation of `url`; see :func:`visitor`."""
    with visitor(url, user=user, headers=headers) as visit:
        response, trace = visit.until_recorded()
    return _explanation(url, response, trace)


def objection_to(response: Any, trace: Trace) -> Objection | None:
    """Why `response` was not recorded, if it was not."""
    if trace.record is not None:
        return None
    if trace.objection is None:  # nobody had to ask whether it can be
        return Objection(Cause.NOT_A_PAGE, f"the status is {response.status_code}")
    return trace.objection


def _host() -> str:
    """A name by which the site answers."""
    names = [name for name in settings.ALLOWED_HOSTS if name not in ("*", "")]
    return names[0].lstrip(".") if names else "localhost"


def _log_in(client: Client, name: str) -> None:
    model = get_user_model()
    with unrecorded():
        try:
            found = model._default_manager.get_by_natural_key(name)
        except model.DoesNotExist:
            raise UnknownUserError(f"There is no user with the name {name!r}.") from None
        client.force_login(found)


def _explanation(url: str, response: Any, trace: Trace) -> Explanation:
    record, objection = trace.record, objection_to(response, trace)
    dependencies = (
        _of_record(record, trace) if record is not None else _of_queries(trace.queries, trace)
    )
    until = record.between[1] if record is not None and record.between is not None else None
    moment = until and datetime.datetime.fromtimestamp(until, datetime.UTC).isoformat()
    return Explanation(
        url=url,
        status=response.status_code,
        etag=response.headers.get("ETag"),
        recorded=record is not None,
        cause=objection.cause.name if objection else None,
        detail=objection.detail if objection else None,
        place=objection.place if objection else None,
        address=objection.cause.address if objection else None,
        until=moment,
        dependencies=tuple(dependencies),
    )


def _of_record(record: Record, trace: Trace) -> Iterable[Dependency]:
    by_table = _by_table(trace.queries)
    for reason in explain(record):
        queries = by_table.get(reason.what, [])
        places = {query.place for query in queries} | {
            place for what, place in trace.places.items() if _named(what) == reason.what
        }
        if reason.what == "time":
            places |= {place for _, place in trace.times}
        yield Dependency(
            reason.what,
            reason.why,
            reason.moved_by,
            tuple(dict.fromkeys(query.sql for query in queries)),
            tuple(sorted(filter(None, places))),
        )


def _of_queries(queries: list[Query], trace: Trace) -> Iterable[Dependency]:
    """What was noted until something stood in the way."""
    for table, found in _by_table(queries).items():
        yield Dependency(
            table,
            "read before that",
            "",
            tuple(dict.fromkeys(query.sql for query in found)),
            tuple(sorted({query.place for query in found if query.place})),
        )


def _by_table(queries: Iterable[Query]) -> dict[str, list[Query]]:
    found: dict[str, list[Query]] = {}
    for query in queries:
        for table in sorted({key.partition(SEPARATOR)[0] for key in query.keys}):
            found.setdefault(table, []).append(query)
    return found


def _named(what: Any) -> str:
    """What a record calls an input or a value of a cache."""
    if len(what) == 2:
        return f"{what[0]} {what[1]}".strip()
    return f"cache {what[0]}:{what[1]}"
