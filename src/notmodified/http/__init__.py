"""RFC 9110 on plain values: entity tags, dates, preconditions, caching headers.

Rules of this room:

- Nothing here knows Django or a database. Field values come in as ``str`` decoded from
  ISO-8859-1 (as WSGI and ASGI frameworks hand them over), times are whole seconds since 1970.
- Received values never raise: what does not follow the grammar parses to ``None`` or to a value
  that says *malformed*, and the caller decides how to fail closed.
- Each module opens with the ABNF it transcribes.
"""
