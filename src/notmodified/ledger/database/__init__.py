"""Ledgers in the database itself: what moved is written in the transaction that moved it.

So it commits, rolls back and crashes with the data, whoever writes. Triggers
(:mod:`notmodified.writes.log`) append a line per key to a log; a ledger here reads it.

Rules of this room:

- A *position* is a point in the log's history. It is taken before the first dependency is read.
- *Unmoved* means: in the same database, under the same schema and triggers, no line of these keys
  was committed after the position. Whatever else is found, something has moved.
"""
