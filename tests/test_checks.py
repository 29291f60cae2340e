"""The system checks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.core.cache.backends.memcached import BaseMemcachedCache
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from notmodified import checks
from notmodified.conf import MIDDLEWARE as OURS
from notmodified.writes.triggers.install import install, uninstall


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_the_test_project_is_right() -> None:
    call_command("check", fail_level="WARNING")


@pytest.mark.parametrize(
    "wrong", [{"CSFR": "x"}, {"WATCH": ["site.Nothing"]}, {"WATCH": ["nonsense"]}, []]
)
def test_e001_settings(wrong: Any) -> None:
    with override_settings(NOTMODIFIED=wrong):
        assert ids(checks.check_settings()) == ["notmodified.E001"]
        assert len(ids(checks.check_cache())) <= 1


def test_w001_the_middleware_must_be_first() -> None:
    with override_settings(MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", OURS]):
        assert ids(checks.check_middleware()) == ["notmodified.W001"]
    for right in ([OURS, "django.middleware.gzip.GZipMiddleware"], []):
        with override_settings(MIDDLEWARE=right):
            assert checks.check_middleware() == []


def test_e002_the_cache_must_exist() -> None:
    with override_settings(NOTMODIFIED={"CACHE": "nowhere"}):
        [message] = checks.check_cache()
    assert message.id == "notmodified.E002"
    assert "default" in message.hint


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_e003_w002_tokens_need_a_cache_that_processes_share(backend: str) -> None:
    caches = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    with override_settings(CACHES=caches, NOTMODIFIED={"WATCH": ["site.Shelf"]}):
        assert ids(checks.check_cache()) == ["notmodified.E003"]
        with override_settings(DEBUG=True):
            assert ids(checks.check_cache()) == ["notmodified.W002"]
    with override_settings(CACHES=caches, NOTMODIFIED={}):
        assert checks.check_cache() == []


def test_e004_tokens_need_a_cache_that_knows_who_was_first(tmp_path: Path) -> None:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    caches = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}
    with override_settings(CACHES=caches, NOTMODIFIED={"WATCH": ["site.Shelf"]}):
        assert ids(checks.check_cache()) == ["notmodified.E004"]


class AnyMemcached(BaseMemcachedCache):
    """A backend that needs no client to be asked about its servers."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(
            server,
            params,
            library=SimpleNamespace(Client=lambda *args, **kwargs: mock.MagicMock()),
            value_not_found_exception=ValueError,
        )


@pytest.mark.parametrize(
    ("servers", "expected"),
    [("127.0.0.1:1", []), (["127.0.0.1:1", "127.0.0.1:2"], ["notmodified.E005"])],
)
def test_e005_tokens_live_on_one_server(servers: Any, expected: list[str]) -> None:
    caches = {"default": {"BACKEND": "tests.test_checks.AnyMemcached", "LOCATION": servers}}
    with override_settings(CACHES=caches, NOTMODIFIED={"WATCH": ["site.Shelf"]}):
        assert ids(checks.check_cache()) == expected


def test_w003_a_deployment_should_name_its_build() -> None:
    with override_settings(NOTMODIFIED={"BUILD": ""}):
        assert ids(checks.check_build()) == ["notmodified.W003"]
    for named in ({}, {"BUILD": "1"}):
        with override_settings(NOTMODIFIED=named):
            assert checks.check_build() == []


@pytest.mark.django_db(transaction=True)
def test_w004_triggers() -> None:
    assert checks.check_triggers(databases=["default"]) == []
    uninstall(connection)
    try:
        found = checks.check_triggers(databases=["default"])
        assert set(ids(found)) == {"notmodified.W004"}
        assert "triggers install" in found[0].hint
    finally:
        install(connection)
    assert checks.check_triggers() == []
