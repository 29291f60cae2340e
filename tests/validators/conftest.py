"""Watched models, and a cache that starts empty."""

from collections.abc import Iterator

import pytest
from django.core.cache import caches

from tests.site.pages import WATCH


@pytest.fixture(autouse=True)
def watching(settings: object) -> Iterator[None]:
    settings.NOTMODIFIED = {"WATCH": WATCH}  # type: ignore[attr-defined]
    caches["default"].clear()
    yield
    caches["default"].clear()
