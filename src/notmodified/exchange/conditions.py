"""The order of things in a conditional request (RFC 9110 §13.2).

For GET and HEAD: what is known; the verdict, if this process has seen the view's 200 under the
same validators; else the view, the validators on its response, and the verdict on those.
For unsafe methods: the verdict on what is known, before the view; then the view.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from itertools import count
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified import conf
from notmodified.causes import Objection
from notmodified.exchange import answers
from notmodified.exchange.known import NOTHING, Source, Sources, Subject
from notmodified.http.entity_tags import EntityTag
from notmodified.http.preconditions import (
    SAFE_TO_REPEAT,
    UNCONDITIONAL,
    Altered,
    Preconditions,
    Representation,
    Verdict,
    parse_fields,
)
from notmodified.reasons import Reason, give
from notmodified.records.headers import MEMORY, RememberedHeaders, resource_of
from notmodified.validators.base import Validator
from notmodified.validators.per_response import holds_nonce, is_masked, secret_digest

_serials = count()
_FAILED = Verdict.PRECONDITION_FAILED
_REQUIRING = frozenset({"PUT", "PATCH", "DELETE"})


def preconditions_of(request: HttpRequest) -> Preconditions:
    return preconditions_in(request.META)


def preconditions_in(meta: Mapping[str, Any]) -> Preconditions:
    """Those in ``META`` or a WSGI environ."""
    get = meta.get
    return parse_fields(
        get("HTTP_IF_MATCH"),
        get("HTTP_IF_UNMODIFIED_SINCE"),
        get("HTTP_IF_NONE_MATCH"),
        get("HTTP_IF_MODIFIED_SINCE"),
    )


def altered() -> Altered:
    """Where the site lets tags be recognised as an intermediary altered them."""
    accepts = conf.current().ALTERED_IF_MATCH == "accept"
    return Altered.EVERYWHERE if accepts else Altered.IF_NONE_MATCH


class Conditions:
    """How one view answers conditional requests.

    `etag` and `last_modified` are callables or validators; `view` names the view in errors.
    `stored_as_sent` says that the view stores the content of a PUT without any transformation, so
    that its answer may carry validators (RFC 9110 §9.3.4). `precondition_required` makes PUT, PATCH
    and DELETE without a precondition a 428 (RFC 6585 §3).
    """

    def __init__(
        self,
        etag: Source | None,
        last_modified: Source | None,
        *,
        view: str,
        stored_as_sent: bool = False,
        precondition_required: bool = False,
    ) -> None:
        for source in (etag, last_modified):
            if isinstance(source, type) and issubclass(source, Validator):
                raise TypeError(
                    f"{view}: {source.__name__} is a class; a validator is made by calling it, as "
                    f"in @etag({source.__name__}(...))."
                )
            if source is not None and not callable(getattr(source, "version", source)):
                raise TypeError(
                    f"{view}: a validator or a callable is needed, as in "
                    f"@etag(lambda request: ...), not {source!r}."
                )
        self.sources = Sources(etag, last_modified, view)
        # Two views may share a dotted name, but never what is remembered of them.
        self.serial = next(_serials)
        self.stored_as_sent = stored_as_sent
        self.precondition_required = precondition_required

    def answer(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        variant: str = "",
    ) -> HttpResponseBase:
        """The answer to `request`, from `view` where it must run."""
        turn = self.turn(request, args, kwargs, variant=variant)
        early = turn.before()
        if early is not None:
            return early
        return turn.after(view(request, *turn.args, **turn.kwargs))

    async def aanswer(
        self,
        request: HttpRequest,
        view: Callable[..., Awaitable[HttpResponseBase]],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        variant: str = "",
    ) -> HttpResponseBase:
        """The same for a view that is a coroutine function."""
        turn = self.turn(request, args, kwargs, variant=variant)
        early = await turn.abefore()
        if early is not None:
            return early
        return await turn.aafter(await view(request, *turn.args, **turn.kwargs))

    def turn(
        self,
        request: HttpRequest,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        variant: str = "",
    ) -> Turn:
        """One request's way through the conditions, for who runs the view elsewhere."""
        return Turn(self, request, args, kwargs or {}, variant)


class Turn:
    """One request's way through the conditions of its view.

    Call `before`; if that gives an answer, it is the answer. Else run the view, and call `after`.
    """

    __slots__ = (
        "_known",
        "_method",
        "_preconditions",
        "_reason",
        "_request",
        "_required",
        "_safe",
        "_serial",
        "_sources",
        "_stored_as_sent",
        "_subject",
        "args",
        "call",
        "kwargs",
    )

    def __init__(
        self,
        conditions: Conditions,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        variant: str,
    ) -> None:
        self._sources = conditions.sources
        self._stored_as_sent = conditions.stored_as_sent
        self._required = conditions.precondition_required
        self._serial = conditions.serial
        # Django REST framework wraps the request; callables get the one that the view gets.
        self._request: HttpRequest = (
            request if isinstance(request, HttpRequest) else request._request
        )
        self.args, self.kwargs = args, kwargs
        self.call = (request, args, kwargs)
        self._method = request.method or ""
        self._safe = self._method in SAFE_TO_REPEAT
        self._preconditions = preconditions_of(self._request)
        self._known = NOTHING
        self._subject = Subject(
            resource_of(self._sources.view, self._request), variant, time.time()
        )
        self._reason = Reason.UNCONDITIONAL

    def before(self) -> HttpResponseBase | None:
        """The answer that needs no view, if there is one."""
        if self._safe and self._preconditions and self._sources.remember:
            early = self._from_memory()
            if early is not None:
                return early
        return self._answer_to(self._sources.ask(*self.call) if self._asks_before() else None)

    async def abefore(self) -> HttpResponseBase | None:
        return self._answer_to(
            await self._sources.aask(*self.call) if self._asks_before() else None
        )

    def after(self, response: HttpResponseBase) -> HttpResponseBase:
        """The answer, now that the view has run."""
        if not answers.is_successful(response) or self._method in UNCONDITIONAL:
            return response
        if getattr(response, "is_rendered", True):
            return self._finished(response)
        # Rendering may still read the database, and the content is not there yet.
        response.add_post_render_callback(self._finished)  # type: ignore[attr-defined]
        return response

    async def aafter(self, response: HttpResponseBase) -> HttpResponseBase:
        if self._safe and not self._sources.validators:
            return self.after(response)
        # Finishing asks the sources once more, which may block.
        return await sync_to_async(self.after)(response)

    def _asks_before(self) -> bool:
        if self._method in UNCONDITIONAL:
            return False
        return self._safe or bool(self._preconditions)

    def _from_memory(self) -> HttpResponseBase | None:
        """The 304 to what the validators remember, if they confirm it.

        They are asked last, when all else is done: what runs after the trip to a cache runs from a
        cold processor, and takes twice as long.
        """
        said = self._sources.remembered(*self.call)
        if said is None:
            return None
        self._known = self._sources.known(said, self._subject)
        judged = self._judged()
        if judged is None or judged[0] is not Verdict.NOT_MODIFIED:
            return None
        answer = answers.not_modified(*judged[1:], self._subject.begun)
        if not self._sources.still(said, *self.call):
            return None
        give(self._request, answer, Reason.UNCHANGED)
        return answer

    def _answer_to(self, said: tuple[Any, ...] | None) -> HttpResponseBase | None:
        if said is not None:
            self._known = self._sources.known(said, self._subject)
        if self._safe:
            return self._before_safe() if self._preconditions else None
        if self._required and self._method in _REQUIRING and not self._preconditions:
            return answers.precondition_required(self._request)
        if said is not None and self._judge(self._known.representation) is _FAILED:
            return answers.precondition_failed(self._request)
        return None

    def _before_safe(self) -> HttpResponseBase | None:
        judged = self._judged()
        if judged is None:
            return None
        verdict, remembered, representation = judged
        if verdict is Verdict.NOT_MODIFIED:
            answer = answers.not_modified(remembered, representation, self._subject.begun)
            give(self._request, answer, Reason.UNCHANGED)
            return answer
        if verdict is _FAILED:
            return answers.precondition_failed(self._request)
        self._reason = Reason.CHANGED
        return None

    def _judged(self) -> tuple[Verdict, RememberedHeaders, Representation] | None:
        """The verdict on what is known, if the view's 200 under it is remembered."""
        representation, subject = self._known.representation, self._subject
        version = self._version()
        if version is None:
            self._reason = self._known.reason or Reason.NO_VERSION
            return None
        remembered = MEMORY.recall(subject.resource, self._request, version)
        if remembered is None:
            self._reason = Reason.HEADERS_UNKNOWN
            return None
        if remembered.csrf_masked:
            representation = _bound_to_secret(self._request, representation)
        return self._judge(representation), remembered, representation

    def _version(self) -> tuple[int, EntityTag | None, int | None] | None:
        """What a remembered 200 is found by; ``None`` where nothing tells one from the next."""
        etag, last_modified, settled, _ = self._known.representation
        if not settled:
            last_modified = None
        if etag is None and last_modified is None:
            return None
        return self._serial, etag, last_modified

    def _judge(self, representation: Representation) -> Verdict:
        return self._preconditions.judge(self._method, representation, altered=altered())

    def _finished(self, response: HttpResponseBase) -> HttpResponseBase:
        if not self._safe:
            if self._sends_new_validators(response):
                known = self._sources.known(self._sources.ask(*self.call), self._subject)
                answers.put_validators(response, known.representation)
            return response
        if self._sources.are_dates_alone:
            self._request.META[answers.DATED_FLAG] = True
        representation = self._representation_of(response)
        ours = not response.has_header("ETag")
        answers.put_validators(response, representation)
        answers.state_freshness(self._request, response, last=False)
        if ours:
            self._remember(response, representation)
        return concluded(self._request, response, self._reason, altered=_altered_for(ours))

    def _representation_of(self, response: HttpResponseBase) -> Representation:
        """What is known of the representation in `response`; nothing, if it moved meanwhile."""
        if holds_nonce(self._request):
            return self._nothing(Reason.CSP_NONCE)
        completed = self._sources.completed(self._known, self.call, self._request, response)
        if completed is None:
            return self._nothing(Reason.MOVED_MEANWHILE)
        found = self._sources.known(completed, self._subject)
        if found.reason is not None:
            self._reason = found.reason
        if is_masked(self._request) and not self._known.pending:
            return _bound_to_secret(self._request, found.representation)
        if response.streaming and self._sources.validators and found.representation.etag:
            # Nobody has seen yet what the stream will be made of.
            return found.representation._replace(etag=found.representation.etag.weakened())
        return found.representation

    def _nothing(self, reason: Reason) -> Representation:
        self._reason, self._known = reason, NOTHING
        return NOTHING.representation

    def _remember(self, response: HttpResponseBase, representation: Representation) -> None:
        version = self._version()
        if version is None or self._method != "GET" or response.status_code != 200:
            return
        MEMORY.remember(
            self._subject.resource,
            self._request,
            version,
            response,
            csrf_masked=is_masked(self._request),
            now=time.time(),
        )

    def _sends_new_validators(self, response: HttpResponseBase) -> bool:
        """Whether the answer to a write may describe what the write has left (RFC 9110 §8.8).

        A 201 to anything but a PUT describes another resource. A PUT's answer carries validators
        only if the content was stored as it was sent (§9.3.4).
        """
        if self._method == "PUT":
            return self._stored_as_sent
        return response.status_code != 201


def concluded(
    request: HttpRequest,
    response: HttpResponseBase,
    reason: Reason,
    *,
    altered: Altered,
    why: Objection | None = None,
) -> HttpResponseBase:
    """`response` to a GET or HEAD, or what its validators and the preconditions make of it.

    `why` is the reason for which the response was not recorded.
    """
    if not answers.is_successful(response):
        return response
    preconditions = preconditions_of(request)
    if preconditions:
        representation = answers.carried_by(response)
        verdict = preconditions.judge(request.method or "", representation, altered=altered)
        if verdict is Verdict.NOT_MODIFIED:
            response = answers.not_modified_after(request, response)
            reason = Reason.RENDERED_UNCHANGED
        elif verdict is _FAILED:
            response = answers.precondition_failed(request, response)
            reason = Reason.PRECONDITION_FAILED
        elif reason is Reason.UNCONDITIONAL:
            reason = Reason.CHANGED
    give(request, response, reason, why)
    return response


def _altered_for(ours: bool) -> Altered:
    return altered() if ours else Altered.NOWHERE


def _bound_to_secret(request: HttpRequest, representation: Representation) -> Representation:
    """The representation of a page with a CSRF token: right for one secret, in other bytes each
    time (RFC 9110 §8.8.1), and of no use as a date, which cannot tell secrets apart."""
    tag = representation.etag
    if tag is not None:
        hash_ = blake2b(tag.opaque.encode(), digest_size=16, key=secret_digest(request))
        tag = EntityTag(hash_.hexdigest(), weak=True)
    return representation._replace(etag=tag, last_modified=None)
