"""An ASGI application that answers from records before Django has begun.

Put ``from notmodified.asgi import get_asgi_application`` in the place of Django's own. Everything
works without it, with the middleware alone.

Rule of this module: it answers what the middleware in the same place would answer, or lets the
request through.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application as get_django_application
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIRequest

from notmodified import conf
from notmodified.exchange import audit
from notmodified.exchange.automatic import scheme_of, unmodified
from notmodified.exchange.surroundings import surroundings
from notmodified.reasons import Reason, cache_status
from notmodified.records.store import RECORDS, key_of

Application = Callable[[Any, Any, Any], Awaitable[None]]

_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})


def get_asgi_application() -> Application:
    """Django's ASGI application, behind one that answers from records."""
    return NotModifiedApplication(get_django_application())


class NotModifiedApplication:
    """Answers conditional GETs that a record answers; `application` gets the others."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # Later versions send content unannounced, and Django would have to read it first.
        old = scope["type"] == "http" and scope.get("http_version", "1.1") in ("1.0", "1.1")
        if old and any(name in _CONDITIONS for name, _ in scope["headers"]):
            fields = await _answer(scope)
            if fields is not None:
                await send({"type": "http.response.start", "status": 304, "headers": fields})
                await send({"type": "http.response.body", "body": b""})
                return
        await self._application(scope, receive, send)


async def _answer(scope: Any) -> list[tuple[bytes, bytes]] | None:
    """The header fields of the 304, if a record answers."""
    if not conf.is_first():
        return None
    try:
        request = ASGIRequest(scope, BytesIO())
    except (RequestAborted, ValueError):
        return None  # Django answers what it cannot read
    key = key_of(request.META, scheme_of(request))
    record = unmodified(
        request.method or "", key, request.META, lambda: request.COOKIES, surroundings()
    )
    if record is None:
        return None
    if audit.is_due():
        audit.order()
        return None
    if not await sync_to_async(record.holds, thread_sensitive=False)():
        RECORDS.drop(key, record)
        return None
    fields = record.headers.lines_now(time.time())
    status = cache_status(Reason.UNCHANGED)
    if status is not None:
        fields.append(("Cache-Status", status))
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields]
