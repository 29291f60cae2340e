"""Remembered responses: of each its validators, what a 304 repeats, and the proof that it holds.

Rules of this module:

- A record is found by what a WSGI environ or an ASGI scope holds, before Django has seen it.
- It holds as long as the inputs that were read are the same and no dependency has moved. Whoever
  asks gets that proved anew, and the position of the proof takes the place of the old one.
- Memory is bounded in bytes; the least recently used goes first.
"""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

from notmodified.http.preconditions import Representation
from notmodified.ledger.database.names import BETWEEN
from notmodified.reads.caches import Asked, are_same
from notmodified.reads.inputs import Cookies, values_now
from notmodified.records.databases import Database
from notmodified.records.headers import RememberedHeaders
from notmodified.records.shared import shared

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_SELECTIONS: Final = 16
"""In how many ways the records of one resource may be told apart; the oldest goes. In each there
may be any number, of different values."""

Key = tuple[str, ...]


def key_of(meta: Mapping[str, Any], scheme: str) -> Key:
    """What selects a resource, out of ``META`` or a WSGI environ, and the scheme by which the
    server was asked."""
    return (
        scheme,
        meta.get("HTTP_HOST") or "",
        str(meta.get("SERVER_NAME")),
        str(meta.get("SERVER_PORT")),
        meta.get("CONTENT_TYPE") or "",
        meta.get("SCRIPT_NAME") or "",
        meta.get("PATH_INFO") or "",
        meta.get("QUERY_STRING") or "",
    )


class Proof(NamedTuple):
    """What was read of one database, and the last position at which none of it had moved."""

    database: Database
    joined: str
    """The keys, in one text, which takes half of the memory."""
    position: Any

    @classmethod
    def of(cls, database: Database, keys: Iterable[str], position: Any) -> Proof:
        return cls(database, BETWEEN.join(sorted(keys)), position)

    @property
    def keys(self) -> list[str]:
        return self.joined.split(BETWEEN) if self.joined else []


@dataclass(slots=True)
class Record:
    """One remembered response.

    `inputs` are the names of the request's inputs that were read, `values` what they were.
    `surroundings` is what the thread had set before the request came (``exchange.surroundings``).
    `until` is the end of its time by the monotonic clock, where a view has set one. `between` are
    the seconds of the clock between which the time makes no difference. `cached` are the questions
    to caches, with digests of their answers. `since` is a
    second, by the database's clock, since whose end nothing has moved.
    """

    representation: Representation
    headers: RememberedHeaders
    inputs: tuple[tuple[str, str], ...]
    values: tuple[Any, ...]
    surroundings: tuple[Any, ...]
    proofs: tuple[Proof, ...]
    size: int
    until: float | None = None
    since: int | None = None
    between: tuple[float, float] | None = None
    cached: Mapping[Asked, bytes | None] | None = None

    def holds(self) -> bool:
        """Whether no dependency has moved: if so, up to this very moment."""
        if self.until is not None and time.monotonic() >= self.until:
            return False
        if self.between is not None and not self.between[0] <= time.time() < self.between[1]:
            return False
        # Before the rows: if these have not moved until later, they were the same now.
        if self.cached is not None and not are_same(self.cached):
            return False
        renewed = []
        for proof in self.proofs:
            position = proof.database.unmoved(proof.keys, proof.position)
            if position is None:
                return False
            renewed.append(
                proof if position is proof.position else proof._replace(position=position)
            )
        # Another thread may put an older proof in its place: that is as true.
        self.proofs = tuple(renewed)
        return True


class Selection(NamedTuple):
    """What tells the records of one resource apart: the names of inputs, and the surroundings."""

    inputs: tuple[tuple[str, str], ...]
    surroundings: tuple[Any, ...]


Place = tuple[Key, Selection, tuple[Any, ...]]
"""Where a record is found: the last are the values of its inputs."""


class Records:
    """A bounded memory of records, shared by the threads of a process."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._records: OrderedDict[Place, Record] = OrderedDict()
        self._selections: dict[Key, dict[Selection, int]] = {}
        """Of each resource, the ways by which its records are told apart, and of each of these, how
        many there are."""
        self._lock = Lock()

    def find(
        self,
        key: Key,
        meta: Mapping[str, Any],
        cookies: Cookies,
        surroundings: tuple[Any, ...],
    ) -> Record | None:
        """The record of this resource for these inputs, which is still to be asked whether it
        holds."""
        selections = self._selections.get(key)
        if selections is None:
            return None
        for selection in tuple(selections):  # another thread may add one
            if selection.surroundings != surroundings:
                continue
            place = key, selection, values_now(selection.inputs, meta, cookies)
            record = self._records.get(place)
            if record is not None:
                with suppress(KeyError):  # another thread may just have dropped it
                    self._records.move_to_end(place)
                return record
        return None

    def put(self, key: Key, record: Record) -> None:
        """Remember `record`, in the place of one for the same inputs."""
        place = _place_of(key, record)
        with self._lock:
            self._forget(place)
            selections = self._selections.setdefault(key, {})
            while len(selections) >= MOST_SELECTIONS and place[1] not in selections:
                oldest = next(iter(selections))
                for one in [one for one in self._records if one[:2] == (key, oldest)]:
                    self._forget(one)
                selections = self._selections.setdefault(key, {})
            selections[place[1]] = selections.get(place[1], 0) + 1
            self._records[place] = record
            self._bytes += record.size
            while self._bytes > self._most_bytes and self._records:
                self._forget(next(iter(self._records)))

    def drop(self, key: Key, record: Record) -> None:
        """Forget a record that does not hold any more."""
        place = _place_of(key, record)
        with self._lock:
            if self._records.get(place) is record:
                self._forget(place)

    def _forget(self, place: Place) -> None:
        record = self._records.pop(place, None)
        if record is None:
            return
        self._bytes -= record.size
        key, selection, _ = place
        selections = self._selections[key]
        selections[selection] -= 1
        if not selections[selection]:
            del selections[selection]
        if not selections:
            del self._selections[key]

    def forget(self) -> None:
        with self._lock:
            self._records.clear()
            self._selections.clear()
            self._bytes = 0

    def items(self) -> list[tuple[Key, Record]]:
        """What is remembered at this moment."""
        return [(key, record) for (key, *_), record in list(self._records.items())]

    def after_fork(self) -> None:
        self._lock = Lock()  # whoever held it is not in this process
        self.forget()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def bytes(self) -> int:
        """What the records take, by estimate."""
        return self._bytes


def _place_of(key: Key, record: Record) -> Place:
    return key, shared(Selection(record.inputs, record.surroundings)), record.values


_OF_A_RECORD: Final = 1_150
"""Bytes that a record takes beside the characters in it, as measured (``benchmarks.records``)."""
_OF_A_CACHED_VALUE: Final = 400
_OF_A_TEXT: Final = sys.getsizeof("")


def size_of(
    key: Key,
    headers: RememberedHeaders,
    values: tuple[Any, ...],
    proofs: tuple[Proof, ...],
    cached: int = 0,
) -> int:
    """An estimate of the bytes that a record takes."""
    texts = [*key, *(text for field in headers.fields for text in field)]
    texts += [proof.joined for proof in proofs]
    given = [value for value in values if isinstance(value, str)]
    size = _OF_A_RECORD + _OF_A_CACHED_VALUE * cached
    return size + sum(map(len, texts)) + sum(map(len, given)) + _OF_A_TEXT * len(given)


RECORDS: Final = Records()

# Those of the parent are judged by its connections.
os.register_at_fork(after_in_child=RECORDS.after_fork)
