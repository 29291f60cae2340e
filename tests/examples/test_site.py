"""The example site itself: languages, people, forms, and what must not be a 304."""

from __future__ import annotations

import csv
import gettext
import re

import httpx
import pytest
from tour.browser import Browser, Visit

from tests.examples.conftest import EXAMPLE, manage

WAYS = ["content", "field", "token", "table"]
PAGES = [f"/d/{how}/ada/studio/" for how in WAYS]
_IMPORTS = """
from django.db.models import Value
from django.db.models.functions import Concat
from desktops.models import *
from palette.models import Colour
d = Desktop.objects.get(owner__username="ada")
"""
LISTS = [f"/api/{how}/colours/" for how in [*WAYS, "combined"]]


@pytest.fixture
def client(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def ada(address: str) -> Browser:
    return Browser(address, ("ada", "colours"))


@pytest.fixture(scope="module")
def johannes(address: str) -> Browser:
    return Browser(address, ("johannes", "colours"))


def settled(browser: Browser, path: str) -> Visit:
    visit = browser.warm(path)
    browser.keep(path, visit)
    return visit


def test_the_settings_pass_every_check(prepared: dict[str, str]) -> None:
    manage(prepared, "check", "--fail-level=WARNING", "--database=default")
    manage(prepared, "makemigrations", "--check", "--dry-run")


def test_the_language_is_chosen_by_a_form(client: httpx.Client) -> None:
    [token] = re.findall(
        'csrfmiddlewaretoken" value="(\\w+)"', client.get("/account/language/").text
    )
    data = {"language": "de", "csrfmiddlewaretoken": token}
    assert client.post("/i18n/setlang/", data=data).status_code == 302
    assert 'lang="de"' in client.get("/account/leave/").text


def test_the_data_are_complete_and_licensed() -> None:
    with (EXAMPLE / "data" / "colornames.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["name"] for row in rows}) == 31_881
    assert all(re.fullmatch("#[0-9a-f]{6}", row["hex"]) for row in rows)
    assert "MIT License" in (EXAMPLE / "data" / "LICENSE").read_text()


def test_the_compiled_translation_is_that_of_the_source() -> None:
    directory = EXAMPLE / "locale" / "de" / "LC_MESSAGES"
    source = (directory / "django.po").read_text(encoding="utf-8")
    with (directory / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', source, re.MULTILINE)
    assert pairs
    assert [compiled.gettext(english) for english, _ in pairs] == [german for _, german in pairs]


@pytest.mark.parametrize("path", [*PAGES, "/desktops/ada/studio/"])
def test_another_language_is_another_representation(client: httpx.Client, path: str) -> None:
    for _ in range(4):  # both workers, whichever answers
        english = client.get(path, headers={"Accept-Language": "en"})
        tag = english.headers.get("ETag", '"none"')
        german = client.get(path, headers={"Accept-Language": "de", "If-None-Match": tag})
        assert german.status_code == 200
        assert "Notizen" in german.text
        assert "accept-language" in german.headers["Vary"].lower()
        by_cookie = client.get(
            path,
            headers={
                "Accept-Language": "en",
                "Cookie": "django_language=de",
                "If-None-Match": tag,
            },
        )
        assert by_cookie.status_code == 200
        assert "Notizen" in by_cookie.text


@pytest.mark.parametrize("path", [*PAGES, "/desktops/ada/studio/"])
def test_only_the_owner_sees_a_form(
    client: httpx.Client, ada: Browser, johannes: Browser, path: str
) -> None:
    assert b"csrfmiddlewaretoken" in settled(ada, path).body
    assert b"csrfmiddlewaretoken" not in settled(johannes, path).body
    anonymous = client.get(path)
    assert b"csrfmiddlewaretoken" not in anonymous.content
    assert "csrftoken" not in anonymous.cookies
    assert b"Hello, johannes." in johannes.warm(path).body


@pytest.mark.parametrize("path", [*PAGES, "/desktops/ada/studio/"])
def test_one_person_s_tag_is_no_other_s(
    client: httpx.Client, ada: Browser, johannes: Browser, path: str
) -> None:
    tags = {settled(ada, path).etag, settled(johannes, path).etag}
    tags.add(Browser(str(client.base_url)).warm(path).etag)
    assert len(tags) == 3
    assert None not in tags


@pytest.mark.parametrize(
    "change",
    [
        "Note.objects.create(desktop=d, text='x')",
        "Note.objects.filter(desktop=d).last().delete()",
        "Note.objects.filter(desktop=d).update(text=Concat('text', Value('y')))",
        "s = d.shortcuts.last(); s.label += '!'; s.save()",
        "d.shortcuts.last().delete()",
        "d.tags.add(Tag.objects.get_or_create(name=str(d.version))[0])",
        "d.tags.remove(d.tags.last())",
        "Tag.objects.filter(desktops=d).update(name=Concat('name', Value('z')))",
        "c = d.shortcuts.last().colour; c.hex = f'#{c.green:02x}{c.blue:02x}{c.red:02x}'; c.save()",
        "Colour.objects.filter(pk=d.wallpaper_id).update(name=Concat('name', Value('?')))",
        "d.wallpaper = Colour.objects.exclude(pk=d.wallpaper_id).first(); d.save()",
        "d.title += '.'; d.save(update_fields=['title'])",
    ],
)
def test_every_change_of_what_a_page_shows_is_seen(
    address: str, prepared: dict[str, str], change: str
) -> None:
    browser = Browser(address)
    copies = {path: settled(browser, path) for path in PAGES}
    for path in PAGES:
        assert {browser.back(path).status for _ in range(3)} == {304}
    manage(prepared, "shell", "--command", _IMPORTS + change)
    for path, copy in copies.items():
        visits = [browser.back(path) for _ in range(4)]
        assert {visit.status for visit in visits} == {200}
        assert copy.page not in {visit.page for visit in visits}


def test_a_desktop_that_is_not_there_is_a_404(client: httpx.Client) -> None:
    for path in PAGES:
        missing = path.replace("studio", "none")
        assert client.get(missing, headers={"If-None-Match": "*"}).status_code == 404


@pytest.mark.parametrize("path", LISTS)
def test_the_browsable_page_knows_who_has_logged_out(address: str, path: str) -> None:
    # DRF's page holds a CSRF token, whose secret outlives the session: alone it tells nobody apart.
    browser = Browser(address, ("johannes", "colours"))
    page = path + "?format=api"
    signed_in = settled(browser, page)
    assert b"johannes" in signed_in.body
    browser.submit("/account/leave/", "../logout/")
    visits = [browser.back(page) for _ in range(4)]
    assert {visit.status for visit in visits} == {200}
    assert all(b"johannes" not in visit.body for visit in visits)


@pytest.mark.parametrize("how", ["field", "token", "table", "combined"])
def test_a_write_needs_the_tag_of_what_it_changes(client: httpx.Client, how: str) -> None:
    path = f"/api/{how}/colours/7/"
    auth = ("ada", "colours")
    for _ in range(5):  # a page that two workers ask for at once may get its tag the next time
        tag = client.get(path).headers.get("ETag")
        if tag:
            break
    name = client.get(path).json()["name"]
    other = client.get(f"/api/{how}/colours/8/").headers.get("ETag", '"none"')

    def patch(**headers: str) -> int:
        return client.patch(path, json={"name": name}, headers=headers, auth=auth).status_code

    assert client.patch(path, json={"name": name}).status_code in (401, 403)
    assert patch() == 428
    assert tag is not None
    if how != "table":  # a table's tag is that of all its rows
        assert patch(**{"If-Match": other}) == 412
    assert patch(**{"If-Match": tag}) == 200
    if how != "table":  # nor does it move by a write that leaves the row as it was
        assert patch(**{"If-Match": tag}) == 412
