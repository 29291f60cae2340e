"""The API's addresses: the same views once per validator.

The views know nothing of it: they are wrapped here. ``/api/colours/`` is not wrapped at all. The
others are never recorded, so that each shows what its validator does alone.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.urls import path
from django.views.decorators.cache import cache_control, cache_page

from notmodified.decorators import condition, last_modified
from notmodified.recording import never_recorded
from notmodified.validators import content
from palette.validators import DETAILS, LISTS
from palette.views import ColourDetail, ColourList, ColourShown

# The middleware gives a tag to everything that may be stored; `no-store` shows life without one.
plain = cache_control(no_store=True)
cached = cache_page(settings.PAGE_SECONDS)


def alone(decorator: Callable[..., Any]) -> Callable[..., Any]:
    """`decorator`, of what is never recorded."""
    return lambda view: never_recorded(decorator(view))


urlpatterns = [
    path("colours/", ColourList.as_view()),
    path("colours/<int:pk>/", ColourShown.as_view()),
    path("plain/colours/", plain(ColourList.as_view())),
    path("plain/colours/<int:pk>/", plain(ColourShown.as_view())),
    path("content/colours/<int:pk>/", alone(condition(content()))(ColourShown.as_view())),
    # The middleware adds ETag and Last-Modified to what Django's cache has stored.
    path("cached/colours/", cached(ColourList.as_view())),
    path("cached/colours/<int:pk>/", cached(ColourShown.as_view())),
    # The same version as a date: when it was first seen.
    path("last-modified/colours/", alone(last_modified(LISTS["field"]))(ColourList.as_view())),
    path(
        "last-modified/colours/<int:pk>/",
        alone(last_modified(DETAILS["field"], precondition_required=True))(ColourDetail.as_view()),
    ),
]
urlpatterns += [
    path(
        f"{how}/colours/", alone(condition(validator))(ColourList.as_view()), name=f"colours-{how}"
    )
    for how, validator in LISTS.items()
]
urlpatterns += [
    path(
        f"{how}/colours/<int:pk>/",
        alone(condition(validator, precondition_required=True))(ColourDetail.as_view()),
        name=f"colour-{how}",
    )
    for how, validator in DETAILS.items()
]
