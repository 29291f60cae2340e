"""Why an answer is what it is: a closed list, said in the log and in ``Cache-Status``.

Rule: every way of not giving a validator, or of not answering from one, has a reason here.
"""

from __future__ import annotations

import logging
from enum import Enum

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified import conf
from notmodified.causes import Objection

logger = logging.getLogger("notmodified")


class Reason(Enum):
    """A reason; the value is its text, and its name its anchor in the documentation."""

    UNCHANGED = "unchanged; the view did not run"
    RENDERED_UNCHANGED = "unchanged; found after the view had run"
    CHANGED = "the client's copy is not current"
    UNCONDITIONAL = "the client holds no copy"
    PRECONDITION_FAILED = "a precondition is false"
    NO_VERSION = "the version is not known"
    HEADERS_UNKNOWN = "the headers a 304 must repeat are not known in this process yet"
    MOVED_MEANWHILE = "something changed while the view ran"
    CSRF_MASKED = "the page holds a CSRF token, which is masked anew each time"
    CSP_NONCE = "the page holds a CSP nonce, which is another one each time"
    STREAMING = "the content is streamed"
    NO_CONTENT_TO_HASH = "a HEAD answer without content has no hash"
    NO_STORE = "the response forbids storing"


_HIT = frozenset({Reason.UNCHANGED})


_GIVEN = "notmodified.reason"


def given(request: HttpRequest) -> Reason | None:
    """The reason that somebody further in has given for this request's answer."""
    return request.META.get(_GIVEN)


def take_back(request: HttpRequest) -> None:
    """The answer for which a reason was given is not sent."""
    request.META.pop(_GIVEN, None)


def give(
    request: HttpRequest, response: HttpResponseBase, reason: Reason, why: Objection | None = None
) -> None:
    """Put `reason` on record, and into the response where the settings allow it.

    `why` is the reason for which the response was not recorded, so that the view will have to run
    again.
    """
    request.META[_GIVEN] = reason
    detail = reason.value if why is None else f"{reason.value}; not recorded: {why}"
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s %s: %s", request.method, request.path, detail)
    status = cache_status(reason, detail)
    if status is not None:
        response.headers["Cache-Status"] = status


def cache_status(reason: Reason, detail: str | None = None) -> str | None:
    """The value of ``Cache-Status``, where the settings allow it."""
    if not conf.current().CACHE_STATUS:
        return None
    outcome = "hit" if reason in _HIT else "fwd=miss"
    return f"notmodified; {outcome}; detail={_quoted(detail or reason.value)}"


def _quoted(text: str) -> str:
    """A string of structured fields (RFC 9651 §3.3.3): printable ASCII."""
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
