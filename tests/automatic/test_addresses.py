"""Pages that show from where they are asked for, and by which name of the site: what was recorded
for one address is no answer to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.sites.models import Site
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from notmodified.reads import inputs
from notmodified.reads.memories import forget_memories
from tests.automatic.visits import RUNS, Visitor, counted, queries, recorded_site

pytestmark = pytest.mark.usefixtures("log")

VIEW: list[Callable[[HttpRequest], Any]] = []


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VIEW[0](request)))


urlpatterns = [path("", counted(page)), path("again/", counted(page))]


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with recorded_site(__name__):
        yield


class Way(NamedTuple):
    """What a view asks for, the name by which a server hands it over, and two values with what the
    page says for them; ``None`` is for none. And what the settings must say."""

    view: Callable[[HttpRequest], Any]
    name: str
    one: tuple[str | None, str]
    other: tuple[str | None, str]
    settings: dict[str, Any] = {}


BEHIND_TLS = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
WAYS = {
    "the client": Way(
        lambda request: request.META["REMOTE_ADDR"],
        "REMOTE_ADDR",
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
    ),
    "the client, as a proxy says": Way(
        lambda request: request.META.get("HTTP_X_FORWARDED_FOR"),
        "HTTP_X_FORWARDED_FOR",
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.2, 192.0.2.1", "192.0.2.2, 192.0.2.1"),
    ),
    "the same, by its header": Way(
        lambda request: request.headers.get("X-Forwarded-For", "nobody"),
        "HTTP_X_FORWARDED_FOR",
        ("192.0.2.1", "192.0.2.1"),
        (None, "nobody"),
    ),
    "the host, as a proxy says": Way(
        lambda request: request.get_host(),
        "HTTP_X_FORWARDED_HOST",
        ("one.example", "one.example"),
        ("other.example", "other.example"),
        {"USE_X_FORWARDED_HOST": True},
    ),
    "the host, where a proxy may say another": Way(
        lambda request: request.build_absolute_uri("/there/"),
        "HTTP_X_FORWARDED_HOST",
        (None, "http://testserver/there/"),
        ("other.example", "http://other.example/there/"),
        {"USE_X_FORWARDED_HOST": True},
    ),
    "the port, as a proxy says": Way(
        lambda request: request.get_port(),
        "HTTP_X_FORWARDED_PORT",
        ("8000", "8000"),
        ("8001", "8001"),
        {"USE_X_FORWARDED_PORT": True},
    ),
    "the scheme, as a proxy says": Way(
        lambda request: request.scheme,
        "HTTP_X_FORWARDED_PROTO",
        ("https", "https"),
        ("http", "http"),
        BEHIND_TLS,
    ),
    "the scheme, where no proxy says one": Way(
        lambda request: request.is_secure(),
        "HTTP_X_FORWARDED_PROTO",
        ("https", "True"),
        (None, "False"),
        BEHIND_TLS,
    ),
}


def visitor(way: Way, value: str | None) -> Visitor:
    found = Visitor()
    if value is not None:
        found.client.defaults[way.name] = value
    return found


@pytest.mark.parametrize("name", WAYS)
def test_who_has_another_value_is_not_told_that_it_is_the_same(name: str) -> None:
    way = WAYS[name]
    VIEW[:] = [way.view]
    with override_settings(**way.settings):
        for (value, said), (others, said_to_others) in (
            (way.one, way.other),
            (way.other, way.one),
        ):
            ada, bob = visitor(way, value), visitor(way, others)
            first = ada.get("/")
            assert first.content == said.encode()
            assert ada.is_answered_without_view("/")
            again = bob.get("/", **{"If-None-Match": first.headers["ETag"]})
            assert (again.status_code, again.content) == (200, said_to_others.encode())


@pytest.mark.parametrize("name", WAYS)
def test_who_has_the_same_value_is(name: str) -> None:
    way = WAYS[name]
    VIEW[:] = [way.view]
    with override_settings(**way.settings):
        tag = visitor(way, way.one[0]).get("/").headers["ETag"]
        assert visitor(way, way.one[0]).is_answered_without_view("/", **{"If-None-Match": tag})
        assert RUNS["/"] == 1


class TestSitesByHost:
    """The sites framework without a SITE_ID: the host of the request says which site it is, and
    Django keeps its row in the process."""

    @pytest.fixture(autouse=True)
    def sites(self, log: None) -> None:
        Site.objects.clear_cache()
        Site.objects.create(domain="one.example", name="One")
        forget_memories()  # another process has made it
        VIEW[:] = [lambda request: get_current_site(request).name]

    def visitor(self, host: str) -> Visitor:
        found = Visitor()
        found.client.defaults["HTTP_HOST"] = host
        return found

    def test_each_has_its_page(self) -> None:
        Site.objects.create(domain="other.example", name="Other")
        for host, name in (("one.example", b"One"), ("other.example", b"Other")) * 2:
            visitor = self.visitor(host)
            assert visitor.get("/").content == name
            assert visitor.is_answered_without_view("/")

    def test_a_row_that_is_changed_moves_the_page_of_its_host(self) -> None:
        visitor = self.visitor("one.example")
        assert visitor.get("/").content == b"One"
        assert visitor.is_answered_without_view("/")
        found = Site.objects.get(domain="one.example")
        found.name = "First"
        found.save()
        assert visitor.get("/").content == b"First"
        assert visitor.is_answered_without_view("/")

    def test_so_it_does_where_the_page_took_it_from_what_django_keeps(self) -> None:
        self.visitor("one.example").get("/")
        visitor = self.visitor("one.example")
        with queries() as asked:
            visitor.get("/again/")
        assert asked == []
        assert visitor.is_answered_without_view("/again/")
        found = Site.objects.get(domain="one.example")
        found.name = "First"
        found.save()
        assert visitor.get("/again/").content == b"First"

    def test_one_that_moves_to_another_host(self) -> None:
        visitor = self.visitor("one.example")
        visitor.get("/")
        found = Site.objects.get(domain="one.example")
        found.domain = "other.example"
        found.save()
        Site.objects.create(domain="one.example", name="New")
        assert visitor.get("/").content == b"New"
        assert self.visitor("other.example").get("/").content == b"One"

    def test_a_site_that_comes(self) -> None:
        """A host that has none until then is shown as such."""
        VIEW[:] = [named]
        visitor = self.visitor("new.example")
        assert visitor.get("/").content == b"no site"
        assert visitor.is_answered_without_view("/")
        Site.objects.create(domain="new.example", name="New")
        assert visitor.get("/").content == b"New"
        assert visitor.is_answered_without_view("/")
        Site.objects.get(domain="new.example").delete()
        assert visitor.get("/").content == b"no site"


def named(request: HttpRequest) -> str:
    try:
        return get_current_site(request).name
    except Site.DoesNotExist:
        return "no site"


@pytest.mark.parametrize("name", WAYS)
def test_a_defect_would_be_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the value were in the key of the record, where it is not."""
    in_key = inputs._IN_KEY | {WAYS[name].name}
    monkeypatch.setattr(inputs, "_IN_KEY", in_key)
    monkeypatch.setattr(inputs._Noted, "in_key", in_key)
    with pytest.raises(AssertionError):
        test_who_has_another_value_is_not_told_that_it_is_the_same(name)
