"""The middleware: every response without a better validator gets a hash of its content.

Put it first in ``MIDDLEWARE``, so that it sees what the others make of a response: Vary, cookies,
content codings, what Django's cache middleware has stored.

Rules of this module:

- The validators of a view stay. What has none gets the content's hash; what cannot have one gets a
  reason.
- A page that Django's cache framework serves gets a Last-Modified too: the time since which its
  bytes have been these, in the shared cache, so that a refreshed page which came out the same
  keeps it.
- Preconditions of GET and HEAD are judged on the finished response. Those of unsafe methods are
  the business of the decorators: here the write has happened already.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified import conf
from notmodified.exchange import answers, streams
from notmodified.exchange.automatic import Automatic
from notmodified.exchange.conditions import altered, concluded
from notmodified.http.entity_tags import EntityTag
from notmodified.http.preconditions import SAFE_TO_REPEAT, Altered, Representation
from notmodified.reads.recorder import current, recording
from notmodified.reads.watching import inspected
from notmodified.reasons import Reason, given
from notmodified.records.first_seen import first_seen
from notmodified.records.headers import resource_of
from notmodified.validators.content import version_of_content

GetResponse = Callable[[HttpRequest], Any]


def is_automatic() -> bool:
    """Whether the project has responses recorded, and so needs the log and its triggers."""
    return conf.MIDDLEWARE in settings.MIDDLEWARE and conf.current().LEDGER is not None


class NotModifiedMiddleware:
    """Gives validators to responses that have none, and answers GET and HEAD by them."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(request)
        if current() is not None:  # a view asks for another page, which becomes part of its own
            inner: HttpResponseBase = self._get_response(request)
            return inner
        begun = time.time()
        automatic = Automatic(request)
        record = automatic.found()
        answer = automatic.confirmed(record) if record is not None else None
        if answer is not None and not automatic.is_audited():
            return answer
        request.META[answers.MIDDLEWARE_FLAG] = True
        recorder = automatic.begin()
        with recording(recorder), inspected(recorder):
            response = self._get_response(request)
            recorder.held = response.streaming
        return self._finished(request, response, begun, automatic)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        if current() is not None:
            inner: HttpResponseBase = await self._get_response(request)
            return inner
        begun = time.time()
        automatic = Automatic(request)
        record = automatic.found()
        if record is not None:
            answer = await sync_to_async(automatic.confirmed)(record)
            if answer is not None and not automatic.is_audited():
                return answer
        request.META[answers.MIDDLEWARE_FLAG] = True
        recorder = automatic.begin()
        with recording(recorder), inspected(recorder):
            response = await self._get_response(request)
            recorder.held = response.streaming
        asks = recorder.reason is None or automatic.audited is not None
        if asks or _is_of_cache_framework(request):
            return await sync_to_async(self._finished)(request, response, begun, automatic)
        return self._finished(request, response, begun, automatic)

    def _finished(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        begun: float,
        automatic: Automatic,
    ) -> HttpResponseBase:
        streamed = response.streaming and automatic.follows(response)
        if response.status_code == 304:
            # CommonMiddleware counts the content of every response; a 304 has none, and this field
            # would speak of the 200's (RFC 9110 §8.6).
            response.headers.pop("Content-Length", None)
            if isinstance(response, answers.NotModified):
                answers.state_freshness(request, response, last=True)
        if request.method not in SAFE_TO_REPEAT or not answers.is_successful(response):
            automatic.compare(response)
            return response
        tags = Altered.NOWHERE
        reason = given(request) or Reason.UNCONDITIONAL
        # A tag beside a view's own time would be the one that clients are judged by, and it takes
        # the view to make it.
        tagless = not (response.has_header("ETag") or request.META.get(answers.DATED_FLAG))
        if tagless:
            automatic.describe(response)
        if tagless and response.status_code == 200:
            if streamed:
                answers.put_validators(response, Representation(streams.new_tag()))
            else:
                version = version_of_content(request, response)
                reason = version.reason or reason
                if version.text is not None:
                    tag = EntityTag(version.text, version.weak)
                    answers.put_validators(response, _represented(request, tag, begun))
                    tags = altered()
                automatic.date(response)
        automatic.compare(response)
        answers.state_freshness(request, response, last=True)
        why = None if streamed else automatic.remember(response)
        return concluded(request, response, reason, altered=tags, why=why)


def _represented(request: HttpRequest, tag: EntityTag, begun: float) -> Representation:
    representation = Representation(tag)
    if not _is_of_cache_framework(request) or tag.weak:
        return representation
    resource = resource_of("", request)
    seen = first_seen("\n".join(resource), str(tag))
    return representation._replace(last_modified=seen, settled=seen is None or seen <= begun)


def _is_of_cache_framework(request: HttpRequest) -> bool:
    """Whether Django's cache middleware, or ``cache_page``, stands behind the response."""
    return hasattr(request, "_cache_update_cache")
