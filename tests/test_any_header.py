"""Any text in any conditional header, through views under each validator: never an error, never a
304 that nobody's copy justifies, never a write that a precondition forbids."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notmodified.decorators import condition
from notmodified.validators import combine, content, field, table, token
from tests.helpers import request
from tests.site.models import Book

pytestmark = pytest.mark.django_db

VALIDATORS: dict[str, Any] = {
    "content": content,
    "field": lambda: field(Book),
    "token": lambda: token(lambda request: [Book], name="books"),
    "table": lambda: table(Book),
    "combine": lambda: combine(table(Book), lambda request: "x"),
    "a callable": lambda: lambda request: "v1",
}
FIELDS = ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since")

# What a server passes on: any bytes but the ends of lines, read as Latin-1.
values = st.none() | st.text(
    st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40
)
tags = st.sampled_from(["*", "{tag}", "W/{tag}", '{tag}, "x"', '"x,{tag}', "{tag}{tag}"])


@pytest.mark.parametrize("validator", VALIDATORS.values(), ids=VALIDATORS.keys())
def test_any_text_in_conditional_headers(validator: Any, settings: Any) -> None:
    settings.NOTMODIFIED = {"WATCH": ["site.Book"]}
    runs = []

    @condition(validator())
    def page(request: HttpRequest) -> HttpResponse:
        runs.append(request.method)
        return HttpResponse("page")

    tag = page(request())["ETag"]
    search(page, tag, runs)


def search(page: Any, tag: str, runs: list[Any]) -> None:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(["GET", "HEAD", "PUT", "DELETE"]),
        st.tuples(*[values | tags] * len(FIELDS)),
    )
    def run(method: str, given: tuple[str | None, ...]) -> None:
        sent = {
            name: value.replace("{tag}", tag)
            for name, value in zip(FIELDS, given, strict=True)
            if value is not None
        }
        runs.clear()
        answer = page(request(method, **sent))
        assert answer.status_code in (200, 304, 412)
        if answer.status_code == 304:
            held = sent.get("if_none_match", "")
            assert method in ("GET", "HEAD")
            assert held.strip(" \t") == "*" or tag.strip('W/"') in held
        if answer.status_code == 412:
            assert runs == [] or method in ("GET", "HEAD")
        if method in ("PUT", "DELETE") and sent.get("if_match") is not None:
            held = sent["if_match"].strip(" \t")
            assert answer.status_code == 412 or held == "*" or tag in held

    run()
