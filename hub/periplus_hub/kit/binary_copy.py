"""From columns of Arrow to the rows of PostgreSQL's binary COPY, column by column; no row becomes an object.

A row is the number of its fields and its fields; a field is its length, -1 for null, and its bytes. What is as long in
every row is written side by side, as columns of one block of octets; what is not stands between two such blocks, and
Arrow joins them to rows. Only Arrow and numpy are asked, so it runs wherever they do.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, no flags, no extension."""
TRAILER: Final = b"\xff\xff"

Octets = npt.NDArray[np.uint8]

_EPOCH_US: Final = 946_684_800_000_000
"""PostgreSQL counts from 2000 on."""
_TEXT_OID: Final = 25
_NOTHING: Final = pa.scalar(b"", pa.binary())


def encoded(rows: pa.RecordBatch) -> bytes:
    """The rows, as they stand between `HEADER` and `TRAILER`. Binary values are written as they are."""
    if not rows.num_rows:
        return b""
    block = [_octets(np.full(rows.num_rows, rows.num_columns, dtype=">i2"))]
    parts: list[pa.Array] = []
    for column in rows.columns:
        fixed, varying = _field(column)
        block.append(fixed)
        if varying is not None:
            parts += [_block(block), varying]
            block = []
    if block:
        parts.append(_block(block))
    whole: bytes = _joined(*parts).buffers()[2].to_pybytes()  # of all rows: they stand one behind the other
    return whole


def _field(column: pa.Array) -> tuple[Octets, pa.Array | None]:
    """What is as long in every row, and what comes behind it and is not."""
    if column.null_count == len(column):
        return _octets(np.full(len(column), -1, dtype=">i4")), None
    if pa.types.is_list(column.type):
        return _texts(_lists(column))
    if pa.types.is_string(column.type):
        return _texts(column.view(pa.binary()))
    return _numbers(_values(column), _valid(column))


def _values(column: pa.Array) -> Octets:
    """Of values of one width; where they are null, anything."""
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        data = np.frombuffer(column.buffers()[1], dtype=np.uint8).reshape(-1, kind.byte_width)
        return data[column.offset : column.offset + len(column)]
    if pa.types.is_boolean(kind):
        return _octets(np.asarray(pc.fill_null(column.cast(pa.uint8()), 0)))
    if not (pa.types.is_int64(kind) or pa.types.is_timestamp(kind)):
        raise TypeError(f"no column of a table is written from {kind}")
    numbers = np.frombuffer(column.buffers()[1], dtype=np.int64)[column.offset : column.offset + len(column)]
    return _octets((numbers - _EPOCH_US if pa.types.is_timestamp(kind) else numbers).astype(">i8"))


def _numbers(values: Octets, valid: npt.NDArray[np.bool_] | None) -> tuple[Octets, pa.Array | None]:
    rows, width = values.shape
    if valid is None:
        return np.concatenate([_octets(np.full(rows, width, dtype=">i4")), values], axis=1), None
    lengths = np.where(valid, np.int32(width), np.int32(-1)).astype(">i4")
    return _octets(lengths), _binary(_ends(np.where(valid, width, 0)), values[valid])


def _texts(column: pa.Array) -> tuple[Octets, pa.Array]:
    ends = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(ends)
    valid = _valid(column)
    if valid is None:
        return _octets(lengths.astype(">i4")), column
    return _octets(np.where(valid, lengths, -1).astype(">i4")), pc.fill_null(column, _NOTHING)


def _lists(column: pa.Array) -> pa.Array:
    """Lists of texts: dimensions, flags, type, number and first index of the items, and the items as fields."""
    counts = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
    heads = np.empty((len(column), 5), dtype=">i4")
    heads[:] = 1, 0, _TEXT_OID, 0, 1
    heads[:, 3] = counts
    whole = _block([_octets(heads)])
    items = column.flatten()
    if len(items):
        lengths, texts = _texts(items.view(pa.binary()))
        fields = pa.ListArray.from_arrays(_ends(counts), _joined(_block([lengths]), texts))
        whole = _joined(whole, pc.binary_join(fields, _NOTHING))
    return whole if not column.null_count else pc.if_else(pc.is_valid(column), whole, pa.scalar(None, pa.binary()))


def _valid(column: pa.Array) -> npt.NDArray[np.bool_] | None:
    """None: every value."""
    return np.asarray(pc.is_valid(column)) if column.null_count else None


def _octets(values: npt.NDArray[np.generic]) -> Octets:
    """Shape (rows, octets of a row)."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _block(parts: list[Octets]) -> pa.Array:
    """Side by side, a value for each row."""
    data = np.concatenate(parts, axis=1)
    return _binary(np.arange(len(data) + 1, dtype=np.int32) * np.int32(data.shape[1]), data)


def _ends(lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    return np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])


def _binary(ends: npt.NDArray[np.int32], data: Octets) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])


def _joined(*columns: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*columns, _NOTHING)
