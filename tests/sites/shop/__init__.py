"""A shop on Oscar, with Django's admin beside it; and those who write to its database."""
