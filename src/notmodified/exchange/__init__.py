"""One conditional request, from its arrival to its answer.

- ``known``: from callables and validators to what is known of the selected representation.
- ``answers``: the responses that conditional requests end with, and the fields of a 200.
- ``conditions``: the order of things: what is known, the verdict, the view, and the verdict again.
- ``automatic``: the same for views without validators of their own: what a response was made from
  is recorded, and the record answers; ``streams`` and ``surroundings`` are parts of it.

Rule: before the view has run, a GET is answered only with what this process has seen the view
answer under the same validators; so there is no 304 in place of a 403, a 404 or a redirect, and no
304 without a header field that the 200 has.
"""
