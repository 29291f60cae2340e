"""Sessions in a place that nobody sees."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.base import SessionBase

_KEPT = {"basket": 1}


class SessionStore(SessionBase):
    def load(self) -> dict[str, Any]:
        return dict(_KEPT)

    def exists(self, session_key: str) -> bool:
        return True
