"""A random token in the cache, keyed by the view's parameters: no query at all.

Costs one round trip to the cache. Sees every write that Django's ORM makes to the watched models,
in any process: ``save`` in all forms, ``create``, ``update``, ``bulk_*``, ``delete`` and its
cascades, many-to-many changes, and SQL given to a Django cursor. Does not see writes of other
programs, and of database triggers. A flushed or restarted cache costs one render per page.

How it works. When a page is first asked for, ``watch`` is called once and says what the page is
made of. What it said is noted in the cache together with a digest of each dependency's own random
token. As long as these are the same, the digest is the page's version. Once one moved, the page is
asked again what it is made of: it may be made of other rows by now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.http import HttpRequest

from notmodified.ledger.stores import StoreError
from notmodified.reasons import logger
from notmodified.validators.base import ABSENT, UNKNOWN, Validator, Version, digest, name_of
from notmodified.validators.identity import NoIdentityError, identity_of, identity_of_values
from notmodified.writes.dependencies import Keys, watched
from notmodified.writes.triggers.declare import tables_of
from notmodified.writes.watch import tokens, watch

MOST_ROWS: Final = 64
"""Of a set with more members than this, the table is watched instead of each row."""


class Members:
    """The rows of `model` whose foreign key has one value, as something to watch."""

    def __init__(self, model: type[models.Model], **foreign_key: Any) -> None:
        if len(foreign_key) != 1:
            raise TypeError(
                "Members() takes a model and one foreign key: Members(Icon, desktop=d)."
            )
        [(name, value)] = foreign_key.items()
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise TypeError(f"Members(): {error}") from error
        if not isinstance(field, models.ForeignKey):
            raise TypeError(f"Members(): {model.__name__}.{name} is no foreign key.")
        self.model = model
        self.field = field
        target = field.target_field.attname
        self.value = getattr(value, target) if isinstance(value, models.Model) else value


Watched = models.Model | type[models.Model] | Members


class token(Validator):
    """A random token, replaced when something that the page is made of is written.

    `watch` is called with what the view is called with, and returns what the page is made of: model
    instances (their rows), model classes (whole tables) and :class:`Members` (the rows that belong
    to something). Models must be named in ``NOTMODIFIED["WATCH"]``. ``None`` or Http404 from it
    mean that the resource does not exist.

    A page's key are the view's parameters. What else decides what it is made of, `vary` must say::

        token(lambda request: [request.user], vary=lambda request: str(request.user.pk))

    `name` tells this token's pages from those of others, where `watch` cannot do so itself.
    `using` is the alias of the database.
    """

    def __init__(
        self,
        watch: Callable[..., Iterable[Watched] | None],
        *,
        vary: Callable[..., str] | None = None,
        name: str | None = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        if not callable(watch):
            raise TypeError(
                "token() takes a callable that returns what the page is made of, as in "
                "token(lambda request, pk: [Desktop.objects.get(pk=pk)])."
            )
        self._watch = watch
        self._vary = vary
        self._using = using
        self._name = name_of(watch)
        try:
            self._identity = name or identity_of(watch)
        except NoIdentityError as error:
            raise TypeError(
                f"token() cannot tell {self._name} from others like it, because of {error}. Give "
                f'the token a name of its own: token(..., name="desktop").'
            ) from error
        self._known: dict[str, list[str]] = {}
        self._lock = Lock()

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        connection = connections[self._using]
        if not watch(connection).sees_present():
            return UNKNOWN
        keys = Keys(connection)
        note = self._note(keys, request, args, kwargs)
        try:
            text = self._current(note)
            if text is None:
                text = self._mint(note, keys, request, args, kwargs)
        except StoreError as error:
            logger.warning("token: %s", error)
            return UNKNOWN
        return UNKNOWN if text is None else ABSENT if text == "" else Version(text)

    def still(self, version: Version, request: HttpRequest, *args: Any, **kwargs: Any) -> bool:
        """Whether the page's token is the one it was, also where the view has read in between."""
        keys = Keys(connections[self._using])
        try:
            return self._current(self._note(keys, request, args, kwargs)) == version.text
        except StoreError:
            return False

    def _note(
        self, keys: Keys, request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> str:
        """The page's key: this token, the database, and the view's parameters."""
        varied = "" if self._vary is None else str(self._vary(request, *args, **kwargs))
        try:
            parameters = identity_of_values([*args, *sorted(kwargs.items())])
        except NoIdentityError as error:
            raise TypeError(
                f"token() of {self._name} cannot tell pages apart by the view's parameter "
                f"{error}. Give the view a str, an int or a UUID, or use combine()."
            ) from error
        return digest([self._identity, keys.any(), varied, parameters])

    def _current(self, note: str) -> str | None:
        """The page's token, if what it depends on has not moved since it was minted."""
        for _ in range(2):
            keys = self._known.get(note, [])
            states, noted = tokens().read(keys, note)
            if noted is None:
                return None
            state, noted_keys = json.loads(noted)
            if noted_keys == keys:
                fresh = states is not None and digest([note, *states]) == state
                return state if fresh else None
            self._remember(note, noted_keys)
        return None

    def _mint(
        self,
        note: str,
        keys: Keys,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> str | None:
        """A new token for the page; empty where it does not exist; ``None`` while writers are busy.

        It is the digest of its dependencies' tokens, so that all processes mint the same. The two
        readings of the key that every write moves bracket the query: if they are equal, nothing
        has moved between what the query saw and the states that are noted with it.
        """
        before, _ = tokens().read([keys.any()], note)
        if before is None:
            return None
        parts = self._watch(_NoRequest(self) if self._vary is None else request, *args, **kwargs)
        if parts is None:
            return ""
        if isinstance(parts, models.QuerySet):
            raise TypeError(
                f"{self._name} returned a queryset to token(), which says nothing of rows that "
                f"are yet to come. Return Members({parts.model.__name__}, foreign_key=value), or "
                f"the model {parts.model.__name__} for the whole table; or list() of it, if only "
                f"the rows that are there now count."
            )
        wanted = sorted(self._keys(keys, parts))
        if not wanted:
            return None  # what is made of nothing today may be made of something tomorrow
        states, _ = tokens().read([keys.any(), *wanted], note)
        if states is None or states[0] != before[0]:
            return None
        state = digest([note, *states[1:]])
        tokens().note(note, json.dumps([state, wanted]))
        self._remember(note, wanted)
        return state

    def _remember(self, note: str, keys: list[str]) -> None:
        with self._lock:
            while len(self._known) >= 65_536:
                self._known.pop(next(iter(self._known)))
            self._known[note] = keys

    def _keys(self, keys: Keys, parts: Iterable[Watched]) -> set[str]:
        found: set[str] = set()
        for part in parts:
            if isinstance(part, models.Model):
                self._check(type(part))
                found.update(keys.of_instance(part))
            elif isinstance(part, type) and issubclass(part, models.Model):
                self._check(part)
                found.update(keys.table(table) for table in tables_of(part))
            elif isinstance(part, Members):
                self._check(part.model)
                found.update(self._keys_of_members(keys, part))
            else:
                raise TypeError(
                    f"{self._name} returned {part!r} to token(); it must return model instances, "
                    f"model classes, or Members(Model, foreign_key=value)."
                )
        return found

    def _keys_of_members(self, keys: Keys, part: Members) -> set[str]:
        rows = part.model._base_manager.using(self._using)
        members = list(rows.filter(**{part.field.attname: part.value})[: MOST_ROWS + 1])
        if len(members) > MOST_ROWS:
            return {keys.table(part.model._meta.db_table)}
        found = set(keys.of_members(part.model, part.field, part.value))
        for member in members:
            found.update(keys.of_instance(member))
        return found

    def _check(self, model: type[models.Model]) -> None:
        if model._meta.db_table.lower() not in watched():
            raise ImproperlyConfigured(
                f"{self._name} watches {model._meta.label}, which "
                f'NOTMODIFIED["WATCH"] does not name: add "{model._meta.label}" to it, so that '
                f"every process that writes it knows."
            )


class _NoRequest:
    """Stands for a request that must not be looked at: it is no part of the page's key."""

    def __init__(self, owner: token) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        raise TypeError(
            f"{self._owner._name} looks at request.{name} to say what the page is made of, but "
            f"the page's key are the view's parameters alone. Say what else it varies by: "
            f"token(..., vary=lambda request, **kwargs: str(request.{name}))."
        )
