"""Tags that compressing proxies have altered ("What stands between" in the list of rules)."""

from hypothesis import given
from hypothesis import strategies as st

from notmodified.http.entity_tags import EntityTag
from notmodified.http.intermediaries import CODING_SUFFIXES, as_sent, unmistakable

# Texts made of the very pieces that could be mistaken for one another.
opaques = st.lists(
    st.sampled_from([*CODING_SUFFIXES, "-", "~", "gzip", "x", "-g"]), max_size=4
).map("".join)
suffixes = st.sampled_from(["", *CODING_SUFFIXES])


@given(opaques, suffixes, st.booleans())
def test_an_altered_tag_leads_back_to_the_one_that_was_sent(
    opaque: str, suffix: str, weakened: bool
) -> None:
    sent = unmistakable(EntityTag(opaque))
    received = EntityTag(sent.opaque + suffix, weakened)
    assert as_sent(received).weakly_matches(sent)


@given(opaques, suffixes, opaques)
def test_no_altered_tag_leads_to_another_one(opaque: str, suffix: str, other: str) -> None:
    sent, current = unmistakable(EntityTag(opaque)), unmistakable(EntityTag(other))
    received = EntityTag(sent.opaque + suffix)
    assert as_sent(received).weakly_matches(current) == (opaque == other)


def test_ordinary_tags_are_sent_as_they_are() -> None:
    assert unmistakable(EntityTag("abc")) == EntityTag("abc")
    assert unmistakable(EntityTag("x-gzip")) == EntityTag("x-gzip~")


def test_apache_and_jetty_suffixes() -> None:
    assert as_sent(EntityTag("x-gzip")) == EntityTag("x")
    assert as_sent(EntityTag("x--gzip")) == EntityTag("x")
    assert as_sent(EntityTag("x-br", weak=True)) == EntityTag("x", weak=True)
