"""The demonstration: a server, a browser, visits, and tables of what they cost.

Rule: every 304 is checked. While it is answered, the copy that the browser holds must be what the
site would answer now; else the demonstration fails.
"""
