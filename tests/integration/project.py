"""The project that real servers serve in tests: settings, URLs and the WSGI application."""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from notmodified.decorators import condition
from notmodified.validators import field

SECRET_KEY = "tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["notmodified", "tests.site"]
MIDDLEWARE = [
    "notmodified.middleware.NotModifiedMiddleware",
    "django.middleware.common.CommonMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("TESTS_DATABASE", ":memory:"),
    }
}
NOTMODIFIED = {
    "CACHE_STATUS": True,
    "ALTERED_IF_MATCH": os.environ.get("TESTS_ALTERED_IF_MATCH", "refuse"),
}


def _shelves(request: HttpRequest, pk: int) -> Any:
    from tests.site.models import Shelf

    return Shelf.objects.filter(pk=pk)


shelf_version = field(_shelves, single=True)


@condition(shelf_version, precondition_required=True)
def shelf(request: HttpRequest, pk: int) -> HttpResponse:
    from tests.site.models import Shelf

    if request.method == "PUT":
        Shelf.objects.filter(pk=pk).update(name=request.body.decode())
    return HttpResponse(Shelf.objects.get(pk=pk).name * 50, content_type="text/plain")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("unchanged " * 50)


urlpatterns = [path("shelves/<int:pk>/", shelf), path("page/", page)]

if os.environ.get("DJANGO_SETTINGS_MODULE") == __name__ and "TESTS_DATABASE" in os.environ:
    application = get_wsgi_application()
