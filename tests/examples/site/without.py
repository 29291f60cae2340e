"""Settings of the example site without the package: no middleware, no app, and decorators that
leave the views as they are. Django's own WSGI application serves it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from colours.settings import *  # noqa: F403
from colours.settings import INSTALLED_APPS, MIDDLEWARE

from notmodified import decorators

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "notmodified"]
MIDDLEWARE = [one for one in MIDDLEWARE if not one.startswith("notmodified.")]


def _nothing(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda view: view


decorators.condition = decorators.last_modified = _nothing
