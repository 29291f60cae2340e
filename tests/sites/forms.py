"""The forms of a page, as a browser would send them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class Form:
    """A form: where it goes, and what it holds. Buttons are not sent."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: list[tuple[str, str]] = []

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.fields}


def forms_in(page: str) -> list[Form]:
    """The forms of `page` that are posted."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._text: tuple[str, list[str]] | None = None
        self._select: tuple[str, bool, list[tuple[str, bool]]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        if tag == "form":
            self._form = Form(given.get("action") or "")
            if (given.get("method") or "").lower() == "post":
                self.forms.append(self._form)
        elif tag == "option" and self._select is not None:
            self._select[2].append((given.get("value") or "", "selected" in given))
        name = given.get("name")
        if self._form is None or not name or "disabled" in given:
            return
        kind = given.get("type", "text")
        if tag == "input" and kind not in ("submit", "button", "image", "file"):
            if kind not in ("checkbox", "radio") or "checked" in given:
                default = "on" if kind in ("checkbox", "radio") else ""
                self._form.fields.append((name, given.get("value") or default))
        elif tag == "textarea":
            self._text = name, []
        elif tag == "select":
            self._select = name, "multiple" in given, []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._text is not None and self._form is not None:
            name, pieces = self._text
            self._form.fields.append((name, "".join(pieces).removeprefix("\n")))
            self._text = None
        elif tag == "select" and self._select is not None and self._form is not None:
            name, is_multiple, options = self._select
            chosen = [value for value, is_selected in options if is_selected]
            if not chosen and not is_multiple:
                chosen = [value for value, _ in options[:1]]
            self._form.fields += [(name, value) for value in chosen]
            self._select = None
