from contextlib import suppress
from datetime import UTC
from ipaddress import ip_network
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.kit.cursors import decode_cursor, encode_cursor
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.ids import new_id, random_token
from periplus_hub.kit.keyset import Slice, sliced
from periplus_hub.kit.windows import Window, window_of

KEYS = st.tuples(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.uuids(),
    st.binary(max_size=17),
    st.datetimes(timezones=st.just(UTC)),
)


def test_ids_are_version_7_and_sort_in_the_order_they_were_made() -> None:
    ids = [new_id() for _ in range(5_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}


def test_tokens_differ_and_are_safe_in_urls() -> None:
    tokens = {random_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 and token.isascii() for token in tokens)


@given(KEYS)
def test_a_cursor_gives_back_its_key_with_every_type(key: tuple[object, ...]) -> None:
    assert decode_cursor(encode_cursor(key, "name"), "name") == key


def test_a_cursor_holds_networks() -> None:
    key = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert decode_cursor(encode_cursor(key)) == key


@pytest.mark.parametrize(
    "text", ["", "x", "===", "bnVsbA", "WzBd" * 1000, "W10", "WzAsWyJ6IiwxXV0", encode_cursor((1,), "other"), "é", "1"]
)
def test_a_cursor_nobody_gave_out_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(text, "name")


@given(st.text())
def test_no_text_breaks_the_decoder(text: str) -> None:
    with suppress(Invalid):
        decode_cursor(text)


@given(st.sets(st.integers(0, 1_000), max_size=60), st.integers(1, 7))
def test_pages_in_memory_give_every_item_once(items: set[int], first: int) -> None:
    found: list[int] = []
    after, more = None, True
    while more:
        page = numbers(items, Window(first, after=after))
        assert page.has_previous == bool(found)
        found += page.rows
        after, more = page.end_cursor, page.has_next
    assert found == sorted(items)


@given(st.sets(st.integers(0, 1_000), max_size=60), st.integers(1, 7))
def test_pages_in_memory_read_backwards_give_every_item_once(items: set[int], last: int) -> None:
    found: list[int] = []
    before, more = None, True
    while more:
        page = numbers(items, Window(last, before=before, backwards=True))
        assert page.has_next == bool(found)
        found = [*page.rows, *found]
        before, more = page.start_cursor, page.has_previous
    assert found == sorted(items)


@given(st.sets(st.integers(0, 50), max_size=40), st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_what_lies_between_two_cursors_is_all_that_a_page_shows(
    items: set[int], after: int, before: int, backwards: bool
) -> None:
    ends = (encode_cursor((after,), "numbers"), encode_cursor((before,), "numbers"))
    page = numbers(items, Window(3, *ends, backwards=backwards))
    between = [item for item in sorted(items) if after < item < before]
    assert page.rows == (between[-3:] if backwards else between[:3])


@pytest.mark.parametrize("size", [0, -1, 10_001, 2**63])
def test_a_page_has_a_size(size: int) -> None:
    with pytest.raises(Invalid):
        numbers({1}, Window(size))


def test_a_page_is_asked_for_from_one_end() -> None:
    with pytest.raises(Invalid):
        window_of(1, None, 1, None)


def numbers(items: set[int], window: Window) -> Slice:
    return sliced(sorted(items), lambda item: (item,), "numbers", window)
