"""The ways to know whether the colours have changed, by the name that they have in the addresses.

Rule: JSON is the same for everybody, but the browsable page shows who is logged in. A validator
that looks only at the colours is therefore combined with :func:`viewer`.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request

from notmodified.validators import Validator, combine, content, field, table, token
from palette.models import Colour


def viewer(request: Request, **kwargs: Any) -> str:
    """What the page shows of the person who looks at it."""
    if request.accepted_renderer.format == "json":
        return ""
    return f"{request.user.pk} {request.user.get_username()}"


def colour(request: Request, pk: int) -> QuerySet[Colour]:
    return Colour.objects.filter(pk=pk)


def colour_watched(request: Request, pk: int) -> list[Colour] | None:
    return list(colour(request, pk)) or None


LISTS: Final[dict[str, Validator]] = {
    "content": content(),
    "field": combine(field(Colour), viewer),
    "token": combine(token(lambda request: [Colour]), viewer),
    "table": combine(table(Colour), viewer),
    "combined": combine(field(Colour), token(lambda request: [Colour]), viewer),
}

DETAILS: Final[dict[str, Validator]] = {
    "field": combine(field(colour, single=True), viewer),
    "token": combine(token(colour_watched), viewer),
    "table": combine(table(Colour), viewer),
    "combined": combine(field(colour, single=True), token(colour_watched), viewer),
}
