"""The example project: real colour names as an API, and desktops that use them."""
