"""Pages that hold something of one response alone: a masked CSRF token, or a CSP nonce.

Django masks the token anew for each response, so such a page never has the same bytes twice, and
it is right only for a client with the same secret in its cookie. A tag for it is therefore weak,
and is bound to the secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from django.http import HttpRequest
from django.middleware import csrf

# Private, but the one definition of what a mask is, and the same in all supported versions.
_unmask: Callable[[str], str] = csrf._unmask_cipher_token  # type: ignore[attr-defined]

_TOKEN: Final = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z0-9]{64}(?![A-Za-z0-9])")


def holds_nonce(request: HttpRequest) -> bool:
    """Whether a CSP nonce was asked for while `request` was answered.

    Django's own middleware and django-csp both leave it there once it is made. Page and header
    carry the same one, so a stored page is right under its own header alone.
    """
    return bool(getattr(request, "_csp_nonce", None))


def is_masked(request: HttpRequest) -> bool:
    """Whether a token was asked for while `request` was answered."""
    # ``get_token`` sets the flag; CsrfViewMiddleware sets it to False once the cookie is written.
    return "CSRF_COOKIE_NEEDS_UPDATE" in request.META


def secret_digest(request: HttpRequest) -> bytes:
    """A digest of the client's CSRF secret, fit to be a hash's key; empty without a secret."""
    secret = request.META.get("CSRF_COOKIE", "")
    return blake2b(_plain(secret).encode(), digest_size=16).digest() if secret else b""


def without_masks(request: HttpRequest, body: bytes) -> bytes:
    """`body` with every masked form of the client's secret replaced by one and the same text."""
    secret = _plain(request.META.get("CSRF_COOKIE", ""))

    def unmasked(match: re.Match[bytes]) -> bytes:
        token = match[0].decode("ascii")
        return b"{csrf token}" if _unmask(token) == secret else match[0]

    return _TOKEN.sub(unmasked, body)


def _plain(secret: str) -> str:
    """The secret itself: cookies written by Django before 4.1 held it masked."""
    return _unmask(secret) if len(secret) == 64 else secret
