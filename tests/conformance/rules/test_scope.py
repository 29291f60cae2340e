"""Where conditions are not judged at all: planted defects."""

from __future__ import annotations

from notmodified.conformance.findings import Verdict
from tests.conformance.origins import WellBehaved, findings, with_verdict

AUTHORISED = (("Authorization", "Bearer x"),)


def test_conditions_before_authorisation() -> None:
    class JudgesFirst(WellBehaved):
        def do_GET(self) -> None:
            status = self.judge(self.represent())
            if status is None and self.headers.get("Authorization") != "Bearer x":
                return self.respond(401, {"WWW-Authenticate": "Bearer"}, b"who?\n")
            return super().do_GET()

    found = findings(JudgesFirst, headers=AUTHORISED)
    assert with_verdict(found, Verdict.VIOLATION) == {"C36"}
    assert "GET without authorization If-Match" in found["C36"].evidence


def test_conditions_on_a_redirect() -> None:
    class Redirecting(WellBehaved):
        def do_GET(self) -> None:
            status = 304 if "If-None-Match" in self.headers else 302
            self.respond(status, {"Location": "/other"})

    assert findings(Redirecting, "C35")["C35"].verdict is Verdict.VIOLATION


def test_everything_exists() -> None:
    class CatchAll(WellBehaved):
        def absent(self) -> None:
            self.respond(200, {}, b"one page for all\n")

    assert findings(CatchAll, "C35")["C35"].verdict is Verdict.NOT_APPLICABLE
