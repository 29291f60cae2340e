"""Why a response was not recorded: a closed list.

Rule: whatever keeps a response from being recorded has its cause here, says in a few words what it
was, and where in somebody's code that stands, if it stands there.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

DOCUMENTATION: Final = (
    "https://django-notmodified.readthedocs.io/en/latest/guides/reasons.html#{anchor}"
)


class Cause(Enum):
    """A cause; the value is its text, and its name its anchor in the documentation."""

    NOT_ASKED_FOR = "the view asks not to be recorded"
    LEDGER = "there is no ledger, or it does not answer"
    UNCOVERED = "nothing tells of the changes of a table"
    QUERY = "a query is not understood, or depends on more than rows"
    CONNECTION = "a connection may see other tables, or an older state"
    FAILED = "a statement did not succeed"
    THREAD = "another thread made a query meanwhile"
    WRITE = "it writes"
    TIME = "it uses the time in a way that holds for no while"
    CHANCE = "it takes a random value"
    INVISIBLE = "it reaches code that uses what nobody can see"
    OUTSIDE = "it uses a file, the network or another program"
    CACHE = "it writes to a cache, or reads what cannot be read again"
    REQUEST = "it reads of the request what cannot be compared"
    SESSION = "its session is in a place that nobody knows"
    COOKIE = "it sets a cookie"
    NOT_A_PAGE = "only the 200 to a GET without content is recorded"
    FORBIDDEN = "it forbids storing"
    ONCE_ONLY = "it holds what is right for one answer only"
    NO_TAG = "it has no validator"
    MOVED = "something changed while the view ran"
    AUDITED = "an audit has found that something shapes it which nobody sees"
    TEMPLATES = "templates are compiled anew when they change"
    ERROR = "an error"

    @property
    def address(self) -> str:
        """Where the documentation tells more."""
        return DOCUMENTATION.format(anchor=self.name.lower())


class Objection(NamedTuple):
    """What stood in the way of one record. `place` is a file and a line."""

    cause: Cause
    detail: str
    place: str | None = None

    def __str__(self) -> str:
        where = f", in {self.place}" if self.place else ""
        return f"{self.detail}{where} ({self.cause.name})"
