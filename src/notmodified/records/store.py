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
from collections.abc import Callable, Iterable, Mapping
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


@dataclass(slots=True, eq=False)
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
            if proof.database.rests_at(proof.position):
                renewed.append(proof)
                continue
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


def _whatever(record: Record) -> bool:
    return True


class Records:
    """A bounded memory of records, shared by the threads of a process."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._resources: dict[Key, dict[Selection, dict[tuple[Any, ...], Record]]] = {}
        """Of each resource, the ways by which its records are told apart; of each of these, the
        records by the values of their inputs."""
        self._recent: OrderedDict[Record, Key] = OrderedDict()
        """The least recently used comes first."""
        self._lock = Lock()

    def find(
        self,
        key: Key,
        meta: Mapping[str, Any],
        cookies: Cookies,
        surroundings: tuple[Any, ...],
        fits: Callable[[Record], bool] = _whatever,
    ) -> Record | None:
        """The record of this resource for these inputs, which is still to be asked whether it
        holds; if there are several, told apart in several ways, one that `fits`."""
        ways = self._resources.get(key)
        if ways is None:
            return None
        for selection, records in tuple(ways.items()):  # another thread may add one
            if selection.surroundings != surroundings:
                continue
            names = selection.inputs
            record = records.get(values_now(names, meta, cookies) if names else ())
            if record is not None and fits(record):
                with suppress(KeyError):  # another thread may just have dropped it
                    self._recent.move_to_end(record)
                return record
        return None

    def put(self, key: Key, record: Record) -> None:
        """Remember `record`, in the place of one for the same inputs."""
        selection = shared(Selection(record.inputs, record.surroundings))
        with self._lock:
            earlier = self._resources.get(key, {}).get(selection, {}).get(record.values)
            if earlier is not None:
                self._forget(key, earlier)
            ways = self._resources.get(key, {})
            if len(ways) >= MOST_SELECTIONS and selection not in ways:
                for one in list(next(iter(ways.values())).values()):
                    self._forget(key, one)
            self._resources.setdefault(key, {}).setdefault(selection, {})[record.values] = record
            self._recent[record] = key
            self._bytes += record.size
            while self._bytes > self._most_bytes:
                oldest = next(iter(self._recent))
                self._forget(self._recent[oldest], oldest)

    def drop(self, key: Key, record: Record) -> None:
        """Forget a record that does not hold any more."""
        with self._lock:
            if record in self._recent:
                self._forget(key, record)

    def _forget(self, key: Key, record: Record) -> None:
        del self._recent[record]
        self._bytes -= record.size
        ways = self._resources[key]
        selection = Selection(record.inputs, record.surroundings)
        del ways[selection][record.values]
        if not ways[selection]:
            del ways[selection]
        if not ways:
            del self._resources[key]

    def forget(self) -> None:
        with self._lock:
            self._recent.clear()
            self._resources.clear()
            self._bytes = 0

    def items(self) -> list[tuple[Key, Record]]:
        """What is remembered at this moment."""
        return [(key, record) for record, key in list(self._recent.items())]

    def after_fork(self) -> None:
        self._lock = Lock()  # whoever held it is not in this process
        self.forget()

    def __len__(self) -> int:
        return len(self._recent)

    @property
    def bytes(self) -> int:
        """What the records take, by estimate."""
        return self._bytes


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
