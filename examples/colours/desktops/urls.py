"""The desktops' addresses: the same page once per validator.

``/desktops/<username>/<slug>/`` is left to the middleware, as every page of a site that has said
nothing.
"""

from django.urls import path
from django.views.decorators.cache import cache_control

from desktops.validators import PAGES
from desktops.views import add_note, desktop_page
from notmodified.decorators import condition

plain = cache_control(no_store=True)
pages = {how: condition(validator)(desktop_page) for how, validator in PAGES.items()}

urlpatterns = [
    path("desktops/<str:username>/<slug:slug>/", desktop_page, name="desktop"),
    path("desktops/<str:username>/<slug:slug>/notes/", add_note),
]
for how, page in {"plain": plain(desktop_page), **pages}.items():
    urlpatterns += [
        path(f"d/{how}/<str:username>/<slug:slug>/", page, name=f"desktop-{how}"),
        path(f"d/{how}/<str:username>/<slug:slug>/notes/", add_note),
    ]
