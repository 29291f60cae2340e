"""The site's addresses: the API, the desktops, accounts, the admin, static files."""

from desktops.views import home
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path
from django.views.generic import TemplateView

from colours.views import dependencies

urlpatterns = [
    path("", home, name="home"),
    path("dependencies/", dependencies, name="dependencies"),
    path("", include("desktops.urls")),
    path("api/", include("palette.urls")),
    path("admin/", admin.site.urls),
    path("account/login/", LoginView.as_view(), name="login"),
    # A form of its own page: on every page it would put a CSRF token there.
    path(
        "account/leave/",
        TemplateView.as_view(template_name="registration/leave.html"),
        name="leave",
    ),
    path("account/logout/", LogoutView.as_view(), name="logout"),
    path(
        "account/language/",
        TemplateView.as_view(template_name="registration/language.html"),
        name="language",
    ),
    path("i18n/", include("django.conf.urls.i18n")),
    # One process less to start: a real site lets its web server do this.
    path("static/<path:path>", serve, {"insecure": True}),
]
