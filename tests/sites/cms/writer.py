"""Writes to the blog by Wagtail, by the models and by cursors: a program that reads seeds, one per
line, and answers each with the name of the write that it has made.

Rule: what a write takes away from somebody, it gives back when it is made again (``switch_…``).
"""

from __future__ import annotations

import random
from datetime import timedelta

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import F, Value  # noqa: E402
from django.db.models.functions import Concat  # noqa: E402
from django.utils import timezone  # noqa: E402
from wagtail.images.models import Image  # noqa: E402
from wagtail.models import GroupPagePermission, Page, PageViewRestriction  # noqa: E402

from tests.integration.seeds import Write, answer_seeds  # noqa: E402
from tests.sites.cms.blog.models import (  # noqa: E402
    Announcement,
    Author,
    BlogIndex,
    BlogPost,
    MenuItem,
    Subscriber,
    Topic,
)

Chance = random.Random


def _post(chance: Chance) -> BlogPost:
    return chance.choice(list(BlogPost.objects.filter(slug__startswith="post-").order_by("pk")))


def _word(chance: Chance) -> str:
    return "".join(chance.choices("abcdefgh", k=6))


def publish_an_edit(chance: Chance) -> None:
    post = _post(chance).get_latest_revision_as_object()
    post.title = _word(chance)
    post.body = f"<p>{_word(chance)} engines</p>"
    post.save_revision().publish()


def save_a_draft(chance: Chance) -> None:
    post = _post(chance).get_latest_revision_as_object()
    post.title = _word(chance)
    post.save_revision()


def switch_a_post_off_or_on(chance: Chance) -> None:
    post = _post(chance)
    if post.live:
        post.unpublish()
    else:
        post.save_revision().publish()


def switch_a_post_there_or_away(chance: Chance) -> None:
    """A post that comes and goes, with its page."""
    gone = BlogPost.objects.filter(slug="passing").first()
    if gone is not None:
        gone.delete()
        return
    home = BlogIndex.objects.get(slug="blog")
    post = BlogPost(title="Passing", slug="passing", author=Author.objects.first())
    home.add_child(instance=post)
    post.save_revision().publish()


def switch_a_post_into_the_archive(chance: Chance) -> None:
    """And with that, give it another address."""
    post = BlogPost.objects.get(slug="post-4")
    home, archive = (BlogIndex.objects.get(slug=slug) for slug in ("blog", "archive"))
    post.move(archive if post.get_parent().pk == home.pk else home, pos="last-child")


def switch_a_post_private(chance: Chance) -> None:
    """For those who are logged in."""
    post = BlogPost.objects.get(slug="post-1")
    if not post.view_restrictions.all().delete()[0]:
        PageViewRestriction.objects.create(page=post, restriction_type=PageViewRestriction.LOGIN)


def change_a_slug(chance: Chance) -> None:
    """Of a page with others below, whose addresses change too; and back."""
    for slug in ("old", "archive"):
        archive = BlogIndex.objects.get(title="The archive")
        archive.slug = slug
        archive.save()


def rename_an_author(chance: Chance) -> None:
    author = chance.choice(list(Author.objects.order_by("pk")))
    author.name = _word(chance)
    author.save()


def give_a_post_another_author(chance: Chance) -> None:
    post = _post(chance)
    post.author = chance.choice(list(Author.objects.order_by("pk")))
    post.save(update_fields=["author"])


def rename_authors_at_once(chance: Chance) -> None:
    Author.objects.update(name=Concat("name", Value("~")))


def add_to_the_menu(chance: Chance) -> None:
    MenuItem.objects.create(title=_word(chance), position=chance.randrange(5))


def take_from_the_menu(chance: Chance) -> None:
    item = MenuItem.objects.last()
    if item is not None and MenuItem.objects.count() > 1:
        item.delete()


def reorder_the_menu(chance: Chance) -> None:
    items = list(MenuItem.objects.all())
    for item in items:
        item.position = chance.randrange(5)
    MenuItem.objects.bulk_update(items, ["position"])


def rename_an_image(chance: Chance) -> None:
    image = chance.choice(list(Image.objects.order_by("pk")))
    image.title = _word(chance)
    image.save()


def crop_an_image(chance: Chance) -> None:
    """Its renditions are made anew."""
    image = chance.choice(list(Image.objects.order_by("pk")))
    image.focal_point_x = image.focal_point_y = chance.randrange(10, 40)
    image.focal_point_width = image.focal_point_height = 10
    image.save()


def update_titles(chance: Chance) -> None:
    Page.objects.filter(pk=_post(chance).pk).update(title=Concat("title", Value("!")))


def move_a_date(chance: Chance) -> None:
    post = Page.objects.filter(pk=_post(chance).pk)
    post.update(first_published_at=timezone.now() - timedelta(minutes=chance.randrange(1, 90)))


def write_by_a_cursor(chance: Chance) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE blog_blogpost SET body = body || '<p>More.</p>'")


def write_many_by_a_cursor(chance: Chance) -> None:
    rows = [(_word(chance), item.pk) for item in MenuItem.objects.all()[:2]]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE blog_menuitem SET title = %s WHERE id = %s", rows)


def set_topics(chance: Chance) -> None:
    post = _post(chance)
    post.topics = list(Topic.objects.all())[: chance.randrange(4)]
    post.save()


def rename_a_topic(chance: Chance) -> None:
    Topic.objects.filter(pk=chance.choice(Topic.objects.all()).pk).update(name=_word(chance))


def switch_a_permission(chance: Chance) -> None:
    bob = User.objects.get(username="bob")
    permission = Permission.objects.get(codename="change_author")
    if bob.user_permissions.filter(pk=permission.pk).exists():
        bob.user_permissions.remove(permission)
    else:
        bob.user_permissions.add(permission)


def switch_a_group(chance: Chance) -> None:
    bob, editors = User.objects.get(username="bob"), Group.objects.get(name="Editors")
    if bob.groups.filter(pk=editors.pk).exists():
        bob.groups.remove(editors)
    else:
        bob.groups.add(editors)


def switch_a_permission_on_pages(chance: Chance) -> None:
    editors = Group.objects.get(name="Editors")
    found = {
        "group": editors,
        "page": Page.objects.get(depth=1),
        "permission": Permission.objects.get(codename="publish_page"),
    }
    if not GroupPagePermission.objects.filter(**found).delete()[0]:
        GroupPagePermission.objects.create(**found)


def switch_the_superuser(chance: Chance) -> None:
    User.objects.filter(username="ada").update(is_superuser=~F("is_superuser"))


def switch_a_user_off_or_on(chance: Chance) -> None:
    user = User.objects.get(username="bob")
    user.is_active = not user.is_active
    user.save()


def switch_the_staff_flag(chance: Chance) -> None:
    user = User.objects.get(username="bob")
    user.is_staff = not user.is_staff
    user.save(update_fields=["is_staff"])


def rename_a_user(chance: Chance) -> None:
    User.objects.filter(username="ada").update(first_name=_word(chance))


def change_a_password(chance: Chance) -> None:
    """Another hash of the same: who was logged in, is no more."""
    bob = User.objects.get(username="bob")
    bob.set_password("colours")
    bob.save()


def delete_sessions(chance: Chance) -> None:
    user = chance.choice(list(User.objects.order_by("pk")))
    for session in Session.objects.all():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


def let_sessions_expire(chance: Chance) -> None:
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=1.5))


def announce_soon(chance: Chance) -> None:
    soon = timezone.now() + timedelta(seconds=1.5)
    announcement = chance.choice(list(Announcement.objects.order_by("pk")))
    announcement.publish_at = soon
    announcement.save()


def announce(chance: Chance) -> None:
    Announcement.objects.create(text=_word(chance), publish_at=timezone.now())


def withdraw_an_announcement(chance: Chance) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    first = Announcement.objects.order_by("publish_at").first()
    Announcement.objects.filter(pk=first.pk).update(publish_at=tomorrow)


def subscribe(chance: Chance) -> None:
    Subscriber.objects.bulk_create(Subscriber(email=f"{_word(chance)}@example.org") for _ in "ab")


def put_into_the_cache(chance: Chance) -> None:
    cache.set("quote", _word(chance))


def put_into_the_cache_for_a_moment(chance: Chance) -> None:
    cache.set("quote", _word(chance), timeout=1)


def delete_from_the_cache(chance: Chance) -> None:
    cache.delete("quote")


def clear_the_cache(chance: Chance) -> None:
    cache.clear()


def roll_back(chance: Chance) -> None:
    with transaction.atomic():
        publish_an_edit(chance)
        rename_an_author(chance)
        transaction.set_rollback(True)


def roll_back_in_part(chance: Chance) -> None:
    with transaction.atomic():
        add_to_the_menu(chance)
        with transaction.atomic():
            update_titles(chance)
            transaction.set_rollback(True)


WRITES: list[Write] = [
    *(publish_an_edit, save_a_draft, switch_a_post_off_or_on, switch_a_post_there_or_away),
    *(switch_a_post_into_the_archive, switch_a_post_private, change_a_slug, rename_an_author),
    *(give_a_post_another_author, rename_authors_at_once, add_to_the_menu, take_from_the_menu),
    *(reorder_the_menu, rename_an_image, crop_an_image, update_titles, move_a_date),
    *(write_by_a_cursor, write_many_by_a_cursor, set_topics, rename_a_topic),
    *(switch_a_permission, switch_a_group, switch_a_permission_on_pages, switch_the_superuser),
    *(switch_a_user_off_or_on, switch_the_staff_flag, rename_a_user, change_a_password),
    *(delete_sessions, let_sessions_expire, announce_soon, announce, withdraw_an_announcement),
    *(subscribe, put_into_the_cache, put_into_the_cache_for_a_moment, delete_from_the_cache),
    *(clear_the_cache, roll_back, roll_back_in_part),
]

if __name__ == "__main__":
    answer_seeds(WRITES)
