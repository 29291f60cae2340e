"""What a WSGI server loads: ``colours.wsgi:application``."""

import os

from notmodified.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colours.settings")
application = get_wsgi_application()

from colours.timing import ServerTiming  # noqa: E402 (it needs the settings)

application = ServerTiming(application)
