"""What a transaction changes, seen on its way to the database, or by the database itself.

Rule: what is not understood has written everything.
"""
