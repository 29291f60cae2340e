"""What each vendor's file provides.

A *definition* is a trigger without its name: the name follows from the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers.declare import Part, Versioned

PREFIX: Final = "notmodified_"
LOG_PREFIX: Final = "notmodifiedlog_"
"""For the triggers of the log, which are installed and counted apart."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger: its table, its name, and the statements that create and drop it."""

    table: str
    name: str
    create: tuple[str, ...]
    drop: tuple[str, ...]


def trigger_name(table: str, definition: str) -> str:
    """A name that tells its definition, within the 63 bytes that PostgreSQL allows."""
    digest = blake2b(f"{table}\n{definition}".encode(), digest_size=8).hexdigest()
    return f"{PREFIX}{digest}"


@dataclass(frozen=True, slots=True)
class Vendor:
    """One database engine's way with triggers.

    `triggers` compiles a declaration. `installed` lists the names of ours on one table that are
    enabled; a third argument is another prefix. `drop` gives the statements that drop one of ours.
    `count` gives a scalar subquery, with its parameters, that counts those of some triggers which
    are installed. `part_state` gives one for the state of a part's rows, where triggers cannot keep
    it (else ``None``), in two halves: between them goes a query for the keys of the wholes.
    `random` is a fresh version.
    """

    triggers: Callable[[BaseDatabaseWrapper, Versioned, Iterable[Part]], Iterator[Trigger]]
    installed: Callable[..., set[str]]
    drop: Callable[[BaseDatabaseWrapper, str, str], tuple[str, ...]]
    count: Callable[[BaseDatabaseWrapper, Collection[Trigger]], tuple[str, list[str]]]
    part_state: Callable[[BaseDatabaseWrapper, Part], tuple[str, str]] | None
    random: str
