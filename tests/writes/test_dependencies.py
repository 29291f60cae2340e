"""`dependencies`: values that are equal wherever they are compared, and whose database they are."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models

from notmodified.writes.dependencies import Keys, bare, canonical, watched
from tests.site.models import Book, Box, City, Copy, Item
from tests.site.pages import only_on

BOX = UUID("12345678123456781234567812345678")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (Book._meta.pk, 7, "7"),
        (Book._meta.pk, "7", "7"),
        (Book._meta.get_field("shelf"), 7, "7"),
        (Copy._meta.get_field("of"), 7, "7"),
        (Box._meta.pk, BOX, BOX.hex),
        (Box._meta.pk, str(BOX), BOX.hex),
        (Box._meta.pk, BOX.hex, BOX.hex),
        (Item._meta.get_field("box"), BOX, BOX.hex),
        # What databases compare in ways of their own.
        (Book._meta.pk, 1.6, None),
        (Book._meta.pk, Decimal("1.6"), None),
        (Book._meta.pk, "1_0", None),
        (Book._meta.pk, "x", None),
        (Book._meta.pk, None, None),
        (Box._meta.pk, "x", None),
        (City._meta.get_field("country"), "de", None),
        (Book._meta.get_field("title"), "x", None),
    ],
)
def test_values_that_narrow(field: Any, value: Any, text: str | None) -> None:
    assert canonical(field, value) == text


@pytest.mark.django_db
def test_keys_of_different_things_differ() -> None:
    keys = Keys(connection)
    made = [
        keys.any(),
        keys.table("t"),
        keys.row("t", None),
        keys.row("t", "1"),
        keys.members("t", "c", None),
        keys.members("t", "c", "1"),
        keys.members("t", "c", "*"),
        keys.row("t", "*"),
    ]
    assert len(set(made)) == len(made)
    assert keys.table("T") == keys.table("t")


@pytest.mark.django_db
def test_keys_are_those_of_the_database_however_it_is_spelt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Keys(connection).any()
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        respelt = {"NAME": os.path.relpath(name)}
    else:
        respelt = {"HOST": "localhost", "PORT": ""}
    for setting, value in respelt.items():
        monkeypatch.setitem(connection.settings_dict, setting, value)
    assert Keys(connection).any() == before


@pytest.mark.django_db
def test_another_database_has_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    only_on("sqlite")
    before = Keys(connection).any()
    monkeypatch.setitem(connection.settings_dict, "NAME", "another.sqlite3")
    assert Keys(connection).any() != before


def test_a_name_that_is_no_model_is_an_error_that_says_so(settings: Any) -> None:
    for name in ("site.Nothing", "nothing.Book", "Book"):
        settings.NOTMODIFIED = {"WATCH": [name]}
        with pytest.raises(ImproperlyConfigured, match=f"names '{name}', which is no installed"):
            watched()


def test_watching_a_model_watches_its_parents_and_relations(settings: Any) -> None:
    settings.NOTMODIFIED = {"WATCH": ["site.Book", "site.Grandchild"]}
    assert set(watched()) == {
        *("site_book", "site_book_tags"),
        *("site_grandchild", "site_child", "site_parent"),
    }


class Shifted(models.IntegerField):  # type: ignore[type-arg]
    """Keeps another number than it shows."""


def test_a_field_with_conversions_of_its_own_narrows_nothing() -> None:
    assert canonical(Shifted(), 7) is None


@pytest.mark.parametrize(
    "table", ["Thing", '"Thing"', 'schema"."thing', '"schema"."Thing"', "`schema`.`thing`"]
)
def test_a_table_is_known_by_its_last_name(table: str) -> None:
    assert bare(table) == "thing"
