"""If-None-Match (RFC 9110 §13.1.2)."""

from __future__ import annotations

from notmodified.conformance.exchange import expect, expect_not
from notmodified.conformance.fields import EntityTag
from notmodified.conformance.findings import Finding, together
from notmodified.conformance.origin import Origin
from notmodified.conformance.rules.registry import rule


@rule("C18", "If-None-Match compares weakly", "RFC 9110 §13.1.2, §8.8.3.2")
def weak_comparison(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    forms = (tag.as_weak(), tag.as_strong())
    return together(*(expect(origin.get(("If-None-Match", str(form))), 304) for form in forms))


@rule("C19", "Lists are parsed by the grammar, not split at commas", "RFC 9110 §13.1.2, §5.6.1")
def grammatical_lists(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    # The second holds the tag between commas, but inside the quotes of one other tag.
    inside = EntityTag(f"never,{tag.opaque},never")
    findings = [
        expect(origin.get(("If-None-Match", f'"never,never", {tag}')), 304),
        expect(origin.get(("If-None-Match", f'"never" ,, {tag},')), 304),
        expect_not(origin.get(("If-None-Match", str(inside))), 304),
    ]
    if origin.judges_if_match:
        findings.append(expect(origin.get(("If-Match", str(inside))), 412))
        if not tag.weak:
            findings.append(expect(origin.get(("If-Match", f'"never,never", {tag}')), 200))
    return together(*findings)


@rule("C20", "Several field lines are combined", "RFC 9110 §5.3")
def field_lines(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    orders = ((str(origin.unknown_tag), str(tag)), (str(tag), str(origin.unknown_tag)))
    findings = [
        expect(origin.get(("If-None-Match", first), ("If-None-Match", second)), 304)
        for first, second in orders
    ]
    if origin.judges_if_match and not tag.weak:
        findings += [
            expect(origin.get(("If-Match", first), ("If-Match", second)), 200)
            for first, second in orders
        ]
    return together(*findings)


@rule("C21", "* stands for any current representation", "RFC 9110 §13.1.2")
def asterisk(origin: Origin) -> Finding:
    star = ("If-None-Match", "*")
    return together(expect(origin.get(star), 304), expect(origin.head(star), 304))


@rule("C22", "* mixed into a list neither crashes nor matches", "RFC 9110 §13.1.2")
def asterisk_in_a_list(origin: Origin) -> Finding:
    values = (f"*, {origin.unknown_tag}", f"{origin.unknown_tag}, *", "*, *")
    findings = []
    for value in values:
        findings.append(expect_not(origin.get(("If-None-Match", value)), 304))
        findings.append(expect_not(origin.get(("If-Match", value)), 304))
    return together(*findings)


@rule("C23", "If-None-Match false: 304 for GET and HEAD, else 412", "RFC 9110 §13.1.2")
def false_condition(origin: Origin) -> Finding:
    tag = origin.tag
    if tag is None:
        return origin.no_tag()
    same, other = ("If-None-Match", str(tag)), ("If-None-Match", str(origin.unknown_tag))
    return together(
        expect(origin.get(same), 304),
        expect(origin.head(same), 304),
        expect_not(origin.get(other), 304, 412),
    )
