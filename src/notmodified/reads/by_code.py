"""What is known of pieces of code.

Rule of this module: by their identity, because to hash one takes long; and as long as they live.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any, Generic, TypeVar
from weakref import ref

T = TypeVar("T")


class ByCode(Generic[T]):
    """Finds out once what there is to know of a piece of code."""

    def __init__(self, find: Callable[..., T]) -> None:
        self._find = find
        self._known: dict[int, tuple[ref[CodeType], T]] = {}

    def __call__(self, code: CodeType, *args: Any) -> T:
        """What is known of `code`; or what is found, with `args`."""
        known = self._known.get(id(code))
        if known is None:
            forget = partial(self._known.pop, id(code), None)
            found = self._find(code, *args)
            known = self._known[id(code)] = (ref(code, lambda _: forget()), found)
        return known[1]
