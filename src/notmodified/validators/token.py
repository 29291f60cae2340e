"""A random token in the cache, keyed by the view's parameters: no query at all.

Costs one round trip to the cache. Sees every write that Django's ORM makes to the watched models,
in any process: ``save`` in all forms, ``create``, ``update``, ``bulk_*``, ``delete`` and its
cascades, many-to-many changes, and SQL given to a Django cursor. Does not see writes of other
programs, and of database triggers. A flushed or restarted cache costs one render per page.

How it works. When a page is first asked for, ``watch`` is called once and says what the page is
made of. What it said is noted in the cache together with the stamp of each dependency. As long as
these are the same, a digest of them is the page's version. Once one moved, the page is asked again
what it is made of: it may be made of other rows by now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest

from notmodified.build import build
from notmodified.ledger.store import StoreError
from notmodified.reasons import logger
from notmodified.validators.base import ABSENT, UNKNOWN, Validator, Version, digest, name_of
from notmodified.validators.identity import NoIdentityError, identity_of, identity_of_values
from notmodified.writes.claims import tokens
from notmodified.writes.dependencies import Keys, bare, identity, watched
from notmodified.writes.triggers.declare import tables_of
from notmodified.writes.watch import watch

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


_Page = tuple[str, str, str, tuple[str, ...], tuple[type, ...], tuple[Any, ...]]
"""What tells a page from others: the build, the database, what `vary` says, and the view's
parameters: the names of those that have one, the types, and the values."""

_TELLING: Final = frozenset({str, int, bool, UUID})
"""Types whose values are equal only if they mean the same page."""

_MOST_PAGES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamped(Version):
    """A version of a page, and the stamps that its dependencies had under their keys."""

    keys: tuple[str, ...]
    stamps: list[int]


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
            self._identity = identity_of(watch)
        except NoIdentityError as error:
            if name is None:
                raise TypeError(
                    f"token() cannot tell {self._name} from others like it, because of {error}. "
                    f'Give the token a name of its own: token(..., name="desktop").'
                ) from error
            self._identity = ""
        if name is not None:
            self._identity = digest([name, self._identity])
        self._pages: dict[_Page, _Stamped] = {}
        self._lock = Lock()

    def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
        connection = connections[self._using]
        # First, because what `vary` reads may pin the past.
        page = self._page(connection, request, args, kwargs)
        if not watch(connection).sees_present():
            return UNKNOWN
        try:
            known = self._confirmed(self._pages.get(page))
            if known is not None:
                return known
            return self._noted(page) or self._minted(page, connection, request, args, kwargs)
        except StoreError as error:
            logger.warning("token: %s", error)
            return UNKNOWN

    def remembered(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version | None:
        connection = connections[self._using]
        page = self._page(connection, request, args, kwargs)
        return self._pages.get(page) if watch(connection).sees_present() else None

    def still(self, version: Version, request: HttpRequest, *args: Any, **kwargs: Any) -> bool:
        """Whether nothing that the page is made of has moved meanwhile."""
        if not isinstance(version, _Stamped):
            return True  # it stands for no content
        try:
            return self._confirmed(version) is not None
        except StoreError:
            return False

    def _confirmed(self, version: _Stamped | None) -> Version | None:
        if version is not None and tokens().are(version.keys, version.stamps):
            return version
        return None

    def _page(
        self,
        connection: BaseDatabaseWrapper,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> _Page:
        # Another release may make the page of other things.
        release = build()
        database = identity(connection)
        varied = "" if self._vary is None else str(self._vary(request, *args, **kwargs))
        names = tuple(sorted(kwargs))
        values = *args, *[kwargs[name] for name in names]
        types = tuple([type(value) for value in values])
        if _TELLING.issuperset(types):
            return release, database, varied, names, types, values
        try:
            return release, database, varied, names, (), (identity_of_values(values),)
        except NoIdentityError as error:
            raise TypeError(
                f"token() of {self._name} cannot tell pages apart by the view's parameter "
                f"{error}. Give the view a str, an int or a UUID, or use combine()."
            ) from error

    def _note(self, page: _Page) -> str:
        """The page's name in the cache, the same in every process."""
        *own, names, types, values = page
        kinds = [type_.__name__ for type_ in types]
        parameters = map(identity_of_values, (names, kinds, values))
        return digest([self._identity, *own, *parameters])

    def _noted(self, page: _Page) -> Version | None:
        """The version that another process has noted, if it is current."""
        noted = tokens().noted(self._note(page))
        if noted is None:
            return None
        keys, stamps = json.loads(noted)
        if not tokens().are(keys, stamps):
            return None
        return self._remember(page, keys, stamps)

    def _minted(
        self,
        page: _Page,
        connection: BaseDatabaseWrapper,
        request: HttpRequest,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Version:
        """A new version for the page; not known while writers are busy.

        It is the digest of its dependencies' stamps, so that all processes mint the same. The two
        readings of the key that every write moves bracket the query: if they are equal, nothing
        has moved between what the query saw and the stamps that are noted with it.
        """
        keys = Keys(connection)
        before = tokens().read([keys.any()])
        if before is None:
            return UNKNOWN
        parts = self._watch(_NoRequest(self) if self._vary is None else request, *args, **kwargs)
        if parts is None:
            return ABSENT
        if isinstance(parts, models.QuerySet):
            raise TypeError(
                f"{self._name} returned a queryset to token(), which says nothing of rows that "
                f"are yet to come. Return Members({parts.model.__name__}, foreign_key=value), or "
                f"the model {parts.model.__name__} for the whole table; or list() of it, if only "
                f"the rows that are there now count."
            )
        wanted = sorted(self._keys(keys, parts))
        if not wanted:
            return UNKNOWN  # what is made of nothing today may be made of something tomorrow
        stamps = tokens().read([keys.any(), *wanted])
        if stamps is None or stamps[:1] != before:
            return UNKNOWN
        tokens().note(self._note(page), json.dumps([wanted, stamps[1:]]))
        return self._remember(page, wanted, stamps[1:])

    def _remember(self, page: _Page, keys: list[str], stamps: list[int]) -> Version:
        text = digest([self._note(page), *map(str, stamps)])
        version = _Stamped(text, keys=tuple(keys), stamps=stamps)
        with self._lock:
            while len(self._pages) >= _MOST_PAGES:
                self._pages.pop(next(iter(self._pages)))
            self._pages[page] = version
        return version

    def _keys(self, keys: Keys, parts: Iterable[Watched]) -> set[str]:
        found: set[str] = set()
        for part in parts:
            if isinstance(part, models.Model):
                if part._state.adding:
                    raise TypeError(
                        f"{self._name} returned a {type(part).__name__} to token() that was never "
                        f"loaded, so that nobody knows whether its row is there: get() it."
                    )
                self._check(type(part), instance=part)
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

    def _check(self, model: type[models.Model], **hints: Any) -> None:
        written = router.db_for_write(model, **hints)
        if written != self._using and (
            identity(connections[written]) != identity(connections[self._using])
        ):
            raise ImproperlyConfigured(
                f"{self._name} watches {model._meta.label}, which is written to the database "
                f'{written!r}, but its token is of {self._using!r}: token(..., using="{written}").'
            )
        if bare(model._meta.db_table) not in watched():
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
