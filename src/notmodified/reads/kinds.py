"""The kinds of inputs that a response may have, besides rows, caches and the time."""

from __future__ import annotations

from typing import Final

META: Final = "meta"
COOKIE: Final = "cookie"
SESSION: Final = "session"
"""Whether a session's cookie is kept: the name is the cookie's."""
NO_COOKIES: Final = "no cookies", ""
"""Whether there are none: C code may see that an empty dict is, without asking it for anything."""

FILE: Final = "file"
"""A question about a file: the name is that of the question and the path."""

ABOUT_NOBODY: Final = frozenset({SESSION, NO_COOKIES[0]})
"""Kinds of inputs that shape no content of a view that asks for nothing."""
