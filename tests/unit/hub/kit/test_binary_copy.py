"""The bytes of binary COPY, held against what its format says, read row by row."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.kit.binary_copy import encoded

TIMES = pa.timestamp("us", "UTC")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
VALUES = {
    pa.string(): st.text(max_size=5),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    TIMES: st.integers(-(10**16), 10**16).map(lambda us: EPOCH + timedelta(microseconds=us)),
    pa.binary(16): st.binary(min_size=16, max_size=16),
    pa.list_(pa.string()): st.lists(st.text(max_size=3), max_size=3),
}


def expected(kind: pa.DataType, value: Any) -> bytes:
    if kind == pa.int64():
        return struct.pack(">q", value)
    if kind == TIMES:
        return struct.pack(">q", (value - EPOCH) // timedelta(microseconds=1))
    if pa.types.is_list(kind):
        items = b"".join(struct.pack(">i", len(item.encode())) + item.encode() for item in value)
        return struct.pack(">5i", 1, 0, 25, len(value), 1) + items
    if kind == pa.bool_():
        return bytes([value])
    return value.encode() if isinstance(value, str) else bytes(value)


def fields(data: bytes) -> Iterator[list[bytes | None]]:
    at = 0
    while at < len(data):
        (count,), at = struct.unpack_from(">h", data, at), at + 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,), at = struct.unpack_from(">i", data, at), at + 4
            row.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        yield row


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=6))
    rows = draw(st.integers(1, 5))
    arrays = []
    for kind in kinds:
        nulls = draw(st.sampled_from(["none", "some", "all"]))
        value = {"none": VALUES[kind], "some": st.none() | VALUES[kind], "all": st.none()}[nulls]
        arrays.append(pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), kind))
    return pa.record_batch(arrays, names=[str(number) for number in range(len(kinds))])


@given(batches(), st.data())
def test_every_value_has_the_bytes_that_postgresql_reads(rows: pa.RecordBatch, data: st.DataObject) -> None:
    part = rows.slice(data.draw(st.integers(0, rows.num_rows)), data.draw(st.integers(0, rows.num_rows)))
    kinds = part.schema.types
    columns = part.to_pydict().values()
    wanted = [
        [None if value is None else expected(kind, value) for kind, value in zip(kinds, row, strict=True)]
        for row in zip(*columns, strict=True)
    ]
    assert list(fields(encoded(part))) == wanted


def test_of_no_rows_there_are_no_bytes() -> None:
    assert encoded(pa.record_batch({"a": pa.array([], pa.string())})) == b""


def test_a_type_that_no_table_has_is_refused() -> None:
    with pytest.raises(TypeError, match="double"):
        encoded(pa.record_batch({"a": pa.array([1.5])}))
