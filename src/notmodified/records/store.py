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
from notmodified.reads.inputs import Cookies, values_now
from notmodified.records.databases import Database
from notmodified.records.headers import RememberedHeaders

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_VARIANTS: Final = 32
"""How many records of one resource, for different inputs; the oldest goes."""

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
    `until` is the end of its time by the monotonic clock, where a view has set one. `since` is a
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

    def holds(self) -> bool:
        """Whether no dependency has moved: if so, up to this very moment."""
        if self.until is not None and time.monotonic() >= self.until:
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

    def selects(
        self, meta: Mapping[str, Any], cookies: Cookies, surroundings: tuple[Any, ...]
    ) -> bool:
        """Whether a request has the same inputs, whatever has moved."""
        return (
            self.surroundings == surroundings
            and values_now(self.inputs, meta, cookies) == self.values
        )


class Records:
    """A bounded memory of records, shared by the threads of a process."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._variants: OrderedDict[Key, list[Record]] = OrderedDict()
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
        variants = self._variants.get(key)
        if variants is None:
            return None
        for record in variants:
            if record.selects(meta, cookies, surroundings):
                with suppress(KeyError):  # another thread may just have dropped it
                    self._variants.move_to_end(key)
                return record
        return None

    def put(self, key: Key, record: Record) -> None:
        """Remember `record`, in the place of one for the same inputs."""
        with self._lock:
            known = self._variants.get(key, [])
            same = (record.inputs, record.values, record.surroundings)
            kept = [one for one in known if (one.inputs, one.values, one.surroundings) != same]
            variants = [record, *kept[: MOST_VARIANTS - 1]]
            self._bytes += sum(one.size for one in variants) - sum(one.size for one in known)
            self._variants[key] = variants
            self._variants.move_to_end(key)
            while self._bytes > self._most_bytes and self._variants:
                _, gone = self._variants.popitem(last=False)
                self._bytes -= sum(one.size for one in gone)

    def drop(self, key: Key, record: Record) -> None:
        """Forget a record that does not hold any more."""
        with self._lock:
            known = self._variants.get(key, [])
            kept = [one for one in known if one is not record]
            self._bytes -= sum(one.size for one in known) - sum(one.size for one in kept)
            if kept:
                self._variants[key] = kept
            else:
                self._variants.pop(key, None)

    def forget(self) -> None:
        with self._lock:
            self._variants.clear()
            self._bytes = 0

    def items(self) -> list[tuple[Key, list[Record]]]:
        """What is remembered at this moment."""
        return list(self._variants.items())

    def after_fork(self) -> None:
        self._lock = Lock()  # whoever held it is not in this process
        self.forget()

    def __len__(self) -> int:
        return sum(map(len, list(self._variants.values())))

    @property
    def bytes(self) -> int:
        """What the records take, by estimate."""
        return self._bytes


_OF_A_RECORD: Final = 1_150
"""Bytes that a record takes beside the characters in it, as measured (``benchmarks.records``)."""
_OF_A_TEXT: Final = sys.getsizeof("")


def size_of(
    key: Key, headers: RememberedHeaders, values: tuple[Any, ...], proofs: tuple[Proof, ...]
) -> int:
    """An estimate of the bytes that a record takes."""
    texts = [*key, *(text for field in headers.fields for text in field)]
    texts += [proof.joined for proof in proofs]
    given = [value for value in values if isinstance(value, str)]
    return _OF_A_RECORD + sum(map(len, texts)) + sum(map(len, given)) + _OF_A_TEXT * len(given)


RECORDS: Final = Records()

# Those of the parent are judged by its connections.
os.register_at_fork(after_in_child=RECORDS.after_fork)
