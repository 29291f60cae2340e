"""A probe for any running HTTP origin: ``python -m notmodified.conformance URL``.

It sends conditional requests and says, rule by rule, whether the answers follow RFC 9110. The
numbers (``C19``) are those of the project's conformance list.

- ``client``: one raw HTTP/1.1 exchange at a time; any bytes out, nothing hidden on the way in.
- ``fields``: entity tags and dates, read and written.
- ``findings``: verdicts and their evidence.
- ``exchange``: a request, its response, and what may be expected of it.
- ``origin``: the probed resource, its current representation, and what its server judges at all.
- ``rules``: one small function per rule, registered with its number, title and source.
- ``probe``: runs the rules and guards each against a resource that changes meanwhile.
- ``report``: the table, for people or as JSON.

Rules of this room:

- An independent oracle: it shares no code with what it may be asked to judge, so it imports
  nothing else of ``notmodified``, and no Django.
- Only GET, HEAD and OPTIONS are sent, unless the user names an unsafe method.
- A violation is what the text forbids or what contradicts the server's own other answers. What the
  text only discourages is a note; what a server may leave out is not held against it.
- A resource that changes while it is probed is unclear, never a violation.
"""
