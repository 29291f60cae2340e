"""Settings of the shop without the package: neither app nor middleware. Django's own WSGI
application serves it.
"""

from tests.sites.shop.settings import *  # noqa: F403
from tests.sites.shop.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "notmodified"]
MIDDLEWARE = [one for one in MIDDLEWARE if not one.startswith("notmodified.")]
