"""Where conditions are not judged at all (RFC 9110 §13.2.1)."""

from __future__ import annotations

from notmodified.conformance.client import FieldLine
from notmodified.conformance.exchange import expect
from notmodified.conformance.fields import imf_fixdate
from notmodified.conformance.findings import Finding, not_applicable, together
from notmodified.conformance.origin import DAY, Origin
from notmodified.conformance.rules.registry import rule

_CREDENTIALS = frozenset({"authorization", "cookie"})


def _conditions(origin: Origin) -> list[list[FieldLine]]:
    """Conditions that would be answered 304 or 412 where they were judged."""
    return [
        [("If-Match", str(origin.unknown_tag))],
        [("If-Match", "*")],
        [("If-Unmodified-Since", imf_fixdate(DAY))],
        [("If-None-Match", "*")],
        [("If-None-Match", str(origin.tag or origin.unknown_tag))],
        [("If-Modified-Since", imf_fixdate(origin.now))],
    ]


@rule("C35", "Neither 2xx nor 412 without conditions: ignored", "RFC 9110 §13.2.1", any_status=True)
def only_where_it_would_succeed(origin: Origin) -> Finding:
    findings = []
    for target in (origin.target, origin.absent):
        plain = origin.ask("GET", target=target)
        if 300 <= plain.status < 500 and not plain.refused_for_now:
            findings += [
                expect(origin.ask("GET", *lines, target=target), plain.status)
                for lines in _conditions(origin)
            ]
    return (
        together(*findings) if findings else not_applicable("no path here is answered 3xx or 4xx")
    )


@rule("C36", "Authorisation comes before conditions", "RFC 9110 §13.2.1", any_status=True)
def after_authorisation(origin: Origin) -> Finding:
    given = {name.lower() for name, _ in origin.client.headers} & _CREDENTIALS
    if not given:
        return not_applicable("needs --header 'Authorization: …' or 'Cookie: …'")
    plain = origin.ask("GET", omit=given)
    if not 300 <= plain.status < 500 or plain.refused_for_now:
        return not_applicable(f"{plain}: no credentials are needed")
    answers = [origin.ask("GET", *lines, omit=given) for lines in _conditions(origin)]
    return together(*(expect(answer, plain.status) for answer in answers))


@rule("C37", "Conditions are ignored on OPTIONS", "RFC 9110 §13.2.1")
def ignored_on_options(origin: Origin) -> Finding:
    plain = origin.plain_options()
    if plain is None:
        return not_applicable("OPTIONS is not answered 2xx")
    answers = [origin.options(*lines) for lines in _conditions(origin)]
    return together(*(expect(answer, plain.status) for answer in answers))
