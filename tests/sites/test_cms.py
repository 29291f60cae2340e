"""A blog on Wagtail with Django's admin beside it, twice on one database, with and without the
package, between random writes: what a visitor holds after an answer of the first is what the second
shows at that moment. And how many pages that have not changed are answered without their view.

Rules of this module:

- What the same page is, and who visits, is said in ``tests.integration.twice``; how it is gone
  about, in ``tests.sites.world``.
- Left out is what Wagtail makes anew for each response: the number of an editing session, and
  random keys for the paragraphs in an editor.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.twice import Different
from tests.sites.world import (
    Project,
    Reader,
    World,
    Write,
    by_form,
    by_sqlite,
    change_places,
    check_a_right_is_gone_at_once,
    check_nobody_gets_another_s_page,
    check_nothing_is_confirmed_after,
    check_unchanged,
    lose_the_session,
    rounds,
    tour,
)

pytest.importorskip("wagtail")

SHARE = 0.22
"""So many of the pages are looked at after each two writes, any of them; all of them at the end."""
BY_THE_MODELS = 41
"""As many kinds of them as there are."""

HOME, POST, WELCOME, NEWSLETTER = "/", "/post-1/", "/welcome/", "/newsletter/"
PUBLIC = [
    *(HOME, "/archive/", POST, "/post-2/", "/post-4/", "/archive/post-4/", "/passing/"),
    *(WELCOME, NEWSLETTER, "/announcements/", "/quote/", "/search/?query=engines"),
]
MORE = [
    *(f"/post-{number}/" for number in (3, *range(5, 25))),
    *("/?utm_source=mail", "/newsletter/?from=footer", "/admin/login/", "/cms/login/"),
]
AUTHOR = "/admin/blog/author/1/change/"
BOB = "/admin/auth/user/2/change/"
EDIT, DRAFT = "/cms/pages/5/edit/", "/cms/pages/5/view_draft/"
DJANGO = [
    *("/admin/", "/admin/blog/author/", AUTHOR, "/admin/blog/author/add/"),
    *("/admin/blog/author/1/history/", "/admin/blog/announcement/", "/admin/blog/subscriber/"),
    *("/admin/auth/user/", BOB),
]
WAGTAIL = [
    *("/cms/", "/cms/pages/", "/cms/pages/3/", EDIT, DRAFT, "/cms/pages/5/history/"),
    *("/cms/pages/add/blog/blogpost/3/", "/cms/pages/search/?q=engines", "/cms/images/"),
    *("/cms/images/1/", "/cms/snippets/blog/author/", "/cms/snippets/blog/author/edit/1/"),
    *("/cms/users/", "/cms/reports/aging-pages/", "/cms/account/"),
]
PAGES = {
    "a visitor": [*PUBLIC, *MORE],
    "a German visitor": [*PUBLIC, *MORE],
    "ada": [*PUBLIC, *MORE[:8], *DJANGO, *WAGTAIL],
    "bob": [*PUBLIC, *MORE[:8], *DJANGO, *WAGTAIL],
}
EDITORS = ["ada", "bob"]

ENOUGH = {"a visitor": 0.95, "a German visitor": 0.95, "ada": 0.8, "bob": 0.8}
"""The share of the pages that have not changed which is answered without the view."""
KNOWN = {
    "?": (
        "wagtailsearch_indexentry_fts",
        "SQLite's table of the full-text search is virtual, and no trigger can watch it",
    ),
    "/edit/": (
        "wagtailadmin_editingsession",
        "Wagtail's edit forms write an editing session at each look",
    ),
    "/pages/add/": (
        "uuid.uuid4, a default of a model field",
        "a page that is yet to be made has a random key, by which its translations would find it",
    ),
    "/cms/images/": (
        "unchanged; found after the view had run",
        "edit forms put a rendition into the cache at each look, together with the image as read",
    ),
}
"""Pages that have not changed and need their view: what is in their addresses, what their reason
says, and why it is true."""


class Editor(Reader):
    login = "/admin/login/"
    any_page = WELCOME
    each_time = re.compile(
        rb"(?<=/cms/editing-sessions/)[^\s\"'&]+"
        rb"|(?<=&quot;key&quot;: &quot;)\w{5}(?=&quot;)"
    )


BLOG = Project(
    "cms",
    PAGES,
    EDITORS,
    Editor,
    # Wagtail renders drafts as if they were asked for there.
    moved_to="UPDATE wagtailcore_site SET hostname = '127.0.0.1', port = :port",
)


def _subscribe(world: World, chance: random.Random) -> None:
    world.visitors["a visitor"].submit(NEWSLETTER, email=f"{chance.random()}@example.org")


def _rename_an_author(world: World, chance: random.Random) -> None:
    world.visitors["ada"].submit(AUTHOR, name=f"Ada {chance.random()}")


def _rename_an_author_in_wagtail(world: World, chance: random.Random) -> None:
    path = "/cms/snippets/blog/author/edit/1/"
    world.visitors["bob"].submit(path, name=f"Bob {chance.random()}")


def _call_bob_by_name(world: World, chance: random.Random) -> None:
    world.visitors["ada"].submit(BOB, first_name=f"Bob {chance.random()}")


def _publish_an_edit(world: World, chance: random.Random) -> None:
    title = f"By the form {chance.random()}"
    world.visitors["ada"].submit(EDIT, title=title, button="action-publish")


def _save_a_draft(world: World, chance: random.Random) -> None:
    world.visitors["ada"].submit(EDIT, title=f"A draft {chance.random()}")


FORMS = [
    *(_subscribe, _rename_an_author, _rename_an_author_in_wagtail, _call_bob_by_name),
    *(_publish_an_edit, _save_a_draft, lose_the_session, change_places),
]
SCRIPTS = """
UPDATE blog_author SET name = name || '.'

UPDATE wagtailcore_page SET title = title || '-' WHERE id = 5

UPDATE wagtailcore_page SET live = 0 WHERE id = 5 --
UPDATE wagtailcore_page SET live = 1 WHERE id = 5

DELETE FROM blog_blogpost_topics WHERE id = (SELECT max(id) FROM blog_blogpost_topics)

REPLACE INTO blog_menuitem (id, title, link, position) VALUES (1, 'Replaced', '/', 9)

INSERT INTO blog_subscriber (email) VALUES ('sql@example.org')

DELETE FROM django_session

UPDATE auth_user SET is_superuser = 0 WHERE username = 'ada' --
UPDATE auth_user SET is_superuser = 1 WHERE username = 'ada'

BEGIN; UPDATE blog_author SET name = 'nobody'; ROLLBACK;
BEGIN; UPDATE blog_announcement SET publish_at = datetime('now', '+2 seconds') WHERE id = 1; COMMIT

DELETE FROM wagtailimages_rendition
""".strip().split("\n\n")
"""Programs that know nothing of Django; some with another, which gives back what they take."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return BLOG.prepare(tmp_path_factory.mktemp("cms"))


@pytest.fixture(scope="module")
def world(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with BLOG.world(tmp_path_factory.mktemp("world") / "state", prepared) as found:
        yield found


def test_no_page_differs_and_most_are_answered_without_their_view(world: World) -> None:
    chance = random.Random(1)
    tour(world, chance, rounds(chance, FORMS, SCRIPTS, BY_THE_MODELS), SHARE)
    world.visit_everything(chance)
    check_unchanged(world, chance, ENOUGH, KNOWN)


def test_nobody_gets_another_s_page(world: World) -> None:
    check_nobody_gets_another_s_page(world)


def test_a_permission_that_is_taken_away_is_gone_at_once(world: World) -> None:
    pages = {AUTHOR: "change_author", "/cms/snippets/blog/author/": "change_author"}
    pages |= {EDIT: "change_page", HOME: "change_page"}
    for path, permission in pages.items():
        taken, recorded = TAKEN.format(permission), path != EDIT  # it writes at each look
        check_a_right_is_gone_at_once(world, "bob", path, taken, GIVEN_BACK, recorded=recorded)


TAKEN = """
CREATE TABLE taken_user AS SELECT * FROM auth_user_user_permissions;
CREATE TABLE taken_group AS SELECT * FROM wagtailcore_grouppagepermission;
DELETE FROM auth_user_user_permissions WHERE permission_id IN
(SELECT id FROM auth_permission WHERE codename = '{0}');
DELETE FROM wagtailcore_grouppagepermission WHERE permission_id IN
(SELECT id FROM auth_permission WHERE codename = '{0}');
"""
GIVEN_BACK = """
INSERT OR IGNORE INTO auth_user_user_permissions SELECT * FROM taken_user;
INSERT OR IGNORE INTO wagtailcore_grouppagepermission SELECT * FROM taken_group;
DROP TABLE taken_user;
DROP TABLE taken_group;
"""


def test_a_draft_that_was_looked_at_does_not_stand_for_the_page(world: World) -> None:
    """Wagtail shows a draft by a request of its own, to the address of the page, inside of the one
    that asks for it."""
    chance = random.Random(7)
    visitor, ada = world.visitors["a visitor"], world.visitors["ada"]
    ada.submit(EDIT, title="Published", button="action-publish")
    for _ in range(2):
        visitor.visit("GET", POST, visitor.now(POST), chance)
        ada.visit("GET", DRAFT, ada.now(DRAFT), chance)
    assert visitor.copies[POST].shown.body == ada.copies[DRAFT].shown.body
    world.by_sqlite("UPDATE wagtailcore_page SET live = 0 WHERE id = 5")
    try:
        assert visitor.visit("GET", POST, visitor.now(POST), chance).status_code == 404
    finally:
        world.by_sqlite("UPDATE wagtailcore_page SET live = 1 WHERE id = 5")


def test_after_logging_out_no_page_of_the_user_s_is_confirmed(world: World) -> None:
    def log_out() -> None:
        world.visitors["ada"].post("/admin/", "/cms/logout/")

    check_nothing_is_confirmed_after(world, "ada", log_out, [*PUBLIC, *MORE])


@pytest.mark.parametrize(
    ("defect", "write"),
    [("records", by_sqlite(SCRIPTS[0])), ("sessions", by_form(lose_the_session))],
    ids=["records", "sessions"],
)
def test_a_defect_would_be_found(defect: str, write: Write, prepared: Path, tmp_path: Path) -> None:
    with (
        BLOG.world(tmp_path / "state", prepared, defect) as world,
        pytest.raises(Different, match="304, but"),
    ):
        tour(world, random.Random(1), [[write]])
