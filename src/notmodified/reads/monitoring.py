"""What code a response reaches, on Python 3.12 and later (``sys.monitoring``, PEP 669).

Rules of this module:

- Code that was found harmless is not watched any more, and costs nothing.
- Where others have taken both of the numbers that we may, nothing is inspected, and so nothing is
  recorded.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from types import CodeType
from typing import Any, Final

from notmodified.causes import Cause
from notmodified.reads.inspection import found_in
from notmodified.reads.places import is_importing
from notmodified.reads.recorder import Recorder, unseen
from notmodified.reasons import logger

_TOOLS: Final = (4, 3)
"""Numbers of tools that nobody else is known to use."""

_harmful: Final[dict[CodeType, str]] = {}
"""What was found in code that will be reached again."""

_AT_EASE: Final = nullcontext()
_BLIND: Final[list[str]] = []
"""Why nothing is inspected, if so."""


def inspected(recorder: Recorder) -> AbstractContextManager[None]:
    """What runs inside is inspected, as everything is."""
    if _BLIND:
        recorder.doubt(Cause.INVISIBLE, _BLIND[0])
    return _AT_EASE


def install() -> None:
    """Have every piece of code inspected from now on."""
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 (not there before)
    tool = next((tool for tool in _TOOLS if monitoring.get_tool(tool) is None), None)
    if tool is None:
        _BLIND.append("others monitor the code")
        logger.warning("nothing is recorded: others have taken the tools 3 and 4 of sys.monitoring")
        return

    def started(code: CodeType, offset: int) -> Any:
        frame = sys._getframe(1)
        found = _harmful.get(code)
        if found is None:
            found = found_in(code, frame.f_globals)
            if found is None:
                return monitoring.DISABLE
            _harmful[code] = found
        if not is_importing(frame):
            unseen(Cause.INVISIBLE, found)
        return None

    monitoring.use_tool_id(tool, "notmodified")
    for event in (monitoring.events.PY_START, monitoring.events.PY_RESUME):
        monitoring.register_callback(tool, event, started)
    monitoring.set_events(tool, monitoring.events.PY_START | monitoring.events.PY_RESUME)
