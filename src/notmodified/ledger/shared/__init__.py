"""The ledger in shared memory: no question at all, as long as nobody writes.

What has moved stays in the log of the database (:mod:`notmodified.ledger.database`). A file that
all processes of one machine map into their memory says *whether there is anything new in it*:
writers through Django mark it before they write, and count it up when their transaction has ended.
While it stands still, so does everything that was true of the database; when it has gone on, one
question carries what the log has since into the process, for all records at once.

- ``memory``: the file.
- ``ledger``: the ledger of a database that looks there first.

Where anything is in doubt (a writer is at work, or has died; the file is gone; the database does
not say that this file is in charge), the database is asked, as it is without this ledger.
"""
