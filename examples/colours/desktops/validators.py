"""The ways to know whether a desktop's page has changed, by their names in the addresses.

Rule: the page is made of the desktop, what lies on it, the tags, the colours of all that, and the
person who looks at it; each way names all of them. The language is in every tag already.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from palette.models import Colour

from desktops.models import Desktop, Note, Shortcut, Tag
from notmodified.validators import Members, Validator, combine, content, field, table, token
from notmodified.validators.token import Watched


def viewer(request: HttpRequest, **kwargs: Any) -> str:
    """What the page shows of the person who looks at it: the name, and a form for the owner."""
    return f"{request.user.pk} {request.user.get_username()}"


def desktops(request: HttpRequest, username: str, slug: str) -> QuerySet[Desktop]:
    """The desktop itself; a renamed owner's is no longer found."""
    return Desktop.objects.filter(owner__username=username, slug=slug)


def shortcuts(request: HttpRequest, username: str, slug: str) -> QuerySet[Shortcut]:
    return Shortcut.objects.filter(desktop__in=desktops(request, username, slug))


def notes(request: HttpRequest, username: str, slug: str) -> QuerySet[Note]:
    return Note.objects.filter(desktop__in=desktops(request, username, slug))


def tags(request: HttpRequest, username: str, slug: str) -> QuerySet[Tag]:
    return Tag.objects.filter(desktops__in=desktops(request, username, slug))


def colours(request: HttpRequest, username: str, slug: str) -> QuerySet[Colour]:
    wallpapers = desktops(request, username, slug).values("wallpaper")
    of_shortcuts = shortcuts(request, username, slug).values("colour")
    return Colour.objects.filter(Q(pk__in=wallpapers) | Q(pk__in=of_shortcuts))


def watched(request: HttpRequest, username: str, slug: str) -> list[Watched] | None:
    """The same for a token: rows, and sets of rows that may grow."""
    desktop = desktops(request, username, slug).select_related("owner").first()
    if desktop is None:
        return None
    return [
        desktop,
        desktop.owner,
        Members(Shortcut, desktop=desktop),
        Members(Note, desktop=desktop),
        Members(Desktop.tags.through, desktop=desktop),
        *tags(request, username, slug),
        # Instead of each colour shown: they change once a year.
        Colour,
    ]


PAGES: Final[dict[str, Validator]] = {
    "content": content(),
    "field": combine(
        field(desktops, single=True),
        field(shortcuts),
        field(notes),
        field(tags),
        field(colours),
        viewer,
    ),
    "token": combine(token(watched), viewer),
    # A hash of whole tables, the thirty thousand colours too: right, and for a page as small as
    # this slower than to render it.
    "table": combine(
        table(
            Desktop,
            User,
            Shortcut,
            Note,
            Tag,
            Desktop.tags.through,
            Colour,
        ),
        viewer,
    ),
}
