"""The wire format of protocol buffers: what is there is read, what is unknown passed over, what is none refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.protobuf import (
    Malformed,
    fields,
    nested,
    number,
    put_bytes,
    put_number,
    repeated,
    singles,
    text,
)

NUMBERS = st.integers(0, (1 << 64) - 1)
FIELD = st.integers(1, (1 << 29) - 1)


def seen(message: bytes) -> list[tuple[int, int | bytes]]:
    return [(field, value if isinstance(value, int) else bytes(value)) for field, value in fields(memoryview(message))]


@given(st.lists(st.tuples(FIELD, NUMBERS | st.binary(max_size=300))))
def test_what_is_written_is_read(parts: list[tuple[int, int | bytes]]) -> None:
    written = [put_number(at, value) if isinstance(value, int) else put_bytes(at, value) for at, value in parts]
    assert seen(b"".join(written)) == parts


def test_the_example_of_the_specification() -> None:
    assert seen(bytes.fromhex("089601")) == [(1, 150)]
    assert seen(bytes.fromhex("120774657374696e67")) == [(2, b"testing")]


def test_fixed_numbers_are_bytes_that_somebody_may_want() -> None:
    message = bytes([9 << 3 | 1]) + struct.pack("<d", 1.5) + bytes([2 << 3 | 5]) + struct.pack("<f", 2.0)
    assert [field for field, _ in seen(message)] == [9, 2]


def test_a_message_of_a_million_fields_keeps_as_much_as_one_of_a_few() -> None:
    many = b"".join(put_bytes(field, b"") for field in range(1, 100_000))
    assert len(singles(memoryview(many))) == 32_767
    assert len(repeated(memoryview(put_bytes(2, b"") * 100_000), 2)) == 20_000


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_malformed(message: bytes) -> None:
    try:
        found = seen(message)
    except Malformed:
        return
    assert sum(len(value) for _, value in found if isinstance(value, bytes)) <= len(message)


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",  # a length is missing
        b"\x0a\x05abc",  # cut short
        b"\x08",  # a number is missing
        b"\x08" + b"\xff" * 11,  # a number without end
        b"\x0b\x0c",  # a group
        b"\x09abc",  # eight bytes, of which three are there
        b"\x0f\x00",  # no wire type
    ],
)
def test_what_is_no_message_is_malformed(message: bytes) -> None:
    with pytest.raises(Malformed):
        seen(message)


def test_every_message_cut_anywhere_is_whole_fields_or_malformed() -> None:
    message = put_bytes(5, "name") + put_number(300, 1 << 40) + put_bytes(6, put_number(1, 1))
    whole = seen(message)
    for end in range(len(message)):
        try:
            found = seen(message[:end])
        except Malformed:
            continue
        assert found == whole[: len(found)]


def test_the_last_of_a_field_counts_and_all_of_a_repeated_one() -> None:
    message = memoryview(put_number(1, 1) + put_number(2, 5) + put_number(1, 3))
    assert singles(message) == {1: 3, 2: 5}
    assert repeated(message, 1) == [1, 3]


def test_texts_end_where_no_name_is_that_long_and_hold_nothing_that_cannot_be_kept() -> None:
    assert text(memoryview(b"x" * 5_000)) == "x" * 256
    assert text(memoryview(b"a\xffb\0c")) == "a\ufffdb\ufffdc"


def test_a_field_of_another_kind_is_malformed() -> None:
    with pytest.raises(Malformed):
        number(memoryview(b"1"))
    with pytest.raises(Malformed):
        nested(1)
