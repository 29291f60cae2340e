"""Desktops of people: a page made of many rows, in two languages, with a form for its owner."""
