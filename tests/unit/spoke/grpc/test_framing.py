"""Messages come out whole however the bytes are cut; what is too large is passed over and not kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.grpc.framing import MOST_FRAME, CompressedMessage, FrameLengths, LongFrame, Unframer, framed


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


def http2(length: int) -> bytes:
    return length.to_bytes(3, "big") + b"\0\0\0\0\0\1"


_SIZES = st.lists(st.sampled_from([0, 1, 8, 9, 10, 300, MOST_FRAME]), max_size=12)


@given(_SIZES, st.integers(1, 40), st.integers(MOST_FRAME + 1, (1 << 24) - 1))
def test_a_long_frame_is_refused_by_its_header_however_it_is_cut(sizes: list[int], cut: int, long: int) -> None:
    # Bodies look like headers of long frames: only where a frame begins does its length count.
    stream, lengths = b"".join(http2(size) + b"\xff" * size for size in sizes), FrameLengths()
    for at in range(0, len(stream), cut):
        lengths.feed(stream[at : at + cut])
    with pytest.raises(LongFrame):
        lengths.feed(http2(long)[:3])
