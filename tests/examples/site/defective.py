"""The example site with a defect, as a WSGI application: for the proof that it would be found."""

from __future__ import annotations

import os
from typing import Any

from colours.wsgi import application as application

from notmodified.records.store import Record
from notmodified.validators import field

defect = os.environ["TESTS_DEFECT"]
if defect == "records":
    Record.holds = lambda self: True  # type: ignore[method-assign]
elif defect == "versions":
    known: dict[tuple[Any, ...], Any] = {}
    version = field.version

    def first_version(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        key = (id(self), args, *kwargs.items())
        return known.setdefault(key, version(self, request, *args, **kwargs))

    field.version = first_version  # type: ignore[method-assign]
else:
    raise ValueError(defect)
