"""What counts of a session.

Rules of this module:

- Of one that nobody asked for anything, all that counts is whether its cookie would be taken away
  as one that cannot be right; else the cookie counts, and what the session is read from.
- Where each request saves its session, the cookie counts always: who has one needs the view.
"""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from notmodified.causes import Cause
from notmodified.reads.kinds import COOKIE, SESSION
from notmodified.reads.recorder import Recorder, current, elsewhere


def note_session(request: HttpRequest, recorder: Recorder) -> None:
    """Note what counts of the session, once the response is complete."""
    session: Any = getattr(request, "session", None)
    if session is None and not recorder.uses_session:
        return
    name = settings.SESSION_COOKIE_NAME
    cookie = dict.get(request.COOKIES, name)
    if recorder.uses_session or session.accessed or settings.SESSION_SAVE_EVERY_REQUEST:
        recorder.note(COOKIE, name, cookie)
    else:
        recorder.note(SESSION, name, is_kept(cookie))


def note_uses_of_sessions() -> None:
    """Have sessions tell that somebody has asked for what they hold, for their key, or whether they
    are empty."""
    from django.contrib.sessions.backends.base import SessionBase
    from django.contrib.sessions.middleware import SessionMiddleware

    holder: Any = SessionBase
    data, key = holder._get_session, holder.session_key.fget
    make_key, is_empty = holder._get_or_create_session_key, holder.is_empty
    is_of_browser = holder.get_expire_at_browser_close
    asks_each_time = SessionMiddleware.process_response.__code__

    def get_data(self: Any, *args: Any, **kwargs: Any) -> Any:
        _use(self)
        return data(self, *args, **kwargs)

    def get_key(self: Any) -> Any:
        _use(self)
        return key(self)

    def get_or_create_key(self: Any) -> Any:
        _use(self)
        return make_key(self)

    def get_whether_empty(self: Any) -> bool:
        if sys._getframe(1).f_code is not asks_each_time:
            _use(self)
        return bool(is_empty(self))

    def get_expire_at_browser_close(self: Any) -> bool:
        """What SessionMiddleware asks of a session that it goes on to save."""
        recorder = current()
        if recorder is not None and sys._getframe(1).f_code is asks_each_time:
            recorder.spoil(Cause.WRITE, "its session is saved")
        return bool(is_of_browser(self))

    holder.get_expire_at_browser_close = get_expire_at_browser_close
    holder._get_session = get_data
    holder._session = property(get_data)
    holder.session_key = property(get_key)
    holder._get_or_create_session_key = get_or_create_key
    holder.is_empty = get_whether_empty


def _use(session: Any) -> None:
    recorder = current()
    if recorder is None:
        elsewhere(Cause.SESSION, "a session")
        return
    recorder.uses_session = True
    if recorder.reason is None and _is_strange(type(session)):
        recorder.doubt(Cause.SESSION, f"a session of {type(session).__module__}")


def _is_strange(class_: Any) -> bool:
    """Whether a session may be read in a way that nobody sees."""
    return not str(getattr(class_.load, "__module__", "")).startswith("django.contrib.sessions.")


def is_kept(cookie: str | None) -> bool:
    """Whether SessionMiddleware leaves the client its cookie, as far as one can see without looking
    for the session."""
    return cookie is None or len(cookie) >= 8
