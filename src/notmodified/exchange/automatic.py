"""The automatic 304: what a response was made from is recorded, and the record answers next time.

Rules of this module:

- Only GETs without content are recorded, and only their 200s; HEAD is answered from them.
- Where anything is in doubt the view runs, and the reason is on record.
- Inside a transaction, where a request can only come from a test, the ledger sees less than the
  view would: there the view runs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, cast

from django.conf import settings
from django.core.signals import setting_changed
from django.db import Error, connections
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.template import engines
from django.utils.autoreload import file_changed

from notmodified import conf
from notmodified.causes import Cause, Objection
from notmodified.exchange import answers, audit, streams, variants
from notmodified.exchange.conditions import altered, preconditions_in
from notmodified.exchange.surroundings import defaults, surroundings
from notmodified.http.caching import directives
from notmodified.http.preconditions import SAFE_TO_REPEAT, Representation, Verdict
from notmodified.reads.inputs import Cookies, noting
from notmodified.reads.kinds import ABOUT_NOBODY, COOKIE
from notmodified.reads.others import rows_dropped
from notmodified.reads.recorder import Read, Recorder, release
from notmodified.reads.sessions import note_session
from notmodified.reasons import Reason, give, take_back
from notmodified.records import databases
from notmodified.records.headers import headers_of
from notmodified.records.shared import shared
from notmodified.records.store import RECORDS, Key, Proof, Record, key_of, size_of
from notmodified.sql.dependencies import SEPARATOR
from notmodified.validators.per_response import holds_nonce

MOST_KEYS: Final = 2_000
"""A response that depends on more depends on whole tables instead."""


def unmodified(
    method: str,
    key: Key,
    meta: Mapping[str, Any],
    cookies: Cookies,
    surroundings: tuple[Any, ...],
) -> Record | None:
    """The record that says *not modified* to a request, if it still holds."""
    if method not in SAFE_TO_REPEAT or has_content(meta):
        return None
    preconditions = preconditions_in(meta)
    if not preconditions:
        return None

    def fits(record: Record) -> bool:
        verdict = preconditions.judge(method, record.representation, altered=altered())
        return verdict is Verdict.NOT_MODIFIED

    return RECORDS.find(key, meta, cookies, surroundings, fits)


def has_content(meta: Mapping[str, Any]) -> bool:
    """Whether a request says that it has content."""
    return meta.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in meta


def _has_received_content(request: Any) -> bool:
    """The same for HTTP/2, where content comes unannounced: ASGI hands it over in a file."""
    if not hasattr(request, "scope") or request.scope.get("http_version") in ("1.0", "1.1"):
        return False
    stream = request._stream
    try:
        at, end = stream.tell(), stream.seek(0, 2)
        stream.seek(at)
    except OSError:
        return True  # nobody knows
    return bool(end)


@cache
def _templates_may_change() -> bool:
    """Whether an engine reads templates anew when their files change, as Jinja2 does under DEBUG.
    Django's own tells the autoreloader."""
    return any(
        getattr(getattr(engine, "env", None), "auto_reload", False) for engine in engines.all()
    )


def scheme_of(request: Any) -> str:
    """The scheme by which the server was asked, whatever a proxy says of it."""
    if hasattr(request, "scope"):
        return str(request.scope.get("scheme") or "http")
    return str(request.environ.get("wsgi.url_scheme"))


class Automatic:
    """One request, from its arrival to the record of its response."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._method = request.method or ""
        self._key = key_of(request.META, scheme_of(request))
        self._surroundings = surroundings()
        self._begun, self._arrived = time.time(), time.monotonic()
        self._since: int | None = None
        self._confirmed: Record | None = None
        self.audited: Record | None = None
        """What would have answered, where the view is run all the same."""

    def _objection(self) -> Objection | None:
        """Why this request cannot be recorded from the outset."""
        if conf.current().LEDGER is None:
            return Objection(Cause.LEDGER, "there is no ledger")
        if not conf.is_first():
            return Objection(Cause.REQUEST, "the middleware is not first")
        if self._method not in SAFE_TO_REPEAT:
            return Objection(Cause.NOT_A_PAGE, f"the method is {self._method}")
        if has_content(self._request.META) or _has_received_content(self._request):
            return Objection(Cause.NOT_A_PAGE, "the request has content")
        if _templates_may_change():
            return Objection(Cause.TEMPLATES, "templates are compiled anew when they change")
        return None

    def found(self) -> Record | None:
        """The record that says *not modified* to this request, if it still holds."""
        request = self._request
        return unmodified(
            self._method, self._key, request.META, lambda: request.COOKIES, self._surroundings
        )

    def confirmed(self, record: Record) -> HttpResponseBase | None:
        """The 304, if `record` holds, or another that says it. Asks the ledger."""
        found: Record | None = record
        while found is not None:
            if any(connections[proof.database.alias].in_atomic_block for proof in found.proofs):
                return None
            if found.holds():
                answer = answers.not_modified(found.headers, found.representation, self._begun)
                give(self._request, answer, Reason.UNCHANGED)
                self._confirmed = found
                return answer
            RECORDS.drop(self._key, found)
            found = self.found()
        return None

    def is_audited(self) -> bool:
        """Whether the view is to run although a record answers."""
        if not audit.is_due():
            return False
        self.audited = self._confirmed
        take_back(self._request)
        return True

    def compare(self, response: HttpResponseBase) -> None:
        """Where the view was run for an audit, see whether `response` is what the record said.
        Asks the ledger."""
        record = self.audited
        if record is None or response.streaming:
            return
        shown = answers.carried_by(response)
        if response.status_code in (200, 304) and shown.etag == record.representation.etag:
            return
        if record.holds():  # still: so nothing that is known has made the difference
            audit.report(self._request, record, f"{response.status_code} {shown.etag}")

    def begin(self) -> Recorder:
        """From here on, what the request is asked for is noted."""
        self._recorder = recorder = Recorder(databases.begin, self._objection())
        if recorder.reason is None:
            noting(self._request, recorder)
        return recorder

    def describe(self, response: HttpResponseBase) -> None:
        """Tell caches on the way what `response` was made from."""
        note_session(self._request, self._recorder)
        variants.let_client_store(response)
        variants.describe(response, self._recorder.inputs)

    def date(self, response: HttpResponseBase) -> None:
        """Give `response` a Last-Modified time, if there is an honest one. Asks the ledger.

        It is the end of the second in which the first record was made of all that have held until
        now. It is given to requests that come after it, so that whoever has it has seen what was
        current then. A response that depends on inputs has none: a date cannot tell them apart; nor
        has one that depends on values of caches, which may come back.
        """
        recorder = self._recorder
        if recorder.reason is not None or len(recorder.reads) != 1:
            return
        if any(kind not in ABOUT_NOBODY for kind, _ in recorder.inputs) or recorder.cached:
            return
        if self._surroundings != defaults():
            return
        [read] = recorder.reads.values()
        now = int(min(snapshot.clock for snapshot in read.at.values()))
        self._since = now + 1
        etag = answers.carried_by(response).etag
        known = RECORDS.find(
            self._key,
            self._request.META,
            lambda: self._request.COOKIES,
            self._surroundings,
            lambda record: record.since is not None and record.representation.etag == etag,
        )
        if known is not None and known.since is not None and known.holds():
            self._since = known.since
            if known.since <= now:
                answers.put_validators(response, Representation(last_modified=known.since))

    def remember(self, response: HttpResponseBase) -> Objection | None:
        """Record `response`, which is complete; or say why not. Asks the ledger."""
        objection = self._remember(response)
        if self._recorder.trace is not None:
            self._recorder.trace.objection = objection
        return objection

    def _remember(self, response: HttpResponseBase) -> Objection | None:
        note_session(self._request, self._recorder)
        representation = answers.carried_by(response)
        reason = self._recorder.reason or self._objection_to(response)
        if representation.etag is None and representation.last_modified is None:
            reason = reason or Objection(Cause.NO_TAG, "there is no validator")
        if reason is not None:
            return reason
        try:
            self._recorder.remember()
        except Error as error:
            return Objection(Cause.ERROR, f"an error: {error}")
        if self._recorder.reason is not None:
            return self._recorder.reason
        proofs = []
        for read in self._recorder.reads.values():
            proof = _proof(read)
            if proof is None:
                return Objection(Cause.MOVED, "something changed while the view ran")
            proofs.append(proof)
        names = shared(tuple(self._recorder.inputs))
        values = tuple(self._recorder.inputs.values())
        headers = headers_of(response, csrf_masked=False, now=time.time())
        record = Record(
            representation,
            headers,
            names,
            values,
            self._surroundings,
            tuple(proofs),
            size_of(self._key, headers, values, tuple(proofs), len(self._recorder.cached)),
            self._recorder.fresh_for and self._arrived + self._recorder.fresh_for,
            self._since,
            None if self._recorder.ends == math.inf else (self._begun, self._recorder.ends),
            self._recorder.cached or None,
        )
        RECORDS.put(self._key, record)
        if self._recorder.trace is not None:
            self._recorder.trace.record = record
        for proof in proofs:
            proof.database.compact()
        return None

    def follows(self, response: HttpResponseBase) -> bool:
        """Whether `response`, which is streamed, will be recorded at its end, if nothing comes
        between."""
        recorder = self._recorder
        if recorder.reason is not None or self._objection_to(response) is not None:
            release(recorder)
            return False

        def ended() -> None:
            release(recorder)
            self.remember(response)

        streams.follow(cast(StreamingHttpResponse, response), recorder, ended)
        return True

    def _cookie_set_by(self, response: HttpResponseBase) -> str | None:
        """A cookie that `response` sets, other than the CSRF cookie that the client has sent, whose
        renewal no 304 repeats; or that it takes away from a client who has it."""
        if response.has_header("Set-Cookie"):
            return str(response.headers["Set-Cookie"]).partition("=")[0]
        for cookie in response.cookies.values():
            own = self._request.COOKIES.get(cookie.key)
            if own is None and cookie["max-age"] == 0:
                self._recorder.note(COOKIE, cookie.key, own)  # there is none to be taken away
            elif cookie.key != settings.CSRF_COOKIE_NAME or cookie.value != own:
                return str(cookie.key)
        return None

    def _objection_to(self, response: HttpResponseBase) -> Objection | None:
        """What makes `response` one that cannot be repeated by a 304 to somebody else."""
        request = self._request
        if self._method != "GET":
            return Objection(Cause.NOT_A_PAGE, f"the method is {self._method}")
        if response.status_code != 200:
            return Objection(Cause.NOT_A_PAGE, f"the status is {response.status_code}")
        cookie = self._cookie_set_by(response)
        if cookie is not None:
            where = self._recorder.cookies.get(cookie)
            return Objection(Cause.COOKIE, f"it sets the cookie {cookie}", where)
        if audit.is_blocked(request):
            return Objection(Cause.AUDITED, "an audit has found another page")
        if response.has_header("Age"):
            return Objection(Cause.ONCE_ONLY, "it tells its age")
        if "no-store" in directives(response.headers.get("Cache-Control", "")):
            return Objection(Cause.FORBIDDEN, "it forbids storing")
        if holds_nonce(request):
            return Objection(Cause.ONCE_ONLY, "it holds a CSP nonce")
        return None


def _proof(read: Read) -> Proof | None:
    """The proof that nothing has moved since each connection began to read."""
    keys = read.keys
    if len(keys) > MOST_KEYS:
        keys = {key.partition(SEPARATOR)[0] for key in keys}
    for snapshot in read.at.values():
        position = snapshot.database.unmoved(keys, snapshot.position)
        if position is None:
            return None
    return Proof.of(snapshot.database, keys, position)


@receiver(file_changed)
def _code_changed(**kwargs: Any) -> None:
    """Under ``runserver`` templates change without a restart."""
    RECORDS.forget()


@receiver(rows_dropped)
def _rows_dropped(**kwargs: Any) -> None:
    """What was recorded after a write may have been made from what was kept from before it."""
    RECORDS.forget()


@receiver(setting_changed)
def _settings_changed(**kwargs: Any) -> None:
    RECORDS.forget()
    _templates_may_change.cache_clear()
