"""Random tokens in a shared cache: one per dependency, replaced when it moves.

The protocol (what it is worth on each cache server is in ``docs/guarantees.md``):

- *read*: the tokens of some keys and the marks on them, in one round trip. A key without a token
  gets a new one. While any key is marked there is no answer.
- *mark*, before a statement writes: claim each key, then replace its token.
- *release*, once the transaction has ended: replace the tokens, then give up the claims.

A token handed out is therefore never older than the last writer's mark: a writer that dies in
between leaves its mark, and the token that was current before is gone.

Rules of this module:

- Tokens are random, so that one minted after a flush repeats none that a client may hold.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from hashlib import blake2b

from notmodified.ledger.stores import NO_CLAIM, Claim, Store, StoreError


def key_of(*parts: str) -> str:
    """A short key for a dependency, of any texts."""
    hash_ = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hash_.update(b"%d:" % len(data))
        hash_.update(data)
    return hash_.hexdigest()


class Tokens:
    """The tokens of one store. Every method raises StoreError where the store does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, keys: Collection[str], note: str) -> tuple[list[str] | None, str | None]:
        """The tokens of `keys`, in their order, and the text noted under `note`, if any.

        No tokens (``None``) while one of the keys is being written.
        """
        wanted = [*keys, note]
        found, marked = self._store.read(wanted)
        missing = [key for key in keys if key not in found]
        if missing:
            for key in missing:
                self._store.add(key, _fresh())
            # Read again: another process may have been first, or a writer may have marked.
            found, marked = self._store.read(wanted)
        if marked or any(key not in found for key in keys):
            return None, found.get(note)
        return [found[key] for key in keys], found.get(note)

    def note(self, note: str, text: str) -> None:
        """Keep `text` under `note`, beside the tokens, to be lost with them."""
        self._store.set_many({note: text})

    def mark(self, keys: Collection[str], claim: Claim = NO_CLAIM) -> Claim:
        """Say that `keys` are about to be written too; the claim is for `release`."""
        marked = self._store.mark(keys, claim)
        try:
            self._replace(keys)
        except StoreError:
            # The statement will not be run, and what it would have written is no longer claimed. A
            # claim from before stays: its tokens were replaced.
            if not claim.keys:
                self._store.unmark(marked)
            raise
        return marked

    def release(self, claim: Claim) -> None:
        """Say that the write has ended, whether it was committed or rolled back."""
        self._replace(claim.keys)
        self._store.unmark(claim)

    def _replace(self, keys: Collection[str]) -> None:
        self._store.set_many({key: _fresh() for key in keys})


def _fresh() -> str:
    return secrets.token_urlsafe(16)
