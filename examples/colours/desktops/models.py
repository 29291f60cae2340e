"""A desktop, and what lies on it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from palette.models import Colour

from notmodified.fields import VersionField


class Tag(models.Model):
    """A word that desktops have in common."""

    name = models.CharField(max_length=40, unique=True)
    version = VersionField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Desktop(models.Model):
    """One page. Its version moves with its own row and with its tags, not with what lies on it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="desktops")
    slug = models.SlugField()
    title = models.CharField(max_length=80)
    wallpaper = models.ForeignKey(Colour, models.PROTECT, related_name="desktops")
    tags = models.ManyToManyField(Tag, related_name="desktops", blank=True)
    version = VersionField()

    class Meta:
        ordering = ["owner", "slug"]
        constraints = [models.UniqueConstraint(fields=["owner", "slug"], name="one_slug_each")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("desktop", args=[self.owner.get_username(), self.slug])


class Shortcut(models.Model):
    """A thing to click on."""

    desktop = models.ForeignKey(Desktop, models.CASCADE, related_name="shortcuts")
    label = models.CharField(max_length=40)
    target = models.URLField()
    position = models.PositiveSmallIntegerField()
    colour = models.ForeignKey(Colour, models.PROTECT, related_name="shortcuts")
    version = VersionField()

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.label


class Note(models.Model):
    """A few lines, and when they were written."""

    desktop = models.ForeignKey(Desktop, models.CASCADE, related_name="notes")
    text = models.CharField(max_length=400)
    created = models.DateTimeField(auto_now_add=True)
    version = VersionField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.text
