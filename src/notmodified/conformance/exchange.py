"""A request, its response, and what may be expected of it.

Rules of this module:

- An exchange is shown by what sets its request apart from a plain GET.
- Evidence holds no secret: of cookies the name is shown.
- Being asked to come back later is no answer to a condition: it is unclear, not a violation.
"""

from __future__ import annotations

from dataclasses import dataclass

from notmodified.conformance.client import FieldLine, Response
from notmodified.conformance.findings import (
    Finding,
    not_applicable,
    passed,
    shown,
    unclear,
    violated,
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, by what sets it apart from a plain GET, and its response."""

    method: str
    fields: tuple[FieldLine, ...]
    response: Response
    where: str = ""

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def refused_for_now(self) -> bool:
        """Whether the server would not be asked, which says nothing about the condition."""
        return self.status == 429 or (
            self.status == 503 and self.response.value("Retry-After") is not None
        )

    def __str__(self) -> str:
        sent = " | ".join(_line(name, value) for name, value in self.fields)
        return " ".join(filter(None, [self.method, self.where, sent, f"→ {self.status}"]))

    def saying(self, *names: str) -> str:
        """The exchange and what the response says in the fields `names`."""
        return f"{self} {said(self.response, *names)}"


def said(response: Response, *names: str) -> str:
    """The fields `names` of `response`, for evidence."""
    values = {name: response.value(name) for name in names}
    return ", ".join(
        f"no {name}" if value is None else _line(name, value) for name, value in values.items()
    )


def _line(name: str, value: str | bytes) -> str:
    if name.lower() in ("cookie", "set-cookie"):
        return f"{name}: {shown(value).partition('=')[0]}=…"
    return f"{name}: {shown(value)}"


def expect(exchange: Exchange, *statuses: int) -> Finding:
    """Pass if the status is one of `statuses`."""
    if exchange.status in statuses:
        return passed(str(exchange))
    return _wrong(exchange, f"expected {' or '.join(map(str, statuses))}")


def expect_not(exchange: Exchange, *statuses: int) -> Finding:
    """Pass unless the status is one of `statuses`, or a server error."""
    if exchange.status in statuses or exchange.status >= 500:
        return _wrong(exchange, f"expected anything but {', '.join(map(str, statuses))}")
    return passed(str(exchange))


def expect_refusal(exchange: Exchange) -> Finding:
    """Pass if an unsafe request under a false condition is answered 412.

    Another 4xx says that it would have failed anyway, where conditions are ignored.
    """
    if exchange.status == 412 or exchange.refused_for_now:
        return expect(exchange, 412)
    if 400 <= exchange.status < 500:
        return not_applicable(f"{exchange}: refused for another reason")
    if exchange.status >= 500:
        return unclear(str(exchange))
    return violated(f"{exchange}, expected 412")


def _wrong(exchange: Exchange, expectation: str) -> Finding:
    if exchange.refused_for_now:
        return unclear(f"{exchange}: the server refuses for now")
    return violated(f"{exchange}, {expectation}")
