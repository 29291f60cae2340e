"""Pages under validators: how the tests ask for versions, from here and from elsewhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from django.db import connection, connections
from django.test import RequestFactory

from notmodified.validators import Validator, Version

T = TypeVar("T")

WATCH = [
    f"site.{name}"
    for name in (
        *("Shelf", "Book", "Tag", "Grandchild", "Both", "Person", "Membership", "Club", "Box"),
        *("Item", "City", "Country", "Numbered", "Copy", "Ticket", "Plain"),
    )
]


def version(validator: Validator, *args: Any, **kwargs: Any) -> Version:
    return validator.version(RequestFactory().get("/"), *args, **kwargs)


def text(validator: Validator, *args: Any, **kwargs: Any) -> str | None:
    return version(validator, *args, **kwargs).text


def elsewhere(function: Callable[[], T]) -> T:
    """What `function` returns in another thread, on connections of its own."""
    result: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result.append(function())
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]


def execute(sql: str, *parameters: Any) -> None:
    """SQL through a Django cursor."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters) or None)


@contextmanager
def moves(*validators: Validator) -> Iterator[None]:
    """What happens inside moves the version of each validator."""
    before = [text(validator) for validator in validators]
    assert None not in before
    yield
    for validator, was in zip(validators, before, strict=True):
        assert text(validator) != was


@contextmanager
def keeps(*validators: Validator) -> Iterator[None]:
    """What happens inside leaves the version of each validator as it is."""
    before = [text(validator) for validator in validators]
    assert None not in before
    yield
    assert [text(validator) for validator in validators] == before


def only_on(*vendors: str) -> None:
    """Skip the test on other databases."""
    if connection.vendor not in vendors:
        pytest.skip(f"about {' and '.join(vendors)}, not {connection.vendor}")


def service(name: str) -> str:
    """The variable that says where a real server is; skip the test without it."""
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: start the servers with scripts/services start")
    return value
