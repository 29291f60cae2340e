"""A product as Oscar shows it, in a shop that counts elsewhere who has looked at it."""

from typing import Any

from oscar.core.loading import get_class

ProductDetailView: Any = get_class("catalogue.views", "ProductDetailView")


class Look(ProductDetailView):  # type: ignore[misc]
    """Oscar's own writes a counter, and a cookie with what was looked at last, at each look."""

    enforce_paths = False

    def send_signal(self, *args: Any) -> None:
        """Nobody is told."""
