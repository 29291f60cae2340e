"""Database triggers that keep version fields moving: declare, compile, install, inspect.

- ``declare``: from a model to what must move, in words of tables and columns.
- ``compile``: from those words to SQL, one file per vendor.
- ``install``: to the database and back, and what is there against what should be.

Rules of this room:

- A trigger's name ends in a digest of its definition, so that a look at the names tells drift.
- Installing what was missing moves every version of the table in the same transaction: nobody
  knows what happened meanwhile.
- A refusal (no right to create triggers) is reported with the SQL to run, and never fails
  ``migrate``. Until then the validator gives no version.
"""
