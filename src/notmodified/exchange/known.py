"""From callables and validators to what is known of the selected representation.

Rules of this module:

- A callable may return what Django's decorators accept, and an :class:`EntityTag`. Anything else
  is an error that names the view.
- What a validator says is made a tag together with what it cannot see but the page depends on: the
  active language and time zone, the negotiated media type, and ``NOTMODIFIED["BUILD"]``.
- An exception in a callable goes its way, with a note that names the view.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from notmodified.build import build
from notmodified.exchange.surroundings import spoken
from notmodified.http.entity_tags import EntityTag
from notmodified.http.intermediaries import unmistakable
from notmodified.http.preconditions import Representation
from notmodified.reasons import Reason
from notmodified.records.first_seen import first_seen
from notmodified.records.headers import Resource
from notmodified.validators.base import ABSENT, Validator, Version, digest

Source = Validator | Callable[..., Any]


_TEXTS: Final = frozenset({str, type(None)})
_TIMES: Final = frozenset({int, type(None)})


class ValidatorError(TypeError):
    """A callable given to a decorator returned what no validator can be made of."""


class Subject(NamedTuple):
    """What a request asks about, and since when we know of it.

    `variant` tells apart representations of one resource by their negotiated media type; it is
    empty for the view's own first choice. `begun` is the time at which the request was taken up.
    """

    resource: Resource
    variant: str
    begun: float


class Known(NamedTuple):
    """What is known of the selected representation.

    `said` is what each source said, to be completed, and compared with what it says after the view
    has run.
    """

    representation: Representation
    said: tuple[Any, ...] = ()

    @property
    def versions(self) -> tuple[Version, ...]:
        return tuple(answer for answer in self.said if isinstance(answer, Version))

    @property
    def pending(self) -> bool:
        return any(version.pending for version in self.versions)

    @property
    def reason(self) -> Reason | None:
        return next((version.reason for version in self.versions if version.reason), None)


NOTHING: Final = Known(Representation(exists=None))


class Sources:
    """The ways to the entity tag and the Last-Modified time of one view."""

    def __init__(self, etag: Source | None, last_modified: Source | None, view: str) -> None:
        self.view = view
        self._etag = etag
        self._last_modified = last_modified
        # The tag's source comes first, the time's last; one in both places is asked once.
        self._asked = tuple(dict.fromkeys(s for s in (etag, last_modified) if s is not None))
        self.validators = tuple(s for s in self._asked if isinstance(s, Validator))
        self.are_dates_alone = etag is None
        self.remember = last_modified is None and self._asked == self.validators
        """Whether all are validators, which may remember what they said last, and none is asked
        for a time: what is only remembered must not be noted as seen."""
        self._calls = tuple((s, _call(s)) for s in self._asked)
        self._async_calls = tuple((s, _async_call(s)) for s in self._asked)

    def ask(
        self, request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        """What each source says, in order."""
        said = []
        for source, call in self._calls:
            try:
                said.append(self._checked(source, call(request, *args, **kwargs)))
            except BaseException as error:
                said.append(self._caught(source, error))
        return tuple(said)

    def remembered(
        self, request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """What each source said last; only if :attr:`remember`."""
        said = tuple([source.remembered(request, *args, **kwargs) for source in self.validators])
        return None if None in said else said

    def still(
        self,
        said: tuple[Any, ...],
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> bool:
        """Whether what each validator said is what it says now."""
        return all(
            source.still(before, request, *args, **kwargs)
            for source, before in zip(self._asked, said, strict=True)
            if isinstance(source, Validator)
        )

    async def aask(
        self, request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...]:
        said = []
        for source, call in self._async_calls:
            try:
                said.append(self._checked(source, await call(request, *args, **kwargs)))
            except BaseException as error:
                said.append(self._caught(source, error))
        return tuple(said)

    def known(self, said: tuple[Any, ...], subject: Subject) -> Known:
        """What follows from what the sources said."""
        etag, last_modified, settled = None, None, True
        if self._etag is not None:
            etag = self._tag(said[0], subject.variant)
        if self._last_modified is not None:
            last_modified = self._time(said[-1], subject)
            settled = last_modified is None or last_modified < int(subject.begun)
        return Known(Representation(etag, last_modified, settled, _exists(said)), said)

    def completed(
        self,
        known: Known,
        call: tuple[HttpRequest, tuple[Any, ...], dict[str, Any]],
        request: HttpRequest,
        response: HttpResponseBase,
    ) -> tuple[Any, ...] | None:
        """What each source says once the response is there; ``None`` if one moved meanwhile."""
        if not self.still(known.said, *call):
            return None
        return tuple(
            source.complete(before, request, response) if isinstance(source, Validator) else before
            for source, before in zip(self._asked, known.said, strict=True)
        )

    def _checked(self, source: Source, said: Any) -> Any:
        """What a source said; what a validator of the site's own says may be nonsense."""
        if not isinstance(said, Version):
            if source in self.validators:
                raise ValidatorError(
                    f"{type(source).__name__}.version() returned {said!r} for {self.view}. It must "
                    f"return a Version."
                )
        elif type(said.text) not in _TEXTS or type(said.last_modified) not in _TIMES:
            raise ValidatorError(
                f"{type(source).__name__}.version() returned {said!r} for {self.view}. The text "
                f"of a Version must be a str or None, its last_modified an int (seconds since "
                f"1970) or None."
            )
        return said

    def _caught(self, source: Source, error: BaseException) -> Version:
        if isinstance(error, Http404) and isinstance(source, Validator):
            return ABSENT
        error.add_note(f"While computing the validators of {self.view}.")
        raise error

    def _tag(self, said: Any, variant: str) -> EntityTag | None:
        if isinstance(said, Version):
            return None if said.text is None else _computed_tag(said, variant)
        if said is None:
            return None
        if isinstance(said, str | EntityTag):
            return _stated_tag(said, variant)
        raise ValidatorError(
            f"The ETag callable of {self.view} returned {said!r}. It must return a str such "
            f"as '\"abc\"', 'W/\"abc\"' or 'abc', or None where there is no tag."
        )

    def _time(self, said: Any, subject: Subject) -> int | None:
        if isinstance(said, Version):
            if said.last_modified is not None or said.text is None:
                return said.last_modified
            return self._first_seen(str(_computed_tag(said, subject.variant)), subject)
        if said is None:
            return None
        if not isinstance(said, datetime):
            raise ValidatorError(
                f"The Last-Modified callable of {self.view} returned {said!r}. It must return an "
                f"aware datetime, or None where there is no time."
            )
        if timezone.is_aware(said):
            return int(said.timestamp())
        # As Django does; but an hour that the clocks go through twice tells no order.
        if not settings.USE_TZ and _is_ambiguous(said):
            return None
        return int(said.replace(tzinfo=UTC).timestamp())

    def _first_seen(self, text: str, subject: Subject) -> int | None:
        return first_seen("\n".join([*subject.resource, subject.variant]), text)


def _call(source: Source) -> Callable[..., Any]:
    if isinstance(source, Validator):
        return source.version
    return async_to_sync(source) if iscoroutinefunction(source) else source


def _async_call(source: Source) -> Callable[..., Any]:
    if isinstance(source, Validator):
        return source.aversion
    # What is synchronous may use the ORM, which refuses to run in an event loop.
    return source if iscoroutinefunction(source) else sync_to_async(source)


def _exists(said: tuple[Any, ...]) -> bool | None:
    """Django's convention: a callable returns ``None`` where the resource does not exist."""
    exists: bool | None = not said
    for answer in said:
        state = answer.exists if isinstance(answer, Version) else answer is not None
        if state:
            return True
        if state is None:
            exists = None
    return exists


@lru_cache(maxsize=4096)
def _stated_tag(said: str | EntityTag, variant: str) -> EntityTag:
    tag = said if isinstance(said, EntityTag) else EntityTag.parse(said) or EntityTag.of(said)
    opaque = f"{tag.opaque}.{digest([variant])[:8]}" if variant else tag.opaque
    return unmistakable(EntityTag.of(opaque, weak=tag.weak))


def _computed_tag(version: Version, variant: str) -> EntityTag:
    assert version.text is not None
    return _tag_of(version.text, version.weak, variant, *spoken(), build())


@lru_cache(maxsize=4096)
def _tag_of(text: str, weak: bool, *context: str) -> EntityTag:
    return EntityTag(digest([text, *context]), weak)


def _is_ambiguous(naive: datetime) -> bool:
    zone = timezone.get_default_timezone()
    return naive.replace(tzinfo=zone, fold=0).utcoffset() != (
        naive.replace(tzinfo=zone, fold=1).utcoffset()
    )
