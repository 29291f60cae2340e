"""Sees every statement that goes through a cursor of Django's.

``BaseDatabaseWrapper._prepare_cursor`` is the one place through which every cursor passes: of the
ORM, of raw SQL, async, of any database. Each gets a subclass of its class that tells the recorder
first.

Rules of this module:

- It looks inside execute wrappers, at what is really sent.
- Whatever is asked of a cursor that is not known to be harmless (``copy``, ``callproc``,
  ``executescript`` …) is not provable, and may have left the connection seeing other tables.
- Statements that a connection runs while it is set up are part of the set-up.
- A cursor of the driver itself, which is not Django's, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.reads import recorder
from notmodified.reads.noted_rows import NoteRows
from notmodified.reads.now import without_now

_HARMLESS: Final = frozenset(
    {
        *("arraysize", "close", "closed", "connection", "description", "fetchall", "fetchmany"),
        *("fetchone", "format", "itersize", "lastrowid", "messages", "name", "nextset", "query"),
        *("row_factory", "scrollable"),
        *("setinputsizes", "setoutputsize", "withhold", "_query", "_executed"),
        *("_last_executed", "_closed", "adapters", "mogrify", "statement"),
    }
)
"""What may be asked of a driver's cursor besides running statements."""
_TELLS: Final = frozenset({"pgresult", "rowcount", "rownumber", "scroll", "statusmessage"})
"""What tells of rows that nobody fetches."""


_TOLD: Final[set[Callable[[BaseDatabaseWrapper], None]]] = set()


class _Noting:
    """In front of a cursor class of Django's."""

    db: BaseDatabaseWrapper
    cursor: Any
    _note_rows: NoteRows | None = None

    def __getattr__(self, name: str) -> Any:
        if name in _TELLS:
            if self._note_rows is not None:
                self._note_rows.all()
        elif name not in _HARMLESS and hasattr(self.cursor, name):
            _unseen(self.db, f"cursor.{name}()")
        return super().__getattr__(name)  # type: ignore[misc]

    def callproc(self, *args: Any, **kwargs: Any) -> Any:
        _unseen(self.db, "a stored procedure")
        return super().callproc(*args, **kwargs)  # type: ignore[misc]

    def _execute(self, sql: str, params: Any, *ignored: Any) -> Any:
        self._note_rows = recorder.read(self.db, sql, params)
        try:
            return super()._execute(sql, without_now(params), *ignored)  # type: ignore[misc]
        except BaseException:
            recorder.failed()
            raise

    def _executemany(self, sql: str, param_list: Any, *ignored: Any) -> Any:
        recorder.read(self.db, sql, None, many=True)
        try:
            return super()._executemany(sql, _plain(param_list), *ignored)  # type: ignore[misc]
        except BaseException:
            recorder.failed()
            raise

    def fetchone(self) -> Any:
        row = super().__getattr__("fetchone")()  # type: ignore[misc]
        self._noted(() if row is None else (row,), ended=row is None)
        return row

    def fetchmany(self, *args: Any, **kwargs: Any) -> Any:
        rows = super().__getattr__("fetchmany")(*args, **kwargs)  # type: ignore[misc]
        self._noted(rows, ended=not rows)
        return rows

    def fetchall(self) -> Any:
        rows = super().__getattr__("fetchall")()  # type: ignore[misc]
        self._noted(rows, ended=True)
        return rows

    def __iter__(self) -> Iterator[Any]:
        if self._note_rows is None:
            yield from super().__iter__()  # type: ignore[misc]
        else:
            noted = self._note_rows
            for row in super().__iter__():  # type: ignore[misc]
                noted((row,))
                yield row
            noted.ended()

    def _noted(self, rows: Any, *, ended: bool) -> None:
        if self._note_rows is not None:
            if rows:
                self._note_rows(rows)
            if ended:
                self._note_rows.ended()


def _unseen(connection: BaseDatabaseWrapper, what: str) -> None:
    for told in _TOLD:
        told(connection)
    recorder.unseen_statements(connection, what)


def _plain(param_list: Any) -> Any:
    if isinstance(param_list, list | tuple):
        return [without_now(parameters) for parameters in param_list]
    return map(without_now, param_list)


@cache
def _noting(cursor_class: type) -> type:
    return type(f"Noting{cursor_class.__name__}", (_Noting, cursor_class), {})


def install(tell: Callable[[BaseDatabaseWrapper], None]) -> None:
    """Have every cursor that is made from now on tell the recorder; and `tell` before anything is
    done of which nobody sees what it writes."""
    _TOLD.add(tell)
    wrapper: Any = BaseDatabaseWrapper
    if hasattr(wrapper._prepare_cursor, "notes"):
        return
    prepare, connect = wrapper._prepare_cursor, wrapper.connect

    def _prepare_cursor(self: BaseDatabaseWrapper, cursor: Any) -> Any:
        prepared = prepare(self, cursor)
        class_: Any = type(prepared)
        prepared.__class__ = _noting(class_)
        return prepared

    def connect_unrecorded(self: BaseDatabaseWrapper) -> None:
        with recorder.setting_up():
            connect(self)

    _prepare_cursor.notes = True  # type: ignore[attr-defined]
    wrapper._prepare_cursor, wrapper.connect = _prepare_cursor, connect_unrecorded
