"""Entity tags, and the lists made of them: C1–C4, C17–C22."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.entity_tags import ANY, MALFORMED, EntityTag, EntityTags

ETAGC = [chr(c) for c in [0x21, *range(0x23, 0x7F), *range(0x80, 0x100)]]
opaques = st.text(st.sampled_from(ETAGC), max_size=12)
tags = st.builds(EntityTag, opaques, st.booleans())
field_values = st.text(st.characters(max_codepoint=0xFF))


@pytest.mark.parametrize(
    "text", ['"a"', 'W/"a"', '""', 'W/""', '"a,b"', '"a\\b"', '"\xe9"', '"!#~"']
)
def test_c1_a_tag_is_read_and_written_back(text: str) -> None:
    assert str(EntityTag.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "a", '"', '"a', 'a"', "'a'", '"a b"', '"a"b"', '"\x7f"', '"\t"', '"\n"']
)
def test_c1_what_follows_no_grammar_is_no_tag(text: str) -> None:
    assert EntityTag.parse(text) is None


def test_c3_the_weakness_prefix_is_case_sensitive() -> None:
    assert EntityTag.parse('w/"x"') is None
    assert EntityTags.parse('w/"x"') is MALFORMED


def test_c4_the_empty_tag_is_legal_and_comparable() -> None:
    empty = EntityTag.parse('""')
    assert empty == EntityTag("")
    assert empty.strongly_matches(EntityTag(""))


@given(tags)
def test_c1_parse_undoes_format(tag: EntityTag) -> None:
    assert EntityTag.parse(str(tag)) == tag


@given(st.text())
def test_c2_any_text_becomes_a_tag_that_is_safe_to_emit(text: str) -> None:
    tag = EntityTag.of(text)
    assert str(tag).isascii()
    assert "\\" not in tag.opaque
    assert "," not in tag.opaque
    assert EntityTag.parse(str(tag)) == tag


@given(st.text(), st.text())
def test_different_texts_become_different_tags(one: str, other: str) -> None:
    assert (EntityTag.of(one) == EntityTag.of(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [  # the table of RFC 9110 §8.8.3.2
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_c17_c18_comparison(one: str, other: str, strong: bool, weak: bool) -> None:
    a, b = EntityTag.parse(one), EntityTag.parse(other)
    assert a is not None
    assert b is not None
    assert a.strongly_matches(b) is b.strongly_matches(a) is strong
    assert a.weakly_matches(b) is b.weakly_matches(a) is weak


@given(st.lists(tags, min_size=1, max_size=5), st.sampled_from([",", ", ", " ,\t", ",,", ", ,"]))
def test_c19_c20_a_list_is_read_by_the_grammar(listed: list[EntityTag], separator: str) -> None:
    value = separator.join(map(str, listed))
    assert EntityTags.parse(value).tags == tuple(listed)
    assert EntityTags.parse(f" ,{value}, ").tags == tuple(listed)


def test_c19_commas_inside_tags_separate_nothing() -> None:
    assert EntityTags.parse('"a,b", "c"').tags == (EntityTag("a,b"), EntityTag("c"))


def test_c21_the_asterisk_alone() -> None:
    assert EntityTags.parse("*") is ANY
    assert EntityTags.parse(" * ") is ANY


@pytest.mark.parametrize(
    "value", ['*, "x"', '"x", *', "*,*", "**", "", ",", '"a" "b"', '"a"; "b"', "a, b"]
)
def test_c22_what_is_neither_form_is_malformed_and_matches_nothing(value: str) -> None:
    assert EntityTags.parse(value) is MALFORMED
    assert not list(MALFORMED)


@given(field_values)
def test_c19_any_bytes_are_read_without_an_error(value: str) -> None:
    parsed = EntityTags.parse(value)
    if parsed.malformed:
        assert parsed.tags == ()
    elif not parsed.any:
        # What was read, written again, is read as the same.
        assert EntityTags.parse(", ".join(map(str, parsed))) == parsed


@pytest.mark.parametrize("value", [" " * 60_000, '"' * 60_000, '"a" ' * 15_000, "," * 60_000 + "x"])
def test_c19_a_long_value_takes_no_more_than_linear_time(value: str) -> None:
    # Were it quadratic, this would be 3.6 thousand million steps.
    assert EntityTags.parse(value) is MALFORMED
