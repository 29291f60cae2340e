"""Our verdicts against those of Werkzeug, WebOb and Django, on many thousands of requests.

Where another implementation differs, a dict below names the rule that decides it. A difference that
no entry explains is a failure of this test; so is an entry without a case that it alone explains.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from django.test import RequestFactory
from django.utils.cache import get_conditional_response
from webob import Request as WebObRequest
from webob import Response as WebObResponse
from werkzeug.http import is_resource_modified

from notmodified.http.dates import format_date
from notmodified.http.entity_tags import EntityTag
from notmodified.http.preconditions import Preconditions, Representation

NOON = 1_700_000_000
TAGS = [None, '"now"', 'W/"now"', '"a,b"']
TIMES = [None, NOON]
TAG_FIELDS = [
    None,
    "*",
    '"now"',
    'W/"now"',
    '"old", "now"',
    '"old"',
    '"a,b"',
    '"x,now"',
    "now",
    '*, "x"',
    '"',
]
DATE_FIELDS = [None, format_date(NOON - 1), format_date(NOON), format_date(NOON + 1), "yesterday"]

Case = tuple[str, str | None, int | None, str | None, str | None, str | None, str | None]
NAMES = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since")


def cases() -> list[Case]:
    found = []
    for method, tag, time in itertools.product(["GET", "PUT"], TAGS, TIMES):
        for if_match, if_none_match in itertools.product(TAG_FIELDS, TAG_FIELDS):
            for ius, ims in itertools.product(DATE_FIELDS, DATE_FIELDS):
                # Two date fields, or four fields at once, add nothing but time.
                if sum(x is not None for x in (if_match, if_none_match, ius, ims)) <= 2:
                    found.append((method, tag, time, if_match, ius, if_none_match, ims))
    return found


def fields_of(case: Case) -> dict[str, str]:
    return {name: value for name, value in zip(NAMES, case[3:], strict=True) if value is not None}


def ours(case: Case) -> int:
    method, tag, time = case[:3]
    representation = Representation(EntityTag.parse(tag) if tag else None, time)
    return Preconditions.parse(fields_of(case)).judge(method, representation).value or 200


def djangos(case: Case) -> int:
    method, tag, time = case[:3]
    request = getattr(RequestFactory(), method.lower())("/", headers=fields_of(case))
    response = get_conditional_response(request, etag=tag, last_modified=time)
    return 200 if response is None else response.status_code


def werkzeugs(case: Case) -> int:
    """Werkzeug answers one question, for safe methods: is this a 304?"""
    method, tag, time = case[:3]
    environ = {"HTTP_" + name.upper().replace("-", "_"): v for name, v in fields_of(case).items()}
    environ["REQUEST_METHOD"] = method
    modified = is_resource_modified(
        environ, etag=tag, last_modified=format_date(time) if time else None, ignore_if_range=True
    )
    return 200 if modified else 304


def webobs(case: Case) -> int:
    """WebOb's conditional response knows If-None-Match and If-Modified-Since."""
    method, tag, time = case[:3]
    request = WebObRequest.blank("/", method=method, headers=fields_of(case))
    response = WebObResponse(body=b"x", conditional_response=True)
    if tag:
        response.headers["ETag"] = tag
    if time:
        response.headers["Last-Modified"] = format_date(time)
    return int(request.get_response(response).status_code)


def has_comma_in_tag(case: Case) -> bool:
    return any(
        value and ("a,b" in value or "x,now" in value) for value in (case[1], case[3], case[5])
    )


def is_malformed(value: str | None) -> bool:
    return value in ("now", '*, "x"', '"')


Excuse = Callable[[Case], bool]
DJANGO: dict[str, Excuse] = {
    "an unparsable If-Match is ignored there, and the write goes on (C22; fail closed)": lambda c: (
        is_malformed(c[3])
    ),
    "an unparsable If-None-Match falls through to If-Modified-Since on GET there (C26)": lambda c: (
        is_malformed(c[5]) and c[0] == "GET"
    ),
    "an unparsable If-None-Match is ignored on PUT there (C22, C23; fail closed)": lambda c: (
        is_malformed(c[5]) and c[0] == "PUT"
    ),
    "tags with commas are split there (C19)": has_comma_in_tag,
    "If-Unmodified-Since without Last-Modified is 412 there (C31)": lambda c: (
        c[2] is None and c[4] is not None
    ),
    "* means an ETag there, not a representation (C21)": lambda c: (
        c[1] is None and "*" in (c[3], c[5])
    ),
}
WERKZEUG: dict[str, Excuse] = {
    "preconditions of a 412 are not its business (C25, C32, C34)": lambda c: ours(c) == 412,
    "a false If-Match makes a 304 there, or nothing (C25, C34)": lambda c: c[3] is not None,
    "an unparsable If-None-Match falls through to If-Modified-Since there (C26)": lambda c: (
        is_malformed(c[5])
    ),
    "without an ETag, If-None-Match falls through to the date there (C21, C26)": lambda c: (
        c[1] is None and c[5] is not None
    ),
}
WEBOB: dict[str, Excuse] = {
    "preconditions of a 412 are not its business (C25, C32, C34)": lambda c: ours(c) == 412,
    "without an ETag, If-None-Match falls through to the date there (C21, C26)": lambda c: (
        c[1] is None and c[5] is not None
    ),
    "an unparsable If-None-Match is not read as one there (C26)": lambda c: is_malformed(c[5]),
    "* does not mean every representation there (C21)": lambda c: c[5] == "*",
}


@pytest.mark.parametrize(
    ("theirs", "excused", "methods"),
    [
        pytest.param(djangos, DJANGO, ("GET", "PUT"), id="Django"),
        pytest.param(werkzeugs, WERKZEUG, ("GET",), id="Werkzeug"),
        pytest.param(webobs, WEBOB, ("GET",), id="WebOb"),
    ],
)
def test_every_disagreement_has_a_rule_that_decides_it(
    theirs: Callable[[Case], int], excused: dict[str, Excuse], methods: tuple[str, ...]
) -> None:
    unexplained, needed, agreed = [], set(), 0
    for case in cases():
        if case[0] not in methods:
            continue
        mine, other = ours(case), theirs(case)
        if mine == other:
            agreed += 1
            continue
        excuses = [text for text, applies in excused.items() if applies(case)]
        if len(excuses) == 1:
            needed.update(excuses)
        if not excuses:
            unexplained.append((case, mine, other))
    assert unexplained == []
    assert needed == set(excused)
    assert agreed > 500
