"""SQL texts as Django sends them: what reading and writing statements have in common.

Rule of this room: a text is understood or it is not; nothing is guessed.
"""
