"""One object for equal ones: much of a record is what many others have too.

Rule of this module: only what cannot be changed, and has a hash.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

Value = TypeVar("Value")


@lru_cache(maxsize=4096)
def _first(value: object) -> object:
    return value


def shared(value: Value) -> Value:
    """The first of the objects equal to `value` that are still remembered. Raises TypeError for
    what has no hash."""
    found = _first(value)
    assert isinstance(found, type(value))
    return found
