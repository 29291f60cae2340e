"""Every interleaving of writers, readers and requests, for each variant of the commit protocol."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.model import databases, shared, variants
from tests.model.protocol import Variant, name_of, search

KEPT = (*variants.KEPT, *databases.KEPT, *shared.KEPT)
BROKEN = (*variants.BROKEN, *databases.BROKEN, *shared.BROKEN)


def _name(variant: Variant) -> str:
    return variant.name


@pytest.mark.parametrize("variant", KEPT, ids=_name)
def test_the_promise_is_kept(variant: Variant) -> None:
    found = search(variant)
    assert found.violation is None, "; ".join(found.violation or ())
    assert found.answers, "no 304 after all faults: nothing is shown"
    assert {name_of(thing) for thing in (*variant.faults, *variant.events)} <= found.happened


@pytest.mark.parametrize("variant", BROKEN, ids=_name)
def test_the_promise_is_broken(variant: Variant) -> None:
    assert search(variant).violation is not None


def test_each_variant_has_a_name_of_its_own() -> None:
    names = Counter(variant.name for variant in (*KEPT, *BROKEN))
    assert max(names.values()) == 1
