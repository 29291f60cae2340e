"""The blog's own views, both admins, and Wagtail's pages for whatever is left."""

from django.contrib import admin
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

from tests.sites.cms.blog import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("cms/", include(wagtailadmin_urls)),
    path("search/", views.search, name="search"),
    path("welcome/", views.welcome, name="welcome"),
    path("newsletter/", views.newsletter, name="newsletter"),
    path("announcements/", views.announcements, name="announcements"),
    path("quote/", views.quote, name="quote"),
    path("", include(wagtail_urls)),
]
