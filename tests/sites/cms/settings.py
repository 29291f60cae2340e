"""Settings of the blog. Everything that it writes is below ``CMS_STATE``: the database, the cache
that its processes share, the images.
"""

import os
from pathlib import Path

from tests.sites import base_settings
from tests.sites.base_settings import *  # noqa: F403

STATE = Path(os.environ["CMS_STATE"])
ROOT_URLCONF = "tests.sites.cms.urls"

INSTALLED_APPS = [
    "tests.sites.cms.blog",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    *base_settings.INSTALLED_APPS,
]
MIDDLEWARE = [
    *base_settings.MIDDLEWARE,
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]
TEMPLATES = base_settings.templates()
DATABASES = base_settings.databases(STATE / "cms.sqlite3")
CACHES = base_settings.caches(STATE / "cache")
MEDIA_ROOT = STATE / "media"
LANGUAGE_CODE = "en"

WAGTAIL_SITE_NAME = "The blog"
WAGTAILADMIN_BASE_URL = "http://127.0.0.1"
WAGTAIL_ENABLE_UPDATE_CHECK = False
# They would tell the apps apart that are installed.
WAGTAILADMIN_STATIC_FILE_VERSION_STRINGS = False
