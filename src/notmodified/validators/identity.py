"""What tells one callable from another, in every process alike.

Pages are remembered under the callable that says what they are made of. Its dotted name is not
enough: all lambdas of a module share theirs, and so do the functions that a factory makes. So its
code counts too, and what it has closed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType
from typing import Any
from uuid import UUID

from django.db import models

from notmodified.validators.base import digest


class NoIdentityError(TypeError):
    """Something a callable holds has no text that is the same in every process."""


def identity_of(function: Callable[..., Any]) -> str:
    """A text for `function` that is the same in every process of one build, and only for it.

    Raises NoIdentityError where it holds what cannot be told apart so.
    """
    return digest(_parts(function))


def identity_of_values(values: Iterable[Any]) -> str:
    """A text for the parameters of a view. Raises NoIdentityError as above."""
    return digest(_parts(list(values)))


_PLAIN: tuple[Any, ...] = (
    *(str, bytes, bool, int, float, Decimal, UUID, datetime, date, time, timedelta),
    *(Enum, PurePath),
)


def _parts(value: Any) -> Iterator[str]:
    plain = next((base for base in _PLAIN if isinstance(value, base)), None)
    if value is None or plain is not None:
        # A class of the site's own may hide the value in its repr().
        text = "" if plain is None else plain.__repr__(value)
        yield f"{type(value).__module__}.{type(value).__qualname__}:{text}"
    elif isinstance(value, tuple | list):
        yield f"{type(value).__name__}:{len(value)}"
        for item in value:
            yield from _parts(item)
    elif isinstance(value, type):
        yield f"class:{value.__module__}.{value.__qualname__}"
    elif isinstance(value, models.Model):
        yield f"row:{value._meta.label}:{value.pk}"
    elif isinstance(value, models.Manager):
        yield f"manager:{value.model._meta.label}:{value.name}"
    elif isinstance(value, FunctionType):
        yield f"function:{value.__module__}.{value.__qualname__}"
        yield from _code(value.__code__)
        yield from _parts(value.__defaults__ or ())
        for name, default in sorted((value.__kwdefaults__ or {}).items()):
            yield name
            yield from _parts(default)
        for cell in value.__closure__ or ():
            yield from _parts(cell.cell_contents)
    elif isinstance(value, MethodType):
        yield from _parts(value.__func__)
        yield from _parts(value.__self__)
    elif isinstance(value, partial):
        yield from _parts(value.func)
        yield from _parts(value.args)
        for name, argument in sorted(value.keywords.items()):
            yield name
            yield from _parts(argument)
    else:
        # Not its repr(): an object that is still being made may not have one.
        raise NoIdentityError(f"an object of {type(value).__module__}.{type(value).__qualname__}")


def _code(code: CodeType) -> Iterator[str]:
    yield repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)
