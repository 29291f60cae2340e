"""gunicorn behind nginx with gzip on: the tag arrives weakened, comes back, and still counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import DOCS, blocks
from tests.integration.servers import ROOT, gunicorn, nginx

NGINX = os.environ.get("NOTMODIFIED_NGINX") or shutil.which("nginx") or "/usr/sbin/nginx"
PROJECT = "tests.integration.project"
SETUP = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from tests.site.models import Shelf
Shelf.objects.create(pk=1, name="first")
"""

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not Path(NGINX).exists(), reason="needs nginx: scripts/services start nginx"
    ),
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "site.sqlite3"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": PROJECT,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "TESTS_DATABASE": str(path),
    }
    subprocess.run([sys.executable, "-c", SETUP], env=environment, cwd=ROOT, check=True)
    return path


@pytest.fixture(params=["refuse", "accept"])
def site(
    request: pytest.FixtureRequest,
    database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TESTS_ALTERED_IF_MATCH", request.param)
    with (
        gunicorn(PROJECT, database) as upstream,
        nginx(NGINX, upstream, tmp_path) as url,
        httpx.Client(base_url=url) as client,
    ):
        client.headers["X-Setting"] = request.param
        yield client


@pytest.mark.parametrize("url", ["/shelves/1/", "/page/"])
def test_a_weakened_tag_comes_back_and_gives_a_304(site: httpx.Client, url: str) -> None:
    full = site.get(url)
    assert full.headers["Content-Encoding"] == "gzip"
    assert full.headers["ETag"].startswith('W/"')
    short = site.get(url, headers={"If-None-Match": full.headers["ETag"]})
    assert (short.status_code, short.content) == (304, b"")
    assert short.headers["Cache-Control"] == full.headers["Cache-Control"] == "no-cache"
    assert "Date" in short.headers  # C13
    assert "Content-Type" not in short.headers


def test_a_location_that_the_documentation_leaves_uncompressed(
    database: Path, tmp_path: Path
) -> None:
    """Its tags stay strong, and If-Match works by the letter of the RFC."""
    [block] = [b for b in blocks(DOCS / "guides" / "proxies.md") if b.language == "nginx"]
    with gunicorn(PROJECT, database) as upstream:
        location = block.code.replace("/api/", "/shelves/")
        location = location.replace("http://127.0.0.1:8000", upstream)
        assert upstream in location
        with (
            nginx(NGINX, upstream, tmp_path, location) as url,
            httpx.Client(base_url=url) as client,
        ):
            plain, compressed = client.get("/shelves/1/"), client.get("/page/")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["ETag"].startswith('"')


@pytest.mark.parametrize("suffix", ["-gzip", "--gzip", "-br"])
def test_so_does_one_with_the_suffix_of_apache_or_jetty(site: httpx.Client, suffix: str) -> None:
    tag = site.get("/page/").headers["ETag"].removeprefix("W/")
    altered = tag[:-1] + suffix + '"'
    assert site.get("/page/", headers={"If-None-Match": altered}).status_code == 304


def test_the_view_does_not_run_for_it(site: httpx.Client) -> None:
    tag = site.get("/shelves/1/").headers["ETag"]
    short = site.get("/shelves/1/", headers={"If-None-Match": tag})
    assert "the view did not run" in short.headers["Cache-Status"]


def test_if_match_takes_it_only_where_the_site_says_so(site: httpx.Client) -> None:
    tag = site.get("/shelves/1/").headers["ETag"]
    answer = site.put("/shelves/1/", content="second", headers={"If-Match": tag})
    assert answer.status_code == (200 if site.headers["X-Setting"] == "accept" else 412)
    # Either way a tag from before the change is refused.
    site.put("/shelves/1/", content="third", headers={"If-Match": _strong(site)})
    assert site.put("/shelves/1/", content="x", headers={"If-Match": tag}).status_code == 412


def test_the_tag_as_it_was_sent_is_to_be_had_without_a_coding(site: httpx.Client) -> None:
    answer = site.put("/shelves/1/", content="fourth", headers={"If-Match": _strong(site)})
    assert answer.status_code == 200


def _strong(site: httpx.Client) -> str:
    """Asked for without a content coding, nginx passes the tag on as it is."""
    tag = site.get("/shelves/1/", headers={"Accept-Encoding": "identity"}).headers["ETag"]
    assert tag.startswith('"')
    return str(tag)
