"""A client that keeps copies as a browser does, and asks whether they are still good."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from tour.site import WORKERS

_MOST_TRIES: Final = 60
_MASKED: Final = re.compile(rb'(?<=value=")[A-Za-z0-9]{64}(?=")')


class Unexpected(AssertionError):
    """The site did something that it must not do."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One answer, and what it cost."""

    status: int
    queries: int
    milliseconds: float
    size: int
    worker: str
    body: bytes
    etag: str | None
    last_modified: str | None

    @property
    def validators(self) -> tuple[str | None, str | None]:
        return self.etag, self.last_modified

    @property
    def page(self) -> bytes:
        """The body without what is another each time: the mask of a CSRF token."""
        return _MASKED.sub(b"", self.body)


class Browser:
    """One person's browser; `credentials` log it in through the site's form."""

    def __init__(self, address: str, credentials: tuple[str, str] | None = None) -> None:
        self._client = httpx.Client(base_url=address, timeout=60, trust_env=False)
        self._copies: dict[str, Visit] = {}
        if credentials:
            self._log_in(*credentials)

    def _log_in(self, username: str, password: str) -> None:
        token = self._form_token("/account/login/")
        fields = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        answer = self._client.post("/account/login/", data=fields)
        if answer.status_code != 302:
            raise Unexpected(f"The login was answered with {answer.status_code}.")

    def _form_token(self, path: str) -> str:
        found = _MASKED.search(self._client.get(path).content)
        if found is None:
            raise Unexpected(f"{path} holds no form.")
        return found[0].decode()

    def submit(self, page: str, action: str, **fields: str) -> None:
        """Fill in the form on `page`, and send it. Raises Unexpected where that fails."""
        token = self._form_token(page)
        answer = self._client.post(
            urljoin(page, action), data={**fields, "csrfmiddlewaretoken": token}
        )
        if answer.status_code != 302:
            raise Unexpected(f"The form on {page} was answered with {answer.status_code}.")

    def json(self, path: str) -> Any:
        return self._client.get(path).json()

    def fresh(self, path: str) -> Visit:
        """The page as if for the first time."""
        return self._get(path, {})

    def back(self, path: str, *, by_date: bool = False) -> Visit:
        """The page once more, with what the copy of it says of itself; `by_date` as a client that
        knows no entity tags."""
        copy = self._copies.get(path)
        headers = {}
        if copy is not None and copy.etag and not by_date:
            headers["If-None-Match"] = copy.etag
        if copy is not None and copy.last_modified:
            headers["If-Modified-Since"] = copy.last_modified
        return self._get(path, headers)

    def keep(self, path: str, visit: Visit) -> None:
        """Make `visit` the copy that later visits come back with."""
        self._copies[path] = visit

    def warm(self, path: str) -> Visit:
        """Fresh visits until each worker has answered, and all with the same validators.

        A 304 repeats the header fields of a 200, which each process must have seen once.
        """
        latest: dict[str, Visit] = {}
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in range(_MOST_TRIES):
                # At once, so that no worker can take them all.
                for visit in pool.map(self.fresh, [path] * WORKERS):
                    if visit.status != 200:
                        raise Unexpected(f"{path} was answered with {visit.status}.")
                    latest[visit.worker] = visit
                if len(latest) == WORKERS and len({v.validators for v in latest.values()}) == 1:
                    return visit
        raise Unexpected(f"{path}: of {WORKERS} workers, {len(latest)} answered, not alike.")

    def _get(self, path: str, headers: dict[str, str]) -> Visit:
        begun = time.perf_counter()
        answer = self._client.get(path, headers=headers)
        milliseconds = (time.perf_counter() - begun) * 1000
        queries = re.fullmatch(r'db;desc="(\d+)"', answer.headers["Server-Timing"])
        assert queries is not None
        return Visit(
            status=answer.status_code,
            queries=int(queries[1]),
            milliseconds=milliseconds,
            size=len(answer.content),
            worker=answer.headers["X-Worker"],
            body=answer.content,
            etag=answer.headers.get("ETag"),
            last_modified=answer.headers.get("Last-Modified"),
        )
