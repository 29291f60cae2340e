"""Models with every relation that a version has to follow."""

from uuid import uuid4

from django.db import models

from notmodified.fields import VersionField


class Tag(models.Model):
    name = models.CharField(max_length=50)


class Shelf(models.Model):
    name = models.CharField(max_length=50)
    version = VersionField()


class Book(models.Model):
    title = models.CharField(max_length=50)
    copies = models.IntegerField(default=0)
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books", null=True)
    tags = models.ManyToManyField(Tag)
    version = VersionField()


class Parent(models.Model):
    name = models.CharField(max_length=50)
    version = VersionField()


class Child(Parent):
    nickname = models.CharField(max_length=50)


class Plain(models.Model):
    """Without a version."""

    name = models.CharField(max_length=50)


class Grandchild(Child):
    toy = models.CharField(max_length=50)


class Left(models.Model):
    left_key = models.AutoField(primary_key=True)
    left = models.CharField(max_length=50)
    version = VersionField()


class Right(models.Model):
    right_key = models.AutoField(primary_key=True)
    right = models.CharField(max_length=50)


class Both(Left, Right):
    """In three tables, under two keys."""


class Label(Plain):
    """With the version in the child, and the name in the parent."""

    colour = models.CharField(max_length=50)
    version = VersionField()


class Person(models.Model):
    name = models.CharField(max_length=50)
    friends = models.ManyToManyField("self")
    admires = models.ManyToManyField("self", symmetrical=False, related_name="admirers")
    clubs = models.ManyToManyField("Club", through="Membership", related_name="members")  # type: ignore[var-annotated]
    version = VersionField()


class Club(models.Model):
    name = models.CharField(max_length=50)


class Membership(models.Model):
    person = models.ForeignKey(Person, models.CASCADE)
    club = models.ForeignKey(Club, models.CASCADE)
    role = models.CharField(max_length=50, default="")


class Box(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    name = models.CharField(max_length=50, default="")


class Item(models.Model):
    box = models.ForeignKey(Box, models.CASCADE, null=True)
    name = models.CharField(max_length=50, default="")


class Country(models.Model):
    code = models.CharField(max_length=2, primary_key=True)
    name = models.CharField(max_length=50)


class City(models.Model):
    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, models.CASCADE)


class Numbered(models.Model):
    number = models.IntegerField(unique=True)


class Copy(models.Model):
    """Refers to something else than a primary key."""

    of = models.ForeignKey(Numbered, models.CASCADE, to_field="number")
    state = models.CharField(max_length=50, default="")


class Place(models.Model):
    """For a list in an order that people change."""

    position = models.IntegerField(default=0)
    a = models.IntegerField(default=0)
    b = models.IntegerField(default=0)


class Measurement(models.Model):
    t = models.IntegerField(default=0)
    value = models.IntegerField(default=0)


class Ticket(models.Model):
    """Unique beside its key, for writes that meet what is there."""

    code = models.IntegerField(unique=True)
    holder = models.CharField(max_length=50, default="")
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True)
    version = VersionField()


if hasattr(models, "DB_CASCADE"):

    class Owner(models.Model):
        name = models.CharField(max_length=50)

    class Pet(models.Model):
        owner = models.ForeignKey(Owner, models.DB_CASCADE)
        name = models.CharField(max_length=50, default="")

    class Collar(models.Model):
        pet = models.ForeignKey(Pet, models.DB_CASCADE)
        colour = models.CharField(max_length=50, default="")

    class Guest(models.Model):
        """The database itself changes its row."""

        owner = models.ForeignKey(Owner, models.DB_SET_NULL, null=True)
        version = VersionField()
