"""SQL texts as Django sends them: what reading and writing statements have in common.

- ``text``: placeholders, operands, dialects.
- ``values``: the values that narrow a dependency.
- ``schema``: the tables, and their columns that narrow.
- ``dependencies``: what a result depends on, and a write moves.

Rule of this room: a text is understood or it is not; nothing is guessed.
"""
