"""Oscar's own addresses, and beside them Django's admin and products that are not counted."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from tests.sites.shop.views import Look

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("look/<int:pk>/", Look.as_view()),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
