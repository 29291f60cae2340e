"""The rows that the blog begins with: a program."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.files.images import ImageFile  # noqa: E402
from django.utils import timezone  # noqa: E402
from PIL import Image as Picture  # noqa: E402
from wagtail.images.models import Image  # noqa: E402
from wagtail.models import GroupPagePermission, Page, Site  # noqa: E402

from tests.sites.cms.blog.models import (  # noqa: E402
    Announcement,
    Author,
    BlogIndex,
    BlogPost,
    MenuItem,
    Topic,
)

PASSWORD = "colours"
POSTS = 24


def users() -> None:
    """A superuser, and an editor who may do a few things in each admin."""
    User.objects.create_superuser("ada", "ada@example.org", PASSWORD)
    bob = User.objects.create_user("bob", "bob@example.org", PASSWORD, is_staff=True)
    bob.groups.add(Group.objects.get(name="Editors"))
    own = Permission.objects.filter(
        content_type__app_label="blog",
        codename__in=["view_author", "change_author", "view_announcement"],
    )
    bob.user_permissions.set(own)
    assert GroupPagePermission.objects.filter(group__name="Editors").exists()


def picture(title: str, colour: str) -> Image:
    content = BytesIO()
    Picture.new("RGB", (80, 60), colour).save(content, "PNG")
    content.seek(0)
    return Image.objects.create(title=title, file=ImageFile(content, name=f"{colour}.png"))


def pages() -> None:
    authors = [Author.objects.create(name=name) for name in ("Ada Lovelace", "Bob Kahn")]
    images = [picture(f"In {colour}", colour) for colour in ("red", "blue")]
    topics = [Topic.objects.create(name=name) for name in ("Engines", "Networks", "Looms")]
    root = Page.objects.get(depth=1)
    site = Site.objects.get()
    home = root.add_child(instance=BlogIndex(title="The blog", slug="blog"))
    site.root_page = home
    site.save()
    Page.objects.get(slug="home").delete()
    elsewhere = BlogIndex(title="The archive", slug="archive")
    Page.objects.get(pk=home.pk).add_child(instance=elsewhere)
    for number in range(1, POSTS + 1):
        post = BlogPost(
            title=f"Post {number}",
            slug=f"post-{number}",
            body=f"<p>Of engines, <b>part {number}</b>.</p>",
            author=authors[number % 2],
            image=images[number % 2],
            topics=topics[: number % 3],
        )
        Page.objects.get(pk=home.pk).add_child(instance=post)
        post.save_revision().publish()
    # All say at the same moment that another minute has passed.
    at = timezone.now() - timedelta(minutes=5)
    Page.objects.update(first_published_at=at, last_published_at=at, latest_revision_created_at=at)


def others() -> None:
    for position, title in enumerate(["Home", "Welcome", "Newsletter"]):
        MenuItem.objects.create(title=title, position=position)
    now = timezone.now()
    for hours in (-24, -1, 24):
        at = (now + timedelta(hours=hours)).replace(microsecond=0)
        Announcement.objects.create(text=f"In {hours} hours", publish_at=at)


if __name__ == "__main__":
    users()
    pages()
    others()
