"""What a response was made from.

- ``facts``: what the conditions of one SELECT say of the rows that count.
- ``functions``: the functions whose results are their arguments' and nothing else's.
- ``fetched``: which joined tables count only by the rows that are fetched.
- ``analysis``: the tree of a statement → the rows that count of each table it names.
- ``plans``: SQL text → plan of its dependencies, once per text.
- ``trace``, ``places``: what was noted, and where in somebody's code.
- ``now``, ``clock``, ``turns``: until when what is made from the time is right.
- ``recorder``: collects what one response is made from; ``noted_rows``, ``memories`` and
  ``settings_of_connections`` are parts of it.
- ``cursors``, ``inputs``, ``caches``, ``files``, ``others``: what it is told by cursors, by the
  request, by caches, by the file system, by all the rest; ``patching`` is how.

Rule of this room: a dependency may be too wide, never too narrow. What is not understood is *not
provable*, with a reason, and is never guessed at.
"""
