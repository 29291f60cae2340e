"""Several validators, or callables, as one.

The combination moves when any part moves; it is known when all are, weak when one is, and its
time is the latest. It exists if every part does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified.validators.base import ABSENT, UNKNOWN, Validator, Version, digest, name_of


class combine(Validator):
    """One validator out of `parts`: validators, or callables that return a str (or ``None``).

    A callable is how a page says what else it varies by::

        combine(field(...), lambda request, **kwargs: str(request.user.pk))
    """

    def __init__(self, *parts: Validator | Callable[..., str | None]) -> None:
        if not parts:
            raise TypeError("combine() needs at least one validator.")
        self.parts = tuple(p if isinstance(p, Validator) else _Stated(p) for p in parts)

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return _joined(tuple(p.version(request, *args, **kwargs) for p in self.parts))

    async def aversion(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        return _joined(tuple([await p.aversion(request, *args, **kwargs) for p in self.parts]))

    def still(self, version: Version, request: HttpRequest, *args: Any, **kwargs: Any) -> bool:
        if not version.parts:
            return self.version(request, *args, **kwargs) == version
        return all(
            part.still(known, request, *args, **kwargs)
            for part, known in zip(self.parts, version.parts, strict=True)
        )

    def complete(
        self, version: Version, request: HttpRequest, response: HttpResponseBase
    ) -> Version:
        if not version.pending:
            return version
        return _joined(
            tuple(
                part.complete(known, request, response)
                for part, known in zip(self.parts, version.parts, strict=True)
            )
        )


class _Stated(Validator):
    """A callable's own word for the version."""

    def __init__(self, function: Callable[..., str | None]) -> None:
        if not callable(function):
            raise TypeError(f"combine() takes validators and callables, not {function!r}.")
        self._function = function

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        text = self._function(request, *args, **kwargs)
        if text is None:
            return UNKNOWN
        if not isinstance(text, str):
            raise TypeError(
                f"{name_of(self._function)} returned {text!r} to combine(); it must return a str, "
                f"or None where the version is not known."
            )
        return Version(text)


def _joined(parts: tuple[Version, ...]) -> Version:
    if any(part.exists is False for part in parts):
        return ABSENT
    times = [part.last_modified for part in parts]
    pending = any(part.pending for part in parts)
    texts = [part.text for part in parts]
    unknown = next((part for part in parts if part.text is None and not part.pending), None)
    if unknown is not None:
        return unknown
    return Version(
        None if pending else digest(text or "" for text in texts),
        last_modified=None if None in times else max(time or 0 for time in times),
        weak=any(part.weak for part in parts),
        exists=None if any(part.exists is None for part in parts) else True,
        pending=pending,
        parts=parts,
    )
