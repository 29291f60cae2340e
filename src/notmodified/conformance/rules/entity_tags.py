"""Entity tags as emitted (RFC 9110 §8.8.3, §8.8.1)."""

from __future__ import annotations

from notmodified.conformance.client import Content, FieldLine, Response
from notmodified.conformance.exchange import Exchange, expect, expect_not, said
from notmodified.conformance.fields import EntityTag
from notmodified.conformance.findings import (
    Finding,
    not_applicable,
    passed,
    shown,
    together,
    unclear,
    violated,
)
from notmodified.conformance.origin import Origin, entity_tag
from notmodified.conformance.rules.registry import rule

_CODINGS = ("gzip", "br", "zstd", "deflate")
_VARIANTS: tuple[FieldLine, ...] = (
    ("Accept-Language", "en"),
    ("Accept-Language", "de"),
    ("Accept-Language", "fr"),
    ("Accept", "text/html"),
    ("Accept", "application/json"),
)


@rule("C1", "An emitted ETag follows the grammar", "RFC 9110 §8.8.3")
def grammar(origin: Origin) -> Finding:
    found = origin.revalidate()
    answers = [origin.current, *([] if found is None else [found.response])]
    return together(*map(_grammatical, answers))


def _grammatical(response: Response) -> Finding:
    values = response.values("ETag")
    if not values:
        return not_applicable("no ETag")
    evidence = f"{response.status} ETag: {' and '.join(map(shown, values))}"
    if len(values) > 1:
        return violated(f"{evidence}, more than one")
    if EntityTag.parse(values[0]) is None:
        return violated(f"{evidence}, no entity tag")
    return passed(evidence)


@rule("C2", "Tags are emitted in plain ASCII and accepted in full", "RFC 9110 §8.8.3")
def alphabet(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    risky = [
        what
        for what, found in (
            ("a comma", "," in tag.opaque),
            ("a backslash", "\\" in tag.opaque),
            ("octets beyond ASCII", not tag.opaque.isascii()),
        )
        if found
    ]
    note = f"the tag holds {' and '.join(risky)}, which others misread" if risky else ""
    emitted = passed(said(origin.current, "ETag"), note)
    exchange = origin.get(("If-None-Match", f'"never,\xff", {tag}'))
    if exchange.status in (400, 431):
        return together(emitted, passed(str(exchange), "a list with obs-text in a tag is refused"))
    return together(emitted, expect(exchange, 304))


@rule("C3", "W/ is case-sensitive", "RFC 9110 §8.8.3")
def weakness_is_case_sensitive(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    return expect_not(origin.get(("If-None-Match", f"w/{tag.as_strong()}")), 304)


@rule("C4", "The empty tag is a tag like any other", "RFC 9110 §8.8.3")
def empty_tag(origin: Origin) -> Finding:
    exchange = origin.get(("If-None-Match", '""'))
    tag = origin.tag
    if tag is not None and not tag.opaque:
        return expect(exchange, 304)
    return expect_not(exchange, 304)


@rule("C5", "A strong tag changes whenever the bytes do", "RFC 9110 §8.8.1", any_version=True)
def strong_tag_names_bytes(origin: Origin) -> Finding:
    """Over every plain GET of the whole run."""
    origin.control()
    seen: dict[str, Response] = {}
    for answer in origin.controls:
        if answer.status != 200 or (tag := _strong_tag(answer)) is None:
            continue
        first = seen.setdefault(tag, answer)
        if first.content != answer.content:
            return violated(f"ETag: {shown(tag)} on different bytes in {len(origin.controls)} GETs")
    if not seen:
        return not_applicable("no strong ETag")
    return passed(f"{len(seen)} strong tag(s) in {len(origin.controls)} GETs")


@rule("C7", "Each content coding has its own strong tag", "RFC 9110 §8.8.3.3")
def tag_per_coding(origin: Origin) -> Finding:
    answers = [origin.get(("Accept-Encoding", coding)) for coding in ("identity", *_CODINGS)]
    coded: dict[str, Exchange] = {}
    for exchange in answers:
        if exchange.status == 200:
            coding = exchange.response.value("Content-Encoding") or "identity"
            coded.setdefault(coding.lower(), exchange)
    if len(coded) < 2:
        return not_applicable("no choice of content codings")
    if not any(_strong_tag(exchange.response) for exchange in coded.values()):
        return not_applicable(f"no strong ETag on {', '.join(coded)}")
    owners: dict[str, str] = {}
    for coding, exchange in coded.items():
        tag = _strong_tag(exchange.response)
        if tag is not None and owners.setdefault(tag, coding) != coding:
            return violated(f"ETag: {shown(tag)} on both {owners[tag]} and {coding}")
    return passed(
        "; ".join(f"{coding}: {said(answer.response, 'ETag')}" for coding, answer in coded.items())
    )


@rule("C8", "Variants with different bytes differ in their strong tags", "RFC 9110 §8.8.1")
def tag_per_variant(origin: Origin) -> Finding:
    before = origin.control()
    answers = [origin.get(line) for line in _VARIANTS]
    variants = [answer for answer in answers if answer.status == 200]
    if not any(map(_strong_tag, [before, *(answer.response for answer in variants)])):
        return not_applicable("no strong ETag")
    if origin.control().content != before.content:
        return unclear("the bytes change at each GET (see C9)")
    if all(answer.response.content == before.content for answer in variants):
        return not_applicable("no variants by Accept-Language or Accept")
    contents: dict[str, Content] = {}
    if (tag := _strong_tag(before)) is not None:
        contents[tag] = before.content
    for answer in variants:
        tag, content = _strong_tag(answer.response), answer.response.content
        if tag is not None and contents.setdefault(tag, content) != content:
            return violated(f"{answer} has other bytes under the same ETag: {shown(tag)}")
    return passed(f"{len(contents)} strong tag(s) for the variants")


@rule("C9", "Bytes that differ at each GET get no strong tag", "RFC 9110 §8.8.1", any_version=True)
def undeserved_strong_tag(origin: Origin) -> Finding:
    one, other = origin.control(), origin.control()
    tag = _strong_tag(one)
    if tag is None or one.status != 200:
        return not_applicable("no strong ETag")
    if tag == _strong_tag(other) and one.content != other.content:
        return violated(f"two GETs in a row: different bytes, the same ETag: {shown(tag)}")
    return passed(f"two GETs in a row, {said(one, 'ETag')}: the same bytes or another tag")


def _strong_tag(response: Response) -> str | None:
    tag = entity_tag(response)
    return None if tag is None or tag.weak else str(tag)
