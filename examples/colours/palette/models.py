"""A named colour."""

from __future__ import annotations

from typing import Self

from django.db import models

from notmodified.fields import VersionField


class Colour(models.Model):
    """A colour with its name and its value; red, green and blue are what `hex` says."""

    name = models.CharField(max_length=100, unique=True)
    hex = models.CharField(max_length=7)
    red = models.PositiveSmallIntegerField(editable=False)
    green = models.PositiveSmallIntegerField(editable=False)
    blue = models.PositiveSmallIntegerField(editable=False)
    version = VersionField()

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def split(self) -> Self:
        """Fill in red, green and blue; ``bulk_create`` calls no ``save``."""
        self.red, self.green, self.blue = bytes.fromhex(self.hex.removeprefix("#"))
        return self

    def save(self, *args: object, **kwargs: object) -> None:
        self.split()
        super().save(*args, **kwargs)

    @property
    def is_dark(self) -> bool:
        """Whether white text is easier to read on it than black (ITU-R BT.601 luma)."""
        return 299 * self.red + 587 * self.green + 114 * self.blue < 140_000
