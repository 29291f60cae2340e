"""Preconditions in the order of RFC 9110 §13.2.2: C17, C18, C21–C23, C25–C37."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.dates import format_date
from notmodified.http.entity_tags import EntityTag, EntityTags
from notmodified.http.preconditions import (
    ABSENT,
    FIELDS,
    UNKNOWN,
    Altered,
    Preconditions,
    Representation,
    Verdict,
)

PROCEED, NOT_MODIFIED, FAILED = Verdict.PROCEED, Verdict.NOT_MODIFIED, Verdict.PRECONDITION_FAILED
NOON = 1_700_000_000
BEFORE, AFTER = format_date(NOON - 1), format_date(NOON + 1)
AT_NOON = format_date(NOON)
CURRENT = Representation(EntityTag("now"), NOON)
WEAK = Representation(EntityTag("now", weak=True), NOON)
UNTAGGED = Representation(None, NOON)
UNDATED = Representation(EntityTag("now"))
SAFE = ("GET", "HEAD")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")

values = st.one_of(
    st.text(st.characters(max_codepoint=0xFF), max_size=40),
    st.sampled_from(
        ["*", '"now"', 'W/"now"', '"old"', '"now", "old"', '*, "now"', AT_NOON, BEFORE, AFTER]
    ),
)
headers = st.dictionaries(st.sampled_from(FIELDS), values)
representations = st.sampled_from([CURRENT, WEAK, UNTAGGED, UNDATED, ABSENT, UNKNOWN])
methods = st.sampled_from([*SAFE, *UNSAFE, "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])


def judge(method: str, representation: Representation = CURRENT, **fields: str) -> Verdict:
    named = {name.replace("_", "-").title(): value for name, value in fields.items()}
    assert set(named) <= set(FIELDS)
    return Preconditions.parse(named).judge(method, representation)


def test_without_conditional_fields_every_method_proceeds() -> None:
    assert Preconditions.parse({}) == Preconditions()
    assert not Preconditions()
    for method in (*SAFE, *UNSAFE):
        assert Preconditions().judge(method, CURRENT) is PROCEED


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
class TestIfMatch:
    def test_c17_compares_strongly(self, method: str) -> None:
        assert judge(method, if_match='"now"') is PROCEED
        assert judge(method, if_match='"old", "now"') is PROCEED
        assert judge(method, if_match='"old"') is FAILED
        assert judge(method, if_match='W/"now"') is FAILED
        assert judge(method, WEAK, if_match='W/"now"') is FAILED
        assert judge(method, WEAK, if_match='"now"') is FAILED

    def test_c21_the_asterisk_means_that_there_is_a_representation(self, method: str) -> None:
        for representation in (CURRENT, WEAK, UNTAGGED):
            assert judge(method, representation, if_match="*") is PROCEED

    def test_c25_the_asterisk_is_false_where_there_is_none_or_nobody_knows(
        self, method: str
    ) -> None:
        assert judge(method, ABSENT, if_match="*") is FAILED
        assert judge(method, UNKNOWN, if_match="*") is FAILED

    @pytest.mark.parametrize("value", ["", "now", '"now', '*, "now"', '"now", *', '"now" "old"'])
    def test_a_malformed_value_fails_closed(self, method: str, value: str) -> None:
        assert judge(method, if_match=value) is FAILED

    def test_c27_hides_if_unmodified_since(self, method: str) -> None:
        assert judge(method, if_match='"now"', if_unmodified_since=BEFORE) is PROCEED


@pytest.mark.parametrize("method", [*SAFE, *UNSAFE])
class TestIfUnmodifiedSince:
    def test_c32_is_false_when_modified_later(self, method: str) -> None:
        assert judge(method, if_unmodified_since=BEFORE) is FAILED
        assert judge(method, if_unmodified_since=AT_NOON) is PROCEED
        assert judge(method, if_unmodified_since=AFTER) is PROCEED

    @pytest.mark.parametrize("value", ["", "yesterday", f"{BEFORE}, {BEFORE}"])
    def test_c30_no_date_is_ignored(self, method: str, value: str) -> None:
        assert judge(method, if_unmodified_since=value) is PROCEED

    def test_c31_is_ignored_without_last_modified(self, method: str) -> None:
        assert judge(method, UNDATED, if_unmodified_since=BEFORE) is PROCEED

    def test_c12_a_second_that_has_not_passed_may_hide_a_change(self, method: str) -> None:
        unsettled = Representation(None, NOON, settled=False)
        assert judge(method, unsettled, if_unmodified_since=AT_NOON) is FAILED


@pytest.mark.parametrize("method", SAFE)
class TestIfNoneMatchOnSafeMethods:
    def test_c18_c23_compares_weakly(self, method: str) -> None:
        for representation in (CURRENT, WEAK):
            assert judge(method, representation, if_none_match='"now"') is NOT_MODIFIED
            assert judge(method, representation, if_none_match='W/"now"') is NOT_MODIFIED
            assert judge(method, representation, if_none_match='"old"') is PROCEED

    def test_c21_the_asterisk(self, method: str) -> None:
        assert judge(method, UNTAGGED, if_none_match="*") is NOT_MODIFIED
        assert judge(method, ABSENT, if_none_match="*") is PROCEED
        assert judge(method, UNKNOWN, if_none_match="*") is PROCEED

    @pytest.mark.parametrize("value", ["", '*, "x"', '"now", *', "now", '"now'])
    def test_c22_a_malformed_value_never_yields_a_304(self, method: str, value: str) -> None:
        assert judge(method, if_none_match=value) is PROCEED

    @pytest.mark.parametrize("value", ['"old"', "", "now", '*, "x"'])
    def test_c26_hides_if_modified_since_even_if_it_cannot_be_parsed(
        self, method: str, value: str
    ) -> None:
        for representation in (CURRENT, UNTAGGED):
            verdict = judge(method, representation, if_none_match=value, if_modified_since=AFTER)
            assert verdict is PROCEED


@pytest.mark.parametrize("method", UNSAFE)
class TestIfNoneMatchOnUnsafeMethods:
    def test_c23_false_is_412(self, method: str) -> None:
        assert judge(method, if_none_match='W/"now"') is FAILED
        assert judge(method, if_none_match='"old"') is PROCEED

    def test_c24_the_asterisk_on_an_existing_target_is_412(self, method: str) -> None:
        assert judge(method, UNTAGGED, if_none_match="*") is FAILED
        assert judge(method, ABSENT, if_none_match="*") is PROCEED

    def test_what_nobody_knows_fails_closed(self, method: str) -> None:
        assert judge(method, UNKNOWN, if_none_match="*") is FAILED
        assert judge(method, UNKNOWN, if_none_match='"x"') is FAILED

    @pytest.mark.parametrize("value", ["", '*, "x"', "now", '"old'])
    def test_c22_a_malformed_value_fails_closed(self, method: str, value: str) -> None:
        assert judge(method, if_none_match=value) is FAILED


class TestIfModifiedSince:
    @pytest.mark.parametrize("method", SAFE)
    def test_c29_is_false_from_last_modified_on(self, method: str) -> None:
        assert judge(method, if_modified_since=BEFORE) is PROCEED
        assert judge(method, if_modified_since=AT_NOON) is NOT_MODIFIED
        assert judge(method, if_modified_since=AFTER) is NOT_MODIFIED

    @pytest.mark.parametrize("method", UNSAFE)
    def test_c28_is_ignored_on_other_methods(self, method: str) -> None:
        assert judge(method, if_modified_since=AFTER) is PROCEED

    @pytest.mark.parametrize("value", ["", "yesterday", f"{AFTER}, {AFTER}", "9999999999"])
    def test_c30_no_date_is_ignored(self, value: str) -> None:
        assert judge("GET", if_modified_since=value) is PROCEED

    def test_c31_is_ignored_without_last_modified(self) -> None:
        assert judge("GET", UNDATED, if_modified_since=AFTER) is PROCEED

    def test_c12_a_second_that_has_not_passed_may_hide_a_change(self) -> None:
        unsettled = Representation(None, NOON, settled=False)
        assert judge("GET", unsettled, if_modified_since=AFTER) is PROCEED


class TestOrder:
    def test_c33_if_match_comes_before_if_none_match(self) -> None:
        assert judge("GET", if_match='"old"', if_none_match='"now"') is FAILED
        assert judge("GET", if_match='"now"', if_none_match='"now"') is NOT_MODIFIED

    def test_c33_if_unmodified_since_comes_before_if_none_match(self) -> None:
        assert judge("GET", if_unmodified_since=BEFORE, if_none_match='"now"') is FAILED

    def test_c33_if_unmodified_since_comes_before_if_modified_since(self) -> None:
        assert judge("GET", if_unmodified_since=BEFORE, if_modified_since=AFTER) is FAILED

    def test_c34_if_match_is_judged_on_get_too(self) -> None:
        assert judge("GET", if_match='"old"') is FAILED

    @pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
    def test_c37_methods_that_select_nothing_ignore_all(self, method: str) -> None:
        assert judge(method, if_match='"old"', if_none_match="*") is PROCEED


class TestAlteredTags:
    def verdict(self, method: str, altered: Altered, **fields: str) -> Verdict:
        named = {name.replace("_", "-").title(): value for name, value in fields.items()}
        return Preconditions.parse(named).judge(method, CURRENT, altered=altered)

    def test_if_none_match_knows_a_suffixed_tag(self) -> None:
        for value in ('"now-gzip"', 'W/"now-gzip"'):
            assert self.verdict("GET", Altered.IF_NONE_MATCH, if_none_match=value) is NOT_MODIFIED
            assert self.verdict("GET", Altered.NOWHERE, if_none_match=value) is PROCEED

    @pytest.mark.parametrize("value", ['W/"now"', '"now-gzip"', 'W/"now-gzip"'])
    def test_if_match_knows_an_altered_tag_only_where_told_so(self, value: str) -> None:
        assert self.verdict("PUT", Altered.IF_NONE_MATCH, if_match=value) is FAILED
        assert self.verdict("PUT", Altered.EVERYWHERE, if_match=value) is PROCEED

    def test_a_tag_that_was_weak_from_the_start_never_passes_if_match(self) -> None:
        preconditions = Preconditions(if_match=EntityTags.parse('W/"now"'))
        assert preconditions.judge("PUT", WEAK, altered=Altered.EVERYWHERE) is FAILED


class TestSoundness:
    """Whatever bytes arrive: no error, no false 304, no write that should not pass."""

    @given(methods, representations, headers, st.sampled_from(Altered))
    def test_nothing_raises(
        self, method: str, representation: Representation, fields: dict[str, str], altered: Altered
    ) -> None:
        verdict = Preconditions.parse(fields).judge(method, representation, altered=altered)
        assert verdict is not NOT_MODIFIED or method in SAFE

    @given(representations, headers)
    def test_a_304_says_that_the_client_named_what_is_current(
        self, representation: Representation, fields: dict[str, str]
    ) -> None:
        verdict = Preconditions.parse(fields).judge("GET", representation)
        if verdict is not NOT_MODIFIED:
            return
        assert representation.exists
        named = fields.get("If-None-Match")
        if named is None:
            assert fields["If-Modified-Since"].strip(" \t") in (AT_NOON, AFTER)
        elif named.strip(" \t") != "*":
            assert representation.etag is not None
            assert f'"{representation.etag.opaque}' in named

    @given(st.sampled_from(UNSAFE), representations, values)
    def test_a_write_under_if_match_passes_only_on_the_current_strong_tag(
        self, method: str, representation: Representation, value: str
    ) -> None:
        verdict = Preconditions.parse({"If-Match": value}).judge(method, representation)
        if verdict is PROCEED:
            assert value.strip(" \t") == "*" or (
                representation.etag == EntityTag("now") and '"now"' in value
            )

    @given(st.sampled_from(UNSAFE), values)
    def test_a_write_under_if_none_match_never_passes_where_the_current_tag_is_named(
        self, method: str, value: str
    ) -> None:
        verdict = Preconditions.parse({"If-None-Match": value}).judge(method, CURRENT)
        if '"now"' in value or value.strip(" \t") == "*":
            assert verdict is FAILED
