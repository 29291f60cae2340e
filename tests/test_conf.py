"""The settings dict: what is wrong in it is said at once, with what to write instead."""

from typing import Any

import pytest
from django.test import override_settings

from notmodified.conf import Settings, SettingsError, current, read


def test_everything_has_a_default() -> None:
    assert read({}) == Settings()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "must be a dict, not list"),
        ({"CSFR": "explain"}, "no setting 'CSFR'. Did you mean 'CSRF'?"),
        ({"cache": "x"}, "Did you mean 'CACHE'?"),
        ({"SOMETHING": 1}, "Known: LEDGER, "),
        ({"CACHE": 5}, "must be of type str, not 5"),
        ({"CACHE_STATUS": "yes"}, "must be of type bool"),
        ({"WATCH": "app.Model"}, "must be of type list or tuple"),
        ({"CSRF": "ignore"}, "must be 'explain' or 'normalise'"),
        ({"ALTERED_IF_MATCH": "maybe"}, "must be 'refuse' or 'accept'"),
    ],
)
def test_mistakes_are_named(given: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(given)
    assert says in str(caught.value)


def test_a_changed_setting_is_read_anew() -> None:
    with override_settings(NOTMODIFIED={"BUILD": "1"}):
        assert current().BUILD == "1"
    assert current().BUILD == "auto"
