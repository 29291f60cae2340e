"""Stamps of dependencies in a shared cache: whoever reads the same ones twice, has missed nothing.

The protocol (what it is worth on each cache server is in ``docs/guarantees.md``):

- *read*: the stamps of some keys, in one round trip. A key without one gets a new one. While any
  key is marked there is no answer.
- *mark*, before a statement writes: move each key, and count one more writer on it.
- *release*, once the transaction has ended: move each key again, and count one writer less.

A stamp handed out is therefore never older than the last writer's mark: a writer that dies in
between leaves its mark, and the stamp that was current before is gone.

Rules of this module:

- A key's first stamp is random, so that one minted after a flush repeats none that went into what a
  client holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

from notmodified.ledger.store import NO_CLAIM, WRITERS, Claim, Store


def key_of(*parts: str) -> str:
    """A short key for a dependency, of any texts."""
    hash_ = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hash_.update(b"%d:" % len(data))
        hash_.update(data)
    return hash_.hexdigest()


class Tokens:
    """The stamps and notes of one store. Every method raises StoreError where the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def transactional(self) -> bool:
        """Whether marks are part of the transaction that the writer has open."""
        return self._store.transactional

    def read(self, keys: Sequence[str]) -> list[int] | None:
        """The stamps of `keys`, in their order; ``None`` while one of the keys is being written."""
        found = self._store.read(keys)
        if None in found:
            missing = [key for key, stamp in zip(keys, found, strict=True) if stamp is None]
            self._store.mint(missing)
            # Read again: another process may have been first, or a writer may have marked.
            found = self._store.read(keys)
        stamps = []
        for stamp in found:
            if stamp is None or stamp & WRITERS:
                return None
            stamps.append(stamp)
        return stamps

    def are(self, keys: Sequence[str], stamps: list[int]) -> bool:
        """Whether `stamps`, once read under `keys`, still are theirs: nothing has moved since."""
        return self._store.read(keys) == stamps

    def note(self, name: str, text: str) -> None:
        """Keep `text` under `name`, beside the stamps, to be lost with them."""
        self._store.note(name, text)

    def noted(self, name: str) -> str | None:
        return self._store.noted(name)

    def mark(self, keys: Collection[str], claim: Claim = NO_CLAIM) -> Claim:
        """Say that `keys` are about to be written too; the claim is for `release`."""
        return self._store.mark(keys, claim)

    def release(self, claim: Claim) -> None:
        """Say that the write has ended, whether it was committed or rolled back."""
        self._store.release(claim)
