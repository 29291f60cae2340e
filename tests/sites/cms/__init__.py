"""A blog on Wagtail, with Django's admin beside it; and those who write to its database."""
