"""The responses that conditional requests end with, and the fields that a 200 is given.

Rules of this module:

- A 304 repeats the fields of :mod:`notmodified.http.fields`; cookies that the view has set go with
  it, but not the renewal of a CSRF cookie that the client has just sent.
- Only a 2xx is given validators, and what the view has set itself stays.
- A response with a validator states its freshness (RFC 9111 §4.2.2), unless somebody further out
  still will.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase, ResponseHeaders
from django.utils.log import log_response

from notmodified.http.caching import with_stated_freshness
from notmodified.http.dates import format_date, parse_date
from notmodified.http.entity_tags import EntityTag
from notmodified.http.fields import repeated_in_304
from notmodified.http.preconditions import Representation
from notmodified.reasons import Reason, give
from notmodified.records.headers import RememberedHeaders, marks_of
from notmodified.validators.per_response import is_masked

MIDDLEWARE_FLAG = "notmodified.middleware"
"""In ``request.META`` while the middleware is around: it states the freshness last of all."""


DATED_FLAG = "notmodified.dated"
"""In ``request.META`` where a view has a way to a Last-Modified time, and none to a tag."""


class NotModified(HttpResponseNotModified):
    """A 304 of ours: it has every field that the 200 has got so far."""

    def __init__(self, headers: ResponseHeaders) -> None:
        # What Django does here, but for the Content-Type that it makes and takes away again.
        HttpResponseBase.__init__(self, content_type="")
        self.headers = headers
        self.content = b""


def is_successful(response: HttpResponseBase) -> bool:
    return 200 <= response.status_code < 300


def put_validators(response: HttpResponseBase, representation: Representation) -> None:
    """ETag and Last-Modified, where known, settled, and not set by the view."""
    if representation.etag is not None and not response.has_header("ETag"):
        response.headers["ETag"] = str(representation.etag)
    if (
        representation.last_modified is not None
        and representation.settled
        and not response.has_header("Last-Modified")
    ):
        response.headers["Last-Modified"] = format_date(representation.last_modified)


def carried_by(response: HttpResponseBase) -> Representation:
    """The representation as the response's own fields describe it."""
    return Representation(
        EntityTag.parse(response.headers.get("ETag", "")),
        parse_date(response.headers.get("Last-Modified", "")),
    )


def state_freshness(request: HttpRequest, response: HttpResponseBase, *, last: bool) -> None:
    """Add to Cache-Control what keeps clients from guessing.

    Unless `last`, that is left to the middleware of ours and to Django's cache middleware, where
    they are still to come: what we said first would change what they do.
    """
    if not (response.has_header("ETag") or response.has_header("Last-Modified")):
        return
    if not last and (
        request.META.get(MIDDLEWARE_FLAG) or getattr(request, "_cache_update_cache", False)
    ):
        return
    stated = response.headers.get("Cache-Control")
    value = with_stated_freshness(stated, expires=response.has_header("Expires"))
    if value is not None and value != stated:
        response.headers["Cache-Control"] = value


def not_modified(
    remembered: RememberedHeaders, representation: Representation, now: float
) -> NotModified:
    """The 304 in place of a 200 that is remembered."""
    response = NotModified(remembered.headers(now))
    for attribute, mark in remembered.marks:
        setattr(response, attribute, deepcopy(mark))
    if remembered.csrf_masked:
        put_validators(response, representation)
    return response


def not_modified_after(request: HttpRequest, response: HttpResponseBase) -> NotModified:
    """The 304 in place of `response`."""
    answer = NotModified(ResponseHeaders(dict(repeated_in_304(response.items()))))
    for attribute, mark in marks_of(response):
        setattr(answer, attribute, mark)
    answer.cookies = response.cookies
    if is_masked(request) and settings.CSRF_COOKIE_NAME in request.COOKIES:
        # The client has this very cookie: the tag that matched is bound to its secret.
        answer.cookies.pop(settings.CSRF_COOKIE_NAME, None)
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
    _take_over(response, answer)
    return answer


def precondition_failed(
    request: HttpRequest, response: HttpResponseBase | None = None
) -> HttpResponseBase:
    """A 412, in place of `response` where the view has already run."""
    answer = HttpResponse(status=412)
    log_response("Precondition Failed: %s", request.path, response=answer, request=request)
    give(request, answer, Reason.PRECONDITION_FAILED)
    if response is not None:
        _take_over(response, answer)
    return answer


def precondition_required(request: HttpRequest) -> HttpResponse:
    """A 428 (RFC 6585 §3): it explains itself, and no cache keeps it."""
    answer = HttpResponse(
        f"This {request.method} needs a precondition, so that it cannot overwrite a change you "
        f"have not seen. Get the resource, and send the ETag of the answer back as If-Match.\n",
        status=428,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )
    log_response("Precondition Required: %s", request.path, response=answer, request=request)
    return answer


def _take_over(response: Any, answer: Any) -> None:
    """What the view has opened for its response is closed with the answer that is sent."""
    answer._resource_closers.extend(response._resource_closers)
