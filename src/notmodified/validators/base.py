"""What a validator is: a way to know the version of a resource.

Rules of this room:

- One file per way. Each says what it costs, what it sees, and what it does not.
- A version is text: equal texts mean that the view would answer the same, in the same language
  and time zone, for the same build. The face turns it into an entity tag.
- A version is read *before* the view runs, and again after: if it moved meanwhile, the response
  gets none.
- Where the version is not known, it is :data:`UNKNOWN`, and the view runs. Where the resource does
  not exist, it is :data:`ABSENT`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from notmodified.ledger.tokens import key_of
from notmodified.reasons import Reason


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a resource at one moment.

    `text` is the version itself, ``None`` where it is not known, and `reason` then says why.
    `last_modified` is the second (since 1970) of the last change, where the validator has an
    honest one. `exists` is whether the resource exists, ``None`` where that is not known.
    `pending` says that the rest is known once the view has run. `parts` are the versions that a
    combination was made of.
    """

    text: str | None
    last_modified: int | None = None
    weak: bool = False
    exists: bool | None = True
    pending: bool = False
    reason: Reason | None = None
    parts: tuple[Version, ...] = ()


UNKNOWN: Final = Version(None, exists=None, reason=Reason.NO_VERSION)
ABSENT: Final = Version(None, exists=False)


class Validator(ABC):
    """A way to know a version; usable wherever the decorators take a callable."""

    @abstractmethod
    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        """The version before the view has run. Called with what the view is called with."""

    async def aversion(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        """The same from async code. Django's database layer is synchronous underneath."""
        return await sync_to_async(self.version)(request, *args, **kwargs)

    def remembered(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version | None:
        """The version that this process knew last, found without asking anybody.

        It counts for nothing until `still` has confirmed it. ``None`` where there is none, or where
        asking costs no more.
        """
        return None

    def still(self, version: Version, request: HttpRequest, *args: Any, **kwargs: Any) -> bool:
        """Whether `version`, read before the view ran, is the version now that it has."""
        return self.version(request, *args, **kwargs) == version

    def complete(
        self, version: Version, request: HttpRequest, response: HttpResponseBase
    ) -> Version:
        """`version`, with what only the rendered response can tell."""
        return version


def digest(parts: Iterable[str]) -> str:
    """A hash of several texts, each delimited by its length: 128 bits, in hexadecimal."""
    return key_of(*parts)


def name_of(function: Callable[..., Any]) -> str:
    """The dotted name of a callable, for keys and for errors."""
    function = getattr(function, "view_class", function)
    qualname = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{qualname}"
