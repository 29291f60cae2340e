"""Who knows when a dependency last moved.

Rules of this room: a ledger knows keys, which are plain text, and nothing of what they stand for.
It never answers from what it cannot prove: what is unknown, marked or lost has moved.
"""
