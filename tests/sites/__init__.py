"""Sites as people build them, with and without the package."""
