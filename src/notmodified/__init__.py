"""Freshness for Django: every response knows its version, and says so.

The rooms, from the wire inwards: :mod:`notmodified.http` (RFC 9110 on plain values),
:mod:`notmodified.validators` (ways to know a version without rendering),
:mod:`notmodified.exchange` (one conditional request, from arrival to answer), and the thin
faces to Django: ``decorators``, ``views``, ``middleware`` and ``contrib``.
"""

__version__ = "0.1.0"
