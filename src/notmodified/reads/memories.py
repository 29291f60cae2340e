"""What a process may keep of what it read while nobody recorded: at the start, in helpers, in
receivers of signals.

Its rows count for every record that is made from then on: whoever keeps them, drops them when they
change, if at all, and then pages change that have not asked for them.

Rules of this module:

- Statements are kept as they are, and understood only when a record is made. One that is not
  understood counts as all of every table that it mentions.
- Of more than so many only the words are kept, and of more than so many words, nothing: then every
  table counts.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from notmodified.reads.analysis import NotProvableError
from notmodified.reads.now import plain
from notmodified.reads.plans import Planner, is_query
from notmodified.sql.text import Parameters

MOST_STATEMENTS: Final = 200
MOST_PARAMETERS: Final = 20
MOST_WORDS: Final = 10_000

_WORD: Final = re.compile(r"[^\W\d]\w*")


class Memory(NamedTuple):
    """A statement whose result may have been kept. `parameters` are those of each execution;
    ``None`` once there were too many, or some that are not known by their places."""

    alias: str
    sql: str
    parameters: set[tuple[Any, ...] | None] | None


class Understood(NamedTuple):
    """What is kept of one database, as it was at one time, by one planner."""

    version: object
    planner: Planner
    keys: frozenset[str]


_kept: Final[dict[tuple[str, str], Memory]] = {}
_words: Final[dict[str, set[str]]] = {}
"""Those of statements that there was no room for, by database."""
_version: Final = [object()]
"""Another object after each change of what is kept."""
_understood: Final[dict[str, Understood]] = {}


def keep(alias: str, sql: str, parameters: Any) -> None:
    """A statement is run while nobody records."""
    key = alias, sql
    memory = _kept.get(key)
    if memory is None:
        if not is_query(sql):
            return
        if len(_kept) >= MOST_STATEMENTS:
            _keep_words(alias, sql)
            return
        memory = _kept[key] = Memory(alias, sql, set())
        _version[0] = object()
    if memory.parameters is None:
        return
    before = len(memory.parameters)
    try:
        if parameters is not None and not isinstance(parameters, list | tuple):
            raise TypeError("parameters by name")
        memory.parameters.add(None if parameters is None else tuple(map(plain, parameters)))
    except TypeError:  # or values that cannot be kept
        _kept[key] = memory._replace(parameters=None)
    if len(memory.parameters) > MOST_PARAMETERS:
        _kept[key] = memory._replace(parameters=None)
    if _kept[key] is not memory or len(memory.parameters) != before:
        _version[0] = object()


def _keep_words(alias: str, sql: str) -> None:
    words = _words.setdefault(alias, set())
    before = len(words)
    if before <= MOST_WORDS:
        words.update(_WORD.findall(sql.lower()))
        if len(words) != before:
            _version[0] = object()


def aliases() -> set[str]:
    """The databases of which something is kept."""
    return {alias for alias, _ in list(_kept)} | set(_words)


def keys(alias: str, planner: Planner) -> frozenset[str]:
    """What all that is kept of one database depends on."""
    version, known = _version[0], _understood.get(alias)
    if known is None or known.version is not version or known.planner is not planner:
        words = _words.get(alias, set()).copy()
        found = planner.mentioned(None if len(words) > MOST_WORDS else " ".join(words))
        for memory in [memory for memory in list(_kept.values()) if memory.alias == alias]:
            executions: list[Parameters] = list(memory.parameters or [{}])
            for parameters in executions:
                try:
                    reads = planner.read(memory.sql, parameters)
                except NotProvableError:
                    found |= planner.mentioned(memory.sql)
                else:
                    found.update(reads.keys, (one.whole for one in reads.by_rows))
        known = _understood[alias] = Understood(version, planner, frozenset(found))
    return known.keys


def forget_memories() -> None:
    """Take it that nothing was kept."""
    _kept.clear()
    _words.clear()
    _version[0] = object()
