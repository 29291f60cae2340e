"""A site with a defect, as a WSGI application: for the proof that it would be found."""

from __future__ import annotations

import os

from notmodified.exchange import automatic
from notmodified.records.store import Record
from notmodified.wsgi import get_wsgi_application

application = get_wsgi_application()
defect = os.environ["TESTS_DEFECT"]
if defect == "records":
    Record.holds = lambda self: True  # type: ignore[method-assign]
elif defect == "sessions":
    automatic.note_session = lambda request, recorder: None
else:
    raise ValueError(defect)
