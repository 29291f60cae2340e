"""Puts something of ours in front of functions of Django's, also of those that others have imported
by name.

Rules of this module:

- It is there to notice, never to answer otherwise.
- Of a function the code is replaced, not the name; of a class, the method.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

Instead = Callable[..., Any]
"""Is called with the original, and then with its arguments."""


def replace_function(function: Any, by: Instead) -> None:
    """Have `by` called in the place of `function`, wherever that is known."""
    original = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    name = f"_notmodified_{function.__name__}"

    def called(*args: Any, **kwargs: Any) -> Any:
        return by(original, *args, **kwargs)

    function.__globals__[name] = called
    function.__code__ = _call.__code__.replace(co_names=(name,))
    function.__defaults__ = function.__kwdefaults__ = None
    function.__wrapped__ = original  # the template engine asks for its arguments


def _call(*args: Any, **kwargs: Any) -> Any:
    return called(*args, **kwargs)  # type: ignore[name-defined] # noqa: F821 (the name is replaced)


def replace_method(class_: type, name: str, by: Instead, *, is_class_method: bool = False) -> None:
    """Have `by` called in the place of a method of `class_`; its first argument is then the
    instance, or nothing for a class method."""
    if is_class_method:
        bound = getattr(class_, name)

        def called_of_class(cls: type, *args: Any, **kwargs: Any) -> Any:
            return by(bound, *args, **kwargs)

        setattr(class_, name, classmethod(called_of_class))
        return
    original = getattr(class_, name)

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return by(original, self, *args, **kwargs)

    setattr(class_, name, called)
