"""The example site in other shapes, and who writes to its database: programs of their own."""
