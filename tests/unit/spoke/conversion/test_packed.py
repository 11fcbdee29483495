"""Names of many objects as one text: what goes in comes out, unless it is no word."""

from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.packed import packed, packed_line, unpacked

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8).filter(lambda word: word != "-")
LINES = st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=6)


@given(LINES)
def test_words_come_out_as_they_went_in(lines: list[tuple[str, str, str]]) -> None:
    assert [tuple(words) for words in unpacked(packed(packed_line(*words) for words in lines))] == lines


@given(st.text(max_size=6), st.text(max_size=6))
def test_a_line_has_as_many_words_as_it_was_given_or_is_left_out(first: str, second: str) -> None:
    found = list(unpacked(packed([packed_line("a", first), packed_line(second, "b")])))
    assert all(len(words) == 2 for words in found)
    assert len(found) == sum(" " not in word and word.isprintable() for word in (first, second))
