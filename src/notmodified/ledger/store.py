"""What a store of stamps does, whatever keeps them.

A *stamp* is one number under a key. It says two things at once, so that one reading tells both:
how often the key has moved since a random beginning, and, in its lowest bits, how many writers are
at work on what the key stands for. A key is *marked* while that count is not zero.

Rules of this module:

- A store does as it is told, and raises :class:`StoreError` when it cannot.
- What a mark is worth on each cache server is said in ``docs/guarantees.md``.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

MARK_SECONDS: Final = 24 * 60 * 60
"""A mark outlives any sensible transaction. After a crash it costs answers for so long."""

_WRITER_BITS: Final = 12
MOVE: Final = 1 << _WRITER_BITS
"""Added to a stamp for each move; what is below counts the writers."""

WRITERS: Final = MOVE - 1
"""The bits of a stamp that count the writers."""

FAR: Final = MOVE << 16
"""A stamp that is farther from the one a writer marked, or before it, was lost and minted anew."""

_RANDOM_BITS: Final = 50  # together they fit the signed 64 bits that Redis counts with

PREFIX: Final = "notmodified.k."


def fresh() -> int:
    """A stamp for a key that has none: it repeats none that the key has had, and is not marked."""
    return secrets.randbits(_RANDOM_BITS) << _WRITER_BITS


@dataclass(frozen=True, slots=True)
class Claim:
    """One writer's marks: each key with its stamp as marked, and the slot they are listed in."""

    stamps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    slot: str = ""
    writer: str = ""


NO_CLAIM: Final = Claim()


class StoreError(Exception):
    """The cache did not do what it was asked to."""


class Store(Protocol):
    """The few operations that tokens need; keys and notes are short ASCII texts."""

    transactional: bool
    """Whether what it writes is part of the transaction that the writer has open."""

    def read(self, keys: Sequence[str]) -> list[int | None]:
        """The stamps of `keys`, in their order; ``None`` for one that there is not."""

    def mint(self, keys: Collection[str]) -> None:
        """Give each key a fresh stamp, unless it has one."""

    def mark(self, keys: Collection[str], claim: Claim) -> Claim:
        """Move `keys` and count one more writer on each; `claim` with them."""

    def release(self, claim: Claim) -> None:
        """Move the keys of `claim` and count one writer less on each.

        A key that was lost and minted anew since is moved too, and nobody else's mark is taken.
        """

    def note(self, name: str, text: str) -> None:
        """Keep `text` under `name`, to be lost with the stamps."""

    def noted(self, name: str) -> str | None: ...


class store_errors:
    """Every client has its own exceptions for a server that does not answer: within this context
    they are StoreErrors. (A class, because a generator costs three times as much on each reading.)
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            text = str(error) or type(error).__name__
            raise StoreError(f"the cache {self._name!r}: {text}") from error


def is_same_life(stamp: int, marked: int) -> bool:
    """Whether a counter stands where `marked` can have come to, and was not lost in between."""
    return 0 <= stamp - marked < FAR
