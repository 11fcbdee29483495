"""Messages come out whole however the bytes are cut; what is too large is passed over and not kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.grpc.framing import CompressedMessage, Unframer, framed


@given(st.lists(st.binary(max_size=50), max_size=20), st.lists(st.integers(1, 40), min_size=1), st.integers(5, 60))
def test_messages_are_the_same_however_they_are_cut(messages: list[bytes], cuts: list[int], most: int) -> None:
    stream, unframer, found, at = b"".join(map(framed, messages)), Unframer(most), [], 0
    while stream:
        size = cuts[at % len(cuts)]
        found += unframer.feed(stream[:size])
        stream, at = stream[size:], at + 1
    assert found == [each for each in messages if len(each) <= most]
    assert unframer.passed_over == sum(len(each) > most for each in messages)


def test_what_is_passed_over_is_not_kept() -> None:
    unframer = Unframer(1_000)
    unframer.feed(b"\0" + (1 << 31).to_bytes(4, "big"))
    for _ in range(100):
        assert unframer.feed(b"x" * 10_000) == []
    assert len(unframer._rest) == 0
    assert unframer.passed_over == 1


def test_compressed_messages_were_not_asked_for() -> None:
    with pytest.raises(CompressedMessage):
        Unframer(10).feed(b"\1\0\0\0\1x")
