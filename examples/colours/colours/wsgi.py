"""What a WSGI server loads: ``colours.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colours.settings")
application = get_wsgi_application()
