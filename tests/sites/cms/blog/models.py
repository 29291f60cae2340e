"""Pages, the snippets that they show, and rows that Wagtail knows nothing of."""

from __future__ import annotations

from typing import Any

from django.db import models
from modelcluster.fields import ParentalManyToManyField
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page
from wagtail.search import index
from wagtail.snippets.models import register_snippet


@register_snippet
class Author(models.Model):
    name = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.name


@register_snippet
class MenuItem(models.Model):
    """An entry of the menu on every page."""

    title = models.CharField(max_length=80)
    link = models.CharField(max_length=200, default="/")
    position = models.IntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.title


class Topic(models.Model):
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class BlogIndex(Page):
    subpage_types = ["blog.BlogPost", "blog.BlogIndex"]

    def get_context(self, request: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        posts = BlogPost.objects.child_of(self).live().select_related("author")
        newest_first = posts.order_by("-first_published_at", "-pk")
        return super().get_context(request, *args, **kwargs) | {"posts": newest_first}


class BlogPost(Page):
    body = RichTextField(blank=True)
    author = models.ForeignKey(Author, null=True, on_delete=models.SET_NULL, related_name="+")
    image = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    topics = ParentalManyToManyField(Topic, blank=True)

    content_panels = [
        *Page.content_panels,
        *map(FieldPanel, ("author", "image", "topics", "body")),
    ]
    search_fields = [*Page.search_fields, index.SearchField("body")]
    subpage_types: list[str] = []


class Announcement(models.Model):
    """Is shown once its time has come."""

    text = models.CharField(max_length=80)
    publish_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.text


class Subscriber(models.Model):
    email = models.EmailField()

    def __str__(self) -> str:
        return self.email
