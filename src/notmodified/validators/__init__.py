"""Ways to know the version of a resource, each usable where the decorators take a callable.

============  ==========================  ==============================================
way           cost of a 304               sees
============  ==========================  ==============================================
`content`     the whole render            everything
`field`       one query, one line         every change of the rows, by any program
`token`       one trip to the cache       every write through Django, in any process
`table`       one statement over a table  every change of the table, by any program
`combine`     the sum of its parts        what any of its parts sees
============  ==========================  ==============================================

Each is written in lower case, because it is used as a word: ``@etag(token(...))``.
"""

from notmodified.validators.base import ABSENT, UNKNOWN, Validator, Version
from notmodified.validators.combine import combine
from notmodified.validators.content import content
from notmodified.validators.field import field
from notmodified.validators.table import table
from notmodified.validators.token import Members, token

__all__ = [
    "ABSENT",
    "UNKNOWN",
    "Members",
    "Validator",
    "Version",
    "combine",
    "content",
    "field",
    "table",
    "token",
]
