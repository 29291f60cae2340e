"""A site twice on one database, with and without the package, and visitors who hold what the first
has given them: after each of its answers that is what the second shows at that moment.

Rules of this module:

- Each is a server of its own, and whoever writes is another process.
- Two pages are the same if their status, type, language, target and bytes are. A CSRF token has a
  random mask in every response: it is taken off, and the secret behind it is compared.
- Both are asked for by the address of the one with the package.
- A visitor's cookies come from the site with the package alone: what the other would set or take
  away makes no difference.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import zip_longest
from typing import Any, NamedTuple

import httpx
from django.middleware.csrf import _unmask_cipher_token as unmasked

from tests.integration.servers import ROOT, free_port, running

WITHOUT_THE_VIEW = "304 without the view"
TOKEN = re.compile(rb'(?<=")[A-Za-z0-9]{64}(?=")')


class Different(AssertionError):
    """A visitor holds something else than the site without the package shows."""


class Shown(NamedTuple):
    """What a visitor sees."""

    status: int
    content_type: str
    language: str
    location: str
    size: int
    body: bytes

    @classmethod
    def by(cls, answer: httpx.Response) -> Shown:
        fields = [
            answer.headers.get(name, "")
            for name in ("Content-Type", "Content-Language", "Location")
        ]
        body = TOKEN.sub(_secret, answer.content)
        return cls(answer.status_code, *fields, len(answer.content), body)

    @property
    def head(self) -> tuple[object, ...]:
        return self[:4]


def _secret(token: re.Match[bytes]) -> bytes:
    return str(unmasked(token[0].decode())).encode()


def difference(held: Shown, truth: Shown) -> str:
    """Where two pages differ first."""
    if held.head != truth.head:
        return f"{held.head} is held where {truth.head} is shown"
    pairs = enumerate(zip_longest(held.body, truth.body))
    at = next((at for at, (one, other) in pairs if one != other), 0)
    around = slice(max(at - 60, 0), at + 60)
    return f"{held.body[around]!r} is held where {truth.body[around]!r} is shown"


def kind_of(answer: httpx.Response) -> str:
    """What kind of answer it is."""
    if "; hit" in answer.headers.get("Cache-Status", ""):
        return WITHOUT_THE_VIEW
    return str(answer.status_code)


class Copy(NamedTuple):
    """A page as it is kept, and what it is asked for with."""

    shown: Shown
    etag: str | None
    last_modified: str | None

    def conditions(self, chance: random.Random) -> dict[str, str]:
        """By tag, by date, or both; a client that knows no tags has only the date."""
        found = {}
        if self.etag and not (self.last_modified and chance.random() < 0.3):
            found["If-None-Match"] = self.etag
        if self.last_modified and not (self.etag and found and chance.random() < 0.3):
            found["If-Modified-Since"] = self.last_modified
        return found


class Ears(DefaultCookiePolicy):
    """What a page says once (``django.contrib.messages``) is kept in a cookie for the next page,
    whichever that is: only who is `open` to it keeps it."""

    open = True
    names: Container[str] = frozenset({"messages"})

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return (self.open or cookie.name not in self.names) and super().set_ok(cookie, request)


class Visitor:
    """A person's browser, which knows both sites."""

    login = "/login/"
    password = "colours"

    def __init__(self, site: str, plain: str, language: str) -> None:
        self.site, self.plain = site, plain
        # Another connection each time, so that the next answer may be another process's.
        limits = httpx.Limits(max_keepalive_connections=0)
        headers = {"Accept-Language": language} if language else {}
        self.ears = Ears()
        self.client = httpx.Client(
            headers=headers,
            cookies=CookieJar(self.ears),
            timeout=30,
            trust_env=False,
            limits=limits,
        )
        self._outside = httpx.Client(headers=headers, timeout=30, trust_env=False, limits=limits)
        self.copies: dict[str, Copy] = {}

    def close(self) -> None:
        self.client.close()
        self._outside.close()

    def shown(self, answer: httpx.Response) -> Shown:
        return Shown.by(answer)

    def now(self, path: str) -> Shown:
        """What the site without the package shows."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.client.cookies.jar)
        fields = {"Cookie": cookies, "Host": self.site.rpartition("/")[2]}
        answer = self._outside.get(self.plain + path, headers=fields)
        self._outside.cookies.clear()
        return self.shown(answer)

    def compare(self, path: str, held: Shown, truth: Shown, said: str) -> None:
        """Raises Different."""
        if held != truth:
            raise Different(f"{said} {difference(held, truth)}")

    def visit(
        self, method: str, path: str, truth: Shown, chance: random.Random, *, is_sized: bool = True
    ) -> httpx.Response:
        """Come back to a page. Raises Different. The size that HEAD says may be another one where
        a page shows its method."""
        copy = self.copies.get(path)
        conditions = copy.conditions(chance) if copy is not None else {}
        answer = self.client.request(method, self.site + path, headers=conditions)
        said = f"{method} {path} {conditions}: {answer.status_code}"
        if answer.status_code == 304:
            assert copy is not None
            self.compare(path, copy.shown, truth, f"{said}, but")
            dated = answer.headers.get("Last-Modified", copy.last_modified)
            self.copies[path] = copy._replace(last_modified=dated)
        elif method == "HEAD":
            length = answer.headers.get("Content-Length", str(truth.size))
            if self.shown(answer).head != truth.head or (is_sized and length != str(truth.size)):
                raise Different(f"{said}, {length} bytes where {truth[:5]} is shown")
        else:
            shown = self.shown(answer)
            self.compare(path, shown, truth, f"{said}, and")
            self.copies.pop(path, None)
            if answer.status_code == 200:
                etag, date = (answer.headers.get(name) for name in ("ETag", "Last-Modified"))
                self.copies[path] = Copy(shown, etag, date)
        return answer

    def post(self, page: str, action: str, **fields: str) -> None:
        """Send a form of the site's, with its token."""
        found = TOKEN.search(self.client.get(self.site + page).content)
        assert found is not None, page
        fields["csrfmiddlewaretoken"] = found[0].decode()
        answer = self.client.post(self.site + action, data=fields)
        assert answer.status_code == 302, f"{action}: {answer.status_code}"

    def log_in(self, username: str) -> None:
        self.post(self.login, self.login, username=username, password=self.password)

    @property
    def is_logged_in(self) -> bool:
        return "sessionid" in self.client.cookies


class Writer:
    """A program that reads seeds, one per line, and answers each with the name of a write."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, seed: int) -> str:
        """One write; what it is called."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(seed, file=self._process.stdin, flush=True)
        name = self._process.stdout.readline().strip()
        assert name, "the writer has ended"
        return name


@contextmanager
def writing(module: str, environment: dict[str, str]) -> Iterator[Writer]:
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Writer(process)
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def serving(
    application: str,
    settings: str,
    environment: dict[str, str],
    *,
    workers: int = 2,
    threads: int = 2,
    port: int | None = None,
) -> Iterator[str]:
    """gunicorn with `application`; gives its URL."""
    port = port or free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"),
        *("--config", str(ROOT / "examples" / "colours" / "gunicorn.conf.py")),
        *("--workers", str(workers), "--threads", str(threads)),
    ]
    with running(command, port, **environment | {"DJANGO_SETTINGS_MODULE": settings}) as url:
        yield url
