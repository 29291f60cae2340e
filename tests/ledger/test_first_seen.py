"""`records.first_seen`: a Last-Modified for what has no time of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches

from notmodified.records.first_seen import first_seen


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1_000_000.5)
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def shared(settings: Any, db: None) -> Iterator[None]:
    settings.NOTMODIFIED = {"CACHE": "database"}
    yield
    caches["database"].clear()


def test_a_version_keeps_the_time_at_which_it_was_first_seen(clock: Clock) -> None:
    first = first_seen("page", "A")
    clock.now += 100
    assert first_seen("page", "A") == first


def test_the_time_is_the_end_of_the_second(clock: Clock) -> None:
    """Within that second another version may still come; later ones have a later time."""
    assert first_seen("page", "A") == 1_000_001


def test_two_versions_in_one_second_have_two_times(clock: Clock) -> None:
    times = [first_seen("page", version) for version in "ABCD"]
    assert times == sorted(set(times))


def test_a_version_that_comes_back_does_not_bring_its_time_back(clock: Clock) -> None:
    times = []
    for version in "ABABA":
        clock.now += 10
        times.append(first_seen("page", version))
    assert times == sorted(set(times))


@pytest.mark.parametrize("seconds", [1, 60, 10_000])
def test_a_clock_that_goes_back_gives_no_earlier_time(clock: Clock, seconds: int) -> None:
    """Nor does another machine whose clock is behind."""
    first = first_seen("page", "A")
    clock.now -= seconds
    second = first_seen("page", "B")
    third = first_seen("page", "A")
    assert first < second < third  # type: ignore[operator]


def test_pages_have_times_of_their_own(clock: Clock) -> None:
    first = first_seen("page", "A")
    clock.now += 10
    assert first_seen("other page", "A") != first
    assert first_seen("page", "A") == first


def test_after_a_flush_a_version_is_new(clock: Clock) -> None:
    first = first_seen("page", "A")
    clock.now += 10
    caches["database"].clear()
    assert first_seen("page", "A") > first  # type: ignore[operator]


@pytest.mark.parametrize("cache", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_a_cache_that_is_not_shared_has_no_times(settings: Any, cache: str) -> None:
    settings.CACHES = settings.CACHES | {
        "alone": {"BACKEND": f"django.core.cache.backends.{cache}"}
    }
    settings.NOTMODIFIED = {"CACHE": "alone"}
    assert first_seen("page", "A") is None
    assert first_seen("page", "A") is None
