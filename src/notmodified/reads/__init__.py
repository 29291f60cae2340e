"""What a response was made from.

- ``facts``: what the conditions of one SELECT say of the rows that count.
- ``functions``: the functions whose results are their arguments' and nothing else's.
- ``plans``: SQL text → plan of its dependencies, once per text.

Rule of this room: a dependency may be too wide, never too narrow. What is not understood is *not
provable*, with a reason, and is never guessed at.
"""
