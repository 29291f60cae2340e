"""The desktops' addresses: the same page once per validator.

``/desktops/<username>/<slug>/`` is a view without a decorator, as every page of a site that has
said nothing. The others are never recorded, so that each shows what its validator does alone.
"""

from django.urls import path
from django.views.decorators.cache import cache_control

from desktops.validators import PAGES
from desktops.views import add_note, desktop_page
from notmodified.decorators import condition
from notmodified.recording import never_recorded

plain = cache_control(no_store=True)
pages = {
    how: never_recorded(condition(validator)(desktop_page)) for how, validator in PAGES.items()
}

urlpatterns = [
    path("desktops/<str:username>/<slug:slug>/", desktop_page, name="desktop"),
    path("desktops/<str:username>/<slug:slug>/notes/", add_note),
]
pages["middleware-alone"] = never_recorded(desktop_page)
for how, page in {"plain": plain(desktop_page), **pages}.items():
    urlpatterns += [
        path(f"d/{how}/<str:username>/<slug:slug>/", page, name=f"desktop-{how}"),
        path(f"d/{how}/<str:username>/<slug:slug>/notes/", add_note),
    ]
