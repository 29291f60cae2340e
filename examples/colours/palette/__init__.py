"""Thirty thousand names of colours as an API, once per validator."""
