"""Settings of the example site; what differs from place to place comes from the environment.

=====================  ==========================================================================
``COLOURS_STATE``      directory of everything the site writes; ``.demo`` in the repository
``COLOURS_DATABASE``   path of a SQLite file, or a URL such as ``postgresql://user@host/name``
``COLOURS_REDIS_URL``  a Redis for the shared cache; without it, files in the state directory
``COLOURS_BUILD``      the release; without it, computed from the files of this example
``COLOURS_SECRET``     the secret key; without it, one that is fit for a demonstration only
``COLOURS_HOSTS``      the hosts it answers for, separated by commas
``COLOURS_DEBUG``      ``1`` for development
``COLOURS_PAGE_SECONDS``  how long ``cache_page`` keeps its page
=====================  ==========================================================================
"""

import os
from pathlib import Path

from colours.environment import build_of, caches, database

BASE_DIR = Path(__file__).resolve().parent.parent
STATE = Path(os.environ.get("COLOURS_STATE", BASE_DIR.parent.parent / ".demo")).resolve()

DEBUG = os.environ.get("COLOURS_DEBUG") == "1"
SECRET_KEY = os.environ.get("COLOURS_SECRET", "fit for a demonstration on one machine only")
ALLOWED_HOSTS = os.environ.get("COLOURS_HOSTS", "127.0.0.1,localhost").split(",")
ROOT_URLCONF = "colours.urls"
WSGI_APPLICATION = "colours.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "notmodified",
    "colours",
    "palette",
    "desktops",
]

MIDDLEWARE = [
    # First: it sees responses as they are sent.
    "notmodified.middleware.NotModifiedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": database(os.environ.get("COLOURS_DATABASE"), STATE)}
CACHES = caches(os.environ.get("COLOURS_REDIS_URL"), STATE)

NOTMODIFIED = {
    "CACHE": "default",
    "AUDIT": 0,  # the tour counts which views run
    # What the tokens of palette/validators.py and desktops/validators.py watch.
    "WATCH": [
        "auth.User",
        "palette.Colour",
        "desktops.Desktop",
        "desktops.Shortcut",
        "desktops.Note",
        "desktops.Tag",
    ],
    # The owner's page holds a form: its token's mask is left out of a weak tag.
    "CSRF": "normalise",
    # Explicit validators cannot see that a template or a view was edited.
    "BUILD": os.environ.get("COLOURS_BUILD") or build_of(BASE_DIR),
    "CACHE_STATUS": True,
}

PAGE_SECONDS = int(os.environ.get("COLOURS_PAGE_SECONDS", "300"))

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticatedOrReadOnly"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
