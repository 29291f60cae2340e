"""Triggers that write down what moved, in the transaction that moves it.

Each line of the log is the key of a :class:`~notmodified.sql.dependencies.Dependency`: the table,
and for each narrowing column the values that the row had and has.
"""
