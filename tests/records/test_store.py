"""The memory of records: bounded, and as fast among many as among few."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.preconditions import Representation
from notmodified.records import store
from notmodified.records.headers import RememberedHeaders
from notmodified.records.store import Record, Records, key_of

HEADERS = RememberedHeaders((), None, (), False)
HERE: tuple[Any, ...] = ("en",)


def key(path: str) -> store.Key:
    return key_of({"PATH_INFO": path}, "http")


def record(size: int = 100, *, here: tuple[Any, ...] = HERE, **inputs: str | None) -> Record:
    names = tuple(("meta", name) for name in inputs)
    return Record(Representation(), HEADERS, names, tuple(inputs.values()), here, (), size)


def find(records: Records, path: str, here: tuple[Any, ...] = HERE, **meta: str) -> Record | None:
    return records.find(key(path), meta, dict, here)


def test_each_value_has_its_record() -> None:
    records, kept = Records(), {}
    for number in range(1_000):
        kept[number] = record(name=str(number))
        records.put(key("/"), kept[number])
    assert all(find(records, "/", name=str(number)) is kept[number] for number in kept)
    assert find(records, "/", name="another") is None
    assert find(records, "/elsewhere", name="1") is None
    assert find(records, "/", ("de",), name="1") is None


def test_what_is_absent_is_a_value() -> None:
    records, absent = Records(), record(name=None)
    records.put(key("/"), absent)
    assert find(records, "/") is absent
    assert find(records, "/", name="") is None


def test_one_for_the_same_inputs_takes_the_place() -> None:
    records, later = Records(), record(30, name="a")
    records.put(key("/"), record(20, name="a"))
    records.put(key("/"), later)
    assert (len(records), records.bytes) == (1, 30)
    assert find(records, "/", name="a") is later


def test_the_least_recently_used_goes_first() -> None:
    records = Records(most_bytes=300)
    for path in "abc":
        records.put(key(path), record())
    find(records, "a")
    records.put(key("d"), record())
    assert [path for path in "abcd" if find(records, path)] == ["a", "c", "d"]


def test_one_resource_does_not_take_another_s_place() -> None:
    """A page with a record for each of its readers gives up the oldest of these."""
    records = Records(most_bytes=1_000)
    records.put(key("/public"), record())
    for number in range(100):
        records.put(key("/"), record(name=str(number)))
        assert find(records, "/public")
    assert len(records) == 10


def test_of_too_many_ways_to_tell_them_apart_the_oldest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "MOST_SELECTIONS", 2)
    records = Records()
    for name in "abc":
        records.put(key("/"), record(**{name: "1"}))
    assert [name for name in "abc" if find(records, "/", **{name: "1"})] == ["b", "c"]
    assert records.bytes == 200


def test_one_that_does_not_fit_hides_no_other() -> None:
    records, plain, named = Records(), record(), record(name="a")
    for one in (plain, named):
        records.put(key("/"), one)
    assert records.find(key("/"), {"name": "a"}, dict, HERE) is plain
    fits = records.find(key("/"), {"name": "a"}, dict, HERE, lambda one: one is not plain)
    assert fits is named


def test_one_that_another_has_replaced_is_not_dropped() -> None:
    records, later = Records(), record(name="a")
    earlier = record(name="a")
    for one in (earlier, later):
        records.put(key("/"), one)
    records.drop(key("/"), earlier)
    assert find(records, "/", name="a") is later
    records.drop(key("/"), later)
    assert (len(records), records.bytes, records._resources) == (0, 0, {})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "find"]),
        st.sampled_from("ab"),
        st.sampled_from("xy"),
        st.sampled_from("12"),
        st.integers(1, 200),
    )
)


@given(STEPS)
def test_its_books_are_right(steps: list[tuple[str, str, str, str, int]]) -> None:
    records = Records(most_bytes=500)
    latest: dict[tuple[str, str, str], Record] = {}
    for what, path, name, value, size in steps:
        at = path, name, value
        if what == "put":
            latest[at] = record(size, **{name: value})
            records.put(key(path), latest[at])
        elif what == "drop" and at in latest:
            records.drop(key(path), latest[at])
        else:
            found = find(records, path, **{name: value})
            assert found is None or found is latest[at]
        held = [one for _, one in records.items()]
        assert records.bytes == sum(one.size for one in held) <= 500
        counts = [len(by) for ways in records._resources.values() for by in ways.values()]
        assert sum(counts) == len(held)
        assert 0 not in counts
        assert {} not in records._resources.values()
