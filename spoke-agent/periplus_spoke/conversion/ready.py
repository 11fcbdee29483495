"""Columns that are Arrow arrays already: they are sent as they are, without a look at each value."""

from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import sub
from typing import Any, Final, TypeAlias

import nanoarrow

from periplus_contract.column_types import COLUMN_TYPES, ColumnType, Layout

ArrowObject: TypeAlias = Any
"""A schema, an array or a view on one: nanoarrow publishes no types."""
OFFSET: Final = "i"
"""Where texts and lists end, as Arrow counts."""
_TEXT_OFFSET_BYTES: Final = 4


class ReadyColumn:
    """One column of an Arrow library, of a type of the contract. Whoever makes it keeps the limits of its values.

    A slice of it is a column again.
    """

    def __init__(self, values: ArrowObject) -> None:
        self.array: ArrowObject = nanoarrow.c_array(values)
        self.type = type_of(self.array.schema)

    def __len__(self) -> int:
        return int(self.array.length)

    def __getitem__(self, rows: slice) -> "ReadyColumn":
        start, stop, _ = rows.indices(len(self))
        return ReadyColumn(_cut(self.array, self.type, self.array.offset + start, self.array.offset + stop))

    def aligned(self) -> ArrowObject:
        """The array as the writer takes it: it refuses those that begin within their buffers."""
        return self.array if self.array.offset == 0 else self[:].array

    def cells(self) -> list[Any]:
        """One by one, for what has to look at them."""
        return list(nanoarrow.Array(self.aligned()).to_pylist())

    def content_bytes(self) -> list[int]:
        """Of each value, what `SectionRows` does not count by the type alone: texts and items."""
        return _content_bytes(self.aligned(), self.type)


def type_of(schema: ArrowObject) -> ColumnType:
    """The contract's type for an Arrow schema; raises ValueError when it has none."""
    shape = _shape(schema)
    for known in COLUMN_TYPES:
        if _shape(nanoarrow.c_schema(known.arrow(nanoarrow))) == shape:
            return known
    msg = f"the contract has no column type for Arrow's {shape[0]!r}"
    raise ValueError(msg)


def _shape(schema: ArrowObject) -> tuple[str, ...]:
    return (schema.format, *(part for child in schema.children for part in _shape(child)))


def _cut(whole: ArrowObject, of: ColumnType, first: int, last: int) -> ArrowObject:
    """Rows [first, last) of the buffers as an array that begins at their beginning."""
    view = whole.view()
    validity = _cut_bits(memoryview(view.buffer(0)), first, last)
    nulls = last - first - int.from_bytes(validity, "little").bit_count() if validity else 0
    buffers, children = _cut_content(whole, of, first, last)
    return nanoarrow.c_array_from_buffers(
        whole.schema,
        length=last - first,
        buffers=[validity if nulls else None, *buffers],
        null_count=nulls,
        children=children,
    )


def _cut_content(whole: ArrowObject, of: ColumnType, first: int, last: int) -> tuple[list[Any], list[Any]]:
    """The buffers behind the validity, and the children."""
    view = whole.view()
    match of.layout:
        case Layout.NUMBERS:
            return [memoryview(view.buffer(1))[first:last]], []
        case Layout.BITS:
            return [_cut_bits(memoryview(view.buffer(1)), first, last)], []
        case Layout.TEXTS:
            ends = _ends(view, first, last)
            return [_from_zero(ends), memoryview(view.buffer(2)).cast("B")[ends[0] : ends[-1]]], []
        case Layout.LISTS:
            ends = _ends(view, first, last)
            items, item = next(iter(whole.children)), of.item
            cut = [_cut(items, item, items.offset + ends[0], items.offset + ends[-1])] if item else []
            return [_from_zero(ends)], cut


def _cut_bits(bitmap: memoryview, first: int, last: int) -> bytes:
    """Bits [first, last) of a bitmap, moved to begin with a byte; nothing when there is no bitmap."""
    if not len(bitmap) or first == last:
        return b""
    bits = int.from_bytes(bitmap.cast("B")[first // 8 : (last + 7) // 8], "little") >> first % 8
    return (bits & ((1 << last - first) - 1)).to_bytes((last - first + 7) // 8, "little")


def _ends(view: ArrowObject, first: int, last: int) -> Sequence[int]:
    """Where the value before the first ends, and each of them. Without values there may be no buffer."""
    return memoryview(view.buffer(1))[first : last + 1] if last > first else array(OFFSET, [0])


def _from_zero(ends: Sequence[int]) -> "array[int]":
    return array(OFFSET, map((-ends[0]).__add__, ends))


def _content_bytes(whole: ArrowObject, of: ColumnType) -> list[int]:
    if of.layout in {Layout.NUMBERS, Layout.BITS}:
        return [0] * whole.length
    ends = _ends(whole.view(), 0, whole.length)
    if of.layout is Layout.LISTS and of.item is not None:
        items = ReadyColumn(next(iter(whole.children))).content_bytes()
        return [sum(items[start:end]) + _TEXT_OFFSET_BYTES * (end - start) for start, end in pairwise(ends)]
    return list(map(sub, ends[1:], ends[:-1]))
