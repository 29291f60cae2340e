"""What is remembered of responses.

Rule: a memory here may forget anything at any time; forgetting costs a run of the view, never a
wrong answer.
"""
