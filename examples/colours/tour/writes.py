"""Writes through the API: those that would overwrite an unseen change are refused."""

from __future__ import annotations

import httpx

from tour.browser import Unexpected

CREDENTIALS = ("ada", "colours")


class Writer:
    """Somebody who edits a colour through the API."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, auth=CREDENTIALS, timeout=60, trust_env=False)
        listed = self._client.get("/api/plain/colours/").json()
        self.path = f"/api/field/colours/{listed[len(listed) // 2]['id']}/"

    def rename(self) -> None:
        """Rename the colour, with the tag of what was just read. Raises Unexpected if refused."""
        name = self._read().json()["name"].removesuffix(" (renamed)")
        if self._put(f"{name} (renamed)", self._tag()) != 200:
            raise Unexpected("A PATCH with the current tag was refused.")
        self._original = name

    def restore(self) -> None:
        """Give the colour its name back."""
        if self._put(self._original, self._tag()) != 200:
            raise Unexpected("A PATCH with the current tag was refused.")

    def attempts(self) -> list[tuple[str, int, int]]:
        """Three PATCH requests: what they say of what they change, the status, and the one that is
        right."""
        seen = self._tag()
        name = self._read().json()["name"]
        return [
            ("no If-Match", self._put(name, None), 428),
            ("If-Match with the current tag", self._put(name, seen), 200),
            ("If-Match with that tag once more", self._put(name, seen), 412),
        ]

    def _read(self) -> httpx.Response:
        return self._client.get(self.path)

    def _tag(self) -> str:
        return self._read().headers["ETag"]

    def _put(self, name: str, tag: str | None) -> int:
        headers = {"If-Match": tag} if tag else {}
        return self._client.patch(self.path, json={"name": name}, headers=headers).status_code
