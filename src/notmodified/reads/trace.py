"""What a recorder has noted, with where: for whoever wants to know why.

Rule of this module: nothing is traced unless somebody has asked for it in this context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from notmodified.causes import Objection


class Query(NamedTuple):
    """A statement, what its result depends on, and who has run it."""

    alias: str
    sql: str
    keys: frozenset[str]
    place: str | None


@dataclass(slots=True)
class Trace:
    """What one response was made from. `record` is what has come of it, or `objection` why nothing
    has."""

    queries: list[Query] = field(default_factory=list)
    places: dict[Any, str | None] = field(default_factory=dict)
    """Where an input was read first, or a value of a cache."""
    times: list[tuple[float, str | None]] = field(default_factory=list)
    """Until when what was seen of the time holds, and where that was."""
    record: Any = None
    objection: Objection | None = None


TRACING: Final[ContextVar[Trace | None]] = ContextVar("notmodified.trace", default=None)


@contextmanager
def tracing() -> Iterator[Trace]:
    """Have what is recorded inside traced."""
    trace = Trace()
    token = TRACING.set(trace)
    try:
        yield trace
    finally:
        TRACING.reset(token)
