"""What the recorded pages are made from: articles with an author, tags and comments.

Rules of this module:

- No model has a version: nothing but the log's triggers is on their tables.
- :class:`Bare` and :class:`Logged` are alike. The benchmarks take the triggers of `Bare` away, and
  compare writes to the two.
"""

from __future__ import annotations

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)


class Tag(models.Model):
    name = models.CharField(max_length=50)


class Article(models.Model):
    title = models.CharField(max_length=100)
    body = models.TextField()
    author = models.ForeignKey(Author, models.CASCADE, related_name="articles")
    tags = models.ManyToManyField(Tag)


class Comment(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Author, models.CASCADE)
    text = models.CharField(max_length=200)


class Entry(models.Model):
    title = models.CharField(max_length=100)
    number = models.IntegerField(default=0)
    author = models.ForeignKey(Author, models.CASCADE)

    class Meta:
        abstract = True


class Bare(Entry):
    """Without the log's triggers."""


class Logged(Entry):
    """With them."""
