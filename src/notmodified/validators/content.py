"""The content itself as its version: a hash of the bytes, after the render.

Costs the whole render, saves the bytes. Sees everything that shapes the page. Needs no set-up, and
is what the middleware does for every response without a better validator.

Rules of this module:

- Hashed are the status, the identity bytes, Content-Type, Content-Language and the name of the
  content coding: the same page has the same tag on every machine, each coding has its own.
- A coding whose bytes are not the same each time (GZipMiddleware pads at random) makes the tag
  weak; the bytes hashed are those before the coding.
- Nothing is ignored silently. What cannot have a tag has a reason.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified import conf
from notmodified.http.caching import directives
from notmodified.reasons import Reason
from notmodified.validators.base import Validator, Version
from notmodified.validators.per_response import holds_nonce, is_masked, secret_digest, without_masks

_DECODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class content(Validator):
    """The hash of a response's bytes, as a validator.

    On unsafe methods nothing is known before the view has run, so every precondition on them is
    refused with 412.
    """

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return Version(None, exists=None, pending=True)

    async def aversion(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return self.version(request)

    def complete(
        self, version: Version, request: HttpRequest, response: HttpResponseBase
    ) -> Version:
        return version_of_content(request, response)


def version_of_content(request: HttpRequest, response: HttpResponseBase) -> Version:
    """The version of a rendered response, or the reason why it has none."""
    if response.streaming:
        return Version(None, reason=Reason.STREAMING)
    if "no-store" in directives(response.headers.get("Cache-Control", "")):
        return Version(None, reason=Reason.NO_STORE)
    if holds_nonce(request):
        return Version(None, reason=Reason.CSP_NONCE)
    body: bytes = getattr(response, "content", b"")
    if request.method == "HEAD" and not body:
        return Version(None, reason=Reason.NO_CONTENT_TO_HASH)
    coding = response.headers.get("Content-Encoding", "")
    weak = False
    if coding:
        decoder = _DECODERS.get(coding.lower())
        if decoder is not None:
            body, weak = decoder(body), True
    key = b""
    if is_masked(request):
        if conf.current().CSRF == "explain":
            return Version(None, reason=Reason.CSRF_MASKED)
        body, weak, key = without_masks(request, body), True, secret_digest(request)
    hash_ = blake2b(digest_size=16, key=key)
    for part in (
        str(response.status_code),
        response.headers.get("Content-Type", ""),
        response.headers.get("Content-Language", ""),
        coding,
    ):
        hash_.update(part.encode() + b"\0")
    hash_.update(body)
    return Version(hash_.hexdigest(), weak=weak)
