"""The ledger of a PostgreSQL database.

Transactions do not commit in the order of any number that they are given, so a position is a
*snapshot*: what was committed when it was taken. A key has moved if a line of it, visible now, was
not visible in that snapshot.

Rules of this module:

- It asks on a connection of its own, in autocommit and READ COMMITTED, one statement at a time.
- A standby's snapshot lists no running transactions, so there is no position on a server in
  recovery.
- What was read from another *history* is not judged here. A history is one start of one server
  (which no other server, no promotion by a restart and no restored disk has), the log as the table
  it is (a restored dump makes another), and one life of the held connection: a crash, in which a
  server without ``synchronous_commit`` may lose what it has shown, and give the numbers of lost
  transactions to others, ends them all.
- Behind a *pooler* (pgbouncer in transaction mode) each question may be answered by another of the
  server's processes, which serves other programs too. There nothing is prepared, and what is set is
  set for one question. The held connection is then the pooler's, and outlives a crash: what ends
  in its place is the life of the server's statistics, which recovery resets (``stats_reset``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple, NoReturn

from notmodified.ledger.database.errors import LedgerError
from notmodified.ledger.database.names import BETWEEN, CHARGE, EVERYTHING, KEEPS, LEDGER, LOG

TABLES: Final = (
    (
        f"CREATE TABLE IF NOT EXISTS {LEDGER} "
        f"(id uuid NOT NULL, horizon xid8 NOT NULL, next xid8 NOT NULL)"
    ),
    f"CREATE TABLE IF NOT EXISTS {CHARGE} (ledger text NOT NULL)",
    (
        f"INSERT INTO {LEDGER} SELECT gen_random_uuid(), '0', '0' "
        f"WHERE NOT EXISTS (SELECT 1 FROM {LEDGER})"
    ),
    (
        f"CREATE TABLE IF NOT EXISTS {LOG} "
        f"(key text NOT NULL, transaction xid8 NOT NULL DEFAULT pg_current_xact_id())"
    ),
    f"CREATE INDEX IF NOT EXISTS {LOG}_key ON {LOG} (key, transaction)",
)
"""The statements that make a ledger where there is none."""

_PROCESS: Final = "pg_backend_pid()"
"""Ends with a crash, of what a connection without a pooler sees."""

_STATISTICS: Final = "pg_stat_get_bgwriter_stat_reset_time()"
"""The same behind a pooler."""

_LEAST_BEHIND_A_POOLER: Final = 150000
"""Before, statistics are kept by a process of their own, which tells of a reset later."""

_HISTORY: Final = (
    f"concat_ws('/', ledger.id, ledger.tableoid, pg_postmaster_start_time(), {_PROCESS}) "
    f"FROM {LEDGER} AS ledger WHERE NOT pg_is_in_recovery()"
)
_NOW: Final = "extract(epoch FROM clock_timestamp())::text, pg_current_snapshot()::text"
_POSITION: Final = f"SELECT {_NOW}, 'true', {_HISTORY}"
_UNMOVED: Final = f"""
SELECT {_NOW},
       (CASE WHEN pg_current_snapshot()::text = %(snapshot)s::text THEN true
       ELSE ledger.horizon <= pg_snapshot_xmin(%(snapshot)s::text::pg_snapshot) AND NOT EXISTS (
           SELECT 1 FROM {LOG} WHERE key = ANY(string_to_array(%(keys)s::text, '{BETWEEN}'))
           AND transaction >= pg_snapshot_xmin(%(snapshot)s::text::pg_snapshot)
           AND NOT pg_visible_in_snapshot(transaction, %(snapshot)s::text::pg_snapshot)) END)::text,
       {_HISTORY}"""
"""One text of keys is sent faster than a list. What came before the snapshot's first running
transaction is visible in it, so the index of the log is read from there on only. While nothing was
committed, the snapshot is the same."""


_LINES: Final = f"""
SELECT {_NOW}, (ledger.horizon <= pg_snapshot_xmin(%(snapshot)s::text::pg_snapshot))::text, (
           SELECT coalesce(string_agg(DISTINCT key || '{BETWEEN}', ''), '') FROM {LOG}
           WHERE transaction >= pg_snapshot_xmin(%(snapshot)s::text::pg_snapshot)
           AND NOT pg_visible_in_snapshot(transaction, %(snapshot)s::text::pg_snapshot)),
       {_HISTORY}"""
"""It has an index of its own, which a site has only with a ledger that asks for it."""

BY_TRANSACTION: Final = (f"CREATE INDEX IF NOT EXISTS {LOG}_transaction ON {LOG} (transaction)",)
_IN_CHARGE: Final = f"SELECT ledger FROM {CHARGE}"
_HAS_ENDED: Final = """
SELECT (NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %(session)s::text::int))::text"""

_COMPACT: Final = f"""
WITH now AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS first),
     moved AS (UPDATE {LEDGER} SET horizon = next, next = now.first FROM now
               WHERE pg_try_advisory_xact_lock(hashtext('{LOG}'))
               AND (SELECT reltuples FROM pg_class WHERE oid = '{LOG}'::regclass)
                   NOT BETWEEN 0 AND %(keep)s::real
               RETURNING horizon),
     gone AS (DELETE FROM {LOG} USING moved WHERE transaction < moved.horizon)
SELECT 1 FROM moved"""

_SET: Final = (
    "SET default_transaction_isolation = 'read committed'",
    # Of a log without statistics the planner would read all; one plan is right for every key.
    "SET enable_seqscan = off",
    "SET jit = off",
    "SET plan_cache_mode = force_generic_plan",
)
"""What is set for the held connection, whatever the site has set for its own."""

_SET_FOR_ONE_QUESTION: Final = (
    "SET LOCAL transaction_isolation = 'read committed'; "
    "SET LOCAL enable_seqscan = off; SET LOCAL jit = off; "
)
"""The same in front of a question, which is one transaction with it, and one trip."""


def _server(connection: Any) -> tuple[Any, ...]:
    info = connection.info
    return info.host, info.hostaddr, info.port


class Position(NamedTuple):
    """A point in the history of one database, during one life of the held connection."""

    life: int
    history: str
    snapshot: str


class PostgresqlLedger:
    """Reads the log of one database. `connect` makes a psycopg connection in autocommit, which is
    ours alone.

    Not for several threads at once.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._held: Any = None
        self._pooled = False
        self._life = 0
        self._prepared: dict[str, bytes] = {}
        self.clock = 0.0

    def position(self) -> Position:
        """The position now. Raises LedgerError."""
        now, _ = self._ask(_POSITION, {})
        return now

    def position_of(self, reader: Any, since: Position) -> Position | None:
        """A position before the next statement on `reader`, a psycopg connection, if nothing has
        moved everything since `since`. Raises LedgerError.

        In a transaction that is under way, the next statement may see an older state, and what
        that transaction itself has written.
        """
        from psycopg.pq import TransactionStatus

        if reader.info.transaction_status != TransactionStatus.IDLE:
            raise LedgerError("a transaction was under way already")
        now = self.unmoved((), since)
        if self._held is not None and _server(self._held) != _server(reader):
            raise LedgerError("the view reads from another server")
        return now

    def unmoved(self, keys: Collection[str], position: Position) -> Position | None:
        """The position now, if none of `keys` has moved since `position`. Raises LedgerError."""
        asked = {"keys": BETWEEN.join((*keys, EVERYTHING)), "snapshot": position.snapshot}
        now, unmoved = self._ask(_UNMOVED, asked)
        return now if unmoved and now[:2] == position[:2] else None

    def moved_since(self, position: Position) -> tuple[list[str], Position] | None:
        """The keys that have moved since `position`, and the position now; ``None`` in another
        history. Raises LedgerError."""
        rows = self._run(_LINES, {"snapshot": position.snapshot})
        if len(rows) != 1:
            raise LedgerError(f"no ledger here: {len(rows)} lines in {LEDGER}, or a standby")
        [(clock, snapshot, reaches, keys, history)] = rows
        self.clock = float(clock)
        now = Position(self._life, history, snapshot)
        if reaches != "true" or now[:2] != position[:2]:
            return None
        return keys.split(BETWEEN)[:-1], now

    def charge(self) -> str | None:
        """The ledger in charge. Raises LedgerError."""
        rows = self._run(_IN_CHARGE, {})
        return rows[0][0] if rows else None

    def has_ended(self, session: int) -> bool:
        """Whether the server has no such process any more. Behind a pooler nobody knows. Raises
        LedgerError."""
        [(ended,)] = self._run(_HAS_ENDED, {"session": str(session)})
        return ended == "true" and not self._pooled

    def compact(self, keep: int = KEEPS) -> bool:
        """Forget what was written before the last compaction; positions from before it are judged
        no more. Nothing, and ``False``, where the log has no more lines than `keep`, by the
        server's own estimate, or another compaction is under way."""
        return bool(self._run(_COMPACT, {"keep": str(keep)}))

    def close(self) -> None:
        """Close the held connection; the next question makes another."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _ask(self, sql: str, parameters: dict[str, str]) -> tuple[Position, bool]:
        """The position now, and whether what was asked for is so."""
        rows = self._run(sql, parameters)
        if len(rows) != 1:
            raise LedgerError(f"no ledger here: {len(rows)} lines in {LEDGER}, or a standby")
        [(clock, snapshot, answer, history)] = rows
        self.clock = float(clock)
        return Position(self._life, history, snapshot), answer == "true"

    def _run(self, sql: str, parameters: dict[str, str]) -> list[tuple[str, ...]]:
        from psycopg import Error

        try:
            if self._held is None:
                self._hold(self._connect())
            if self._pooled:
                return self._run_pooled(sql, parameters)
            if sql not in self._prepared:
                self._prepare(sql, parameters)
            return self._run_prepared(sql, parameters)
        except Error as error:
            self.close()
            raise LedgerError(str(error)) from error

    def _hold(self, connection: Any) -> None:
        self._held = connection
        self._life += 1
        self._prepared = {}
        [(process,)] = connection.execute("SELECT pg_backend_pid()", prepare=False)
        # A pooler introduces itself to its clients by a number of its own.
        self._pooled = process != connection.info.backend_pid
        if not self._pooled:
            for statement in _SET:
                connection.execute(statement, prepare=False)
        elif connection.info.server_version < _LEAST_BEHIND_A_POOLER:
            self.close()
            raise LedgerError("behind a pooler it takes PostgreSQL 15 or later")

    def _prepare(self, sql: str, parameters: Collection[str]) -> None:
        from psycopg.pq import ExecStatus

        name = f"notmodified_{len(self._prepared)}".encode()
        text = sql % {one: f"${place}" for place, one in enumerate(parameters, start=1)}
        result = self._held.pgconn.prepare(name, text.encode())
        if result.status != ExecStatus.COMMAND_OK:
            self._failed(result)
        self._prepared[sql] = name

    def _run_prepared(self, sql: str, parameters: dict[str, str]) -> list[tuple[str, ...]]:
        """By the driver's own wrapper of libpq, which takes half of the time: there is nothing to
        convert."""
        from psycopg.pq import ExecStatus

        values = [value.encode() for value in parameters.values()]
        result = self._held.pgconn.exec_prepared(self._prepared[sql], values)
        if result.status != ExecStatus.TUPLES_OK:
            self._failed(result)
        columns = range(result.nfields)
        return [
            tuple([result.get_value(row, column).decode() for column in columns])
            for row in range(result.ntuples)
        ]

    def _failed(self, result: Any) -> NoReturn:
        message = result.error_message.decode(errors="replace")
        self.close()
        raise LedgerError(message)

    def _run_pooled(self, sql: str, parameters: dict[str, str]) -> list[tuple[str, ...]]:
        from psycopg import ClientCursor

        # Several statements go together only if the parameters are in the text.
        cursor: Any = ClientCursor(self._held)
        cursor.execute(_SET_FOR_ONE_QUESTION + sql.replace(_PROCESS, _STATISTICS), parameters)
        while cursor.nextset():
            pass
        rows: list[tuple[str, ...]] = cursor.fetchall()
        return rows
