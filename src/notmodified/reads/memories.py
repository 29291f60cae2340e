"""What a process may keep of what it read while nobody recorded: at the start, in helpers, in
receivers of signals.

Its rows count for every record that is made from then on: whoever keeps them, drops them when they
change, if at all, and then pages change that have not asked for them.

Rule of this module: statements are kept as they are, and understood only when a record is made.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

MOST_STATEMENTS: Final = 200
MOST_PARAMETERS: Final = 20


class Memory(NamedTuple):
    """A statement whose result may have been kept. `parameters` are ``None`` once there were too
    many, or none that are known by their places."""

    alias: str
    sql: str
    parameters: set[tuple[Any, ...]] | None


_kept: Final[dict[tuple[str, str], Memory]] = {}


def keep(alias: str, sql: str, parameters: Any) -> None:
    """A statement is run while nobody records."""
    key = alias, sql
    memory = _kept.get(key)
    if memory is None:
        if len(_kept) >= MOST_STATEMENTS or not sql.lstrip("( ")[:6].upper().startswith("SELECT"):
            return
        memory = _kept[key] = Memory(alias, sql, set())
    if memory.parameters is None:
        return
    try:
        if parameters is not None and not isinstance(parameters, list | tuple):
            raise TypeError("parameters by name")
        memory.parameters.add(tuple(parameters or ()))
    except TypeError:  # or values that cannot be kept
        _kept[key] = memory._replace(parameters=None)
    if len(memory.parameters) > MOST_PARAMETERS:
        _kept[key] = memory._replace(parameters=None)


def memories() -> list[Memory]:
    """All that is kept."""
    return list(_kept.values())


def forget_memories() -> None:
    """Take it that nothing was kept."""
    _kept.clear()
