"""What tells one callable from another: two tokens must never share a page's entry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.http import HttpRequest

from notmodified.validators import token
from notmodified.validators.identity import NoIdentityError, identity_of
from tests.helpers import request
from tests.integration.servers import ROOT
from tests.site.models import Book, Shelf


def made_for(model: Any) -> Callable[..., Any]:
    return lambda request, pk: [model.objects.get(pk=pk)]


def with_default(model: Any) -> Callable[..., Any]:
    return lambda request, pk, model=model: [model.objects.get(pk=pk)]


class Views:
    def watch(self, request: HttpRequest) -> list[Any]:
        return []


def test_two_lambdas_of_one_module_are_two() -> None:
    assert identity_of(lambda r: [Book]) != identity_of(lambda r: [Shelf])


@pytest.mark.parametrize("factory", [made_for, with_default])
def test_what_a_factory_made_differs_by_what_it_has_closed_over(factory: Any) -> None:
    assert identity_of(factory(Book)) != identity_of(factory(Shelf))
    assert identity_of(factory(Book)) == identity_of(factory(Book))


def test_partials_and_methods() -> None:
    assert identity_of(partial(made_for, Book)) != identity_of(partial(made_for, Shelf))
    assert identity_of(partial(made_for, model=Book)) != identity_of(partial(made_for, model=Shelf))
    with pytest.raises(NoIdentityError):
        identity_of(Views().watch)


def test_it_is_the_same_in_every_process() -> None:
    code = """
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django; django.setup()
from notmodified.validators.identity import identity_of
from tests.site.models import Book
from tests.validators.test_identity import made_for
print(identity_of(made_for(Book)))
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_token_that_cannot_be_told_apart_asks_for_a_name() -> None:
    with pytest.raises(TypeError, match="Give the token a name of its own"):
        token(Views().watch)
    assert token(Views().watch, name="views")


@pytest.mark.django_db(transaction=True)
def test_what_a_page_is_made_of_may_depend_on_the_request_only_where_the_key_says_so() -> None:
    def watch(request: HttpRequest) -> list[Any]:
        return [Shelf.objects.get(pk=int(request.headers["X-Shelf"]))]

    shelves = [Shelf.objects.create(name=name) for name in "ab"]
    with pytest.raises(TypeError, match=r"vary=lambda request"):
        token(watch).version(request(x_shelf="1"))
    varied = token(watch, vary=lambda request: request.headers["X-Shelf"])
    versions = [varied.version(request(x_shelf=str(shelf.pk))) for shelf in shelves]
    assert versions[0] != versions[1]
    shelves[1].save()
    assert varied.version(request(x_shelf=str(shelves[0].pk))) == versions[0]
    assert varied.version(request(x_shelf=str(shelves[1].pk))) != versions[1]
