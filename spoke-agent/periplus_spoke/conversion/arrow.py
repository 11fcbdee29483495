"""Columns to Arrow IPC streams, one per section, zstd over all of them: the body of a batch.

Buffers are built column by column and handed to nanoarrow as they are: no row objects, and no pyarrow, whose import
alone would cost half of the spoke's memory.
"""

from array import array
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import accumulate, chain
from typing import Any, Final

import nanoarrow
import zstandard
from nanoarrow.ipc import StreamWriter

from periplus_contract.batch import Section
from periplus_contract.column_types import ColumnType, Layout
from periplus_contract.limits import MAX_LIST_ITEMS, MAX_TEXT_BYTES
from periplus_spoke.conversion.ready import OFFSET, ArrowObject, ReadyColumn
from periplus_spoke.conversion.records import Cell, SectionRows, Values

ZSTD_LEVEL: Final = 3


def encode_sections(sections: Sequence[SectionRows]) -> tuple[bytes, int, tuple[Section, ...]]:
    """(compressed body, its inflated length, the header's section list). A section may have no rows."""
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    streams = [(section, _stream(section)) for section in sections]
    headers = tuple(
        Section(table=section.table.name, rows=section.rows, inflated_bytes=len(stream)) for section, stream in streams
    )
    # One frame over all tables: small ones compress by what they have in common.
    inflated = b"".join(stream for _, stream in streams)
    return compressor.compress(inflated), len(inflated), headers


def clip(text: str) -> str:
    """`text` cut to what one cell may hold, on a character boundary."""
    if len(text) * 4 <= MAX_TEXT_BYTES:
        return text
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= MAX_TEXT_BYTES else encoded[:MAX_TEXT_BYTES].decode(errors="ignore")


def _stream(section: SectionRows) -> bytes:
    columns = section.table.columns
    names = section.table.column_names
    fields = [nanoarrow.Schema(column.type.arrow(nanoarrow), nullable=column.nullable) for column in columns]
    batch = nanoarrow.c_array_from_buffers(
        nanoarrow.struct(dict(zip(names, fields, strict=True)), nullable=False),
        length=section.rows,
        buffers=[None],
        children=[_column(column.type, section.columns.get(column.name), section.rows) for column in columns],
    )
    out = BytesIO()
    writer = StreamWriter.from_writable(out)
    writer.serialize_stream(batch)
    return out.getvalue()


def _column(of: ColumnType, values: "Values | None", rows: int) -> ArrowObject:
    if isinstance(values, ReadyColumn):
        if values.type is not of:
            raise _misfit(of)
        return values.aligned()
    if isinstance(values, array):
        if values.typecode != of.code:
            raise _misfit(of)
        return _array(of, rows, [None, values])
    if values is None and of.layout is Layout.NUMBERS:
        return _array(of, rows, [bytes((rows + 7) // 8), bytes(rows * array(of.code).itemsize)], rows)
    return _from_cells(of, [None] * rows if values is None else values)


def _misfit(of: ColumnType) -> ValueError:
    return ValueError(f"a ready column is not of the type {of} that its table gives it")


def _from_cells(of: ColumnType, cells: Sequence[Cell]) -> ArrowObject:
    """The slow way, one Python step per cell: for what is observed as objects anyway."""
    validity, nulls = _validity(cells)
    buffers, children = _content(of, cells)
    return _array(of, len(cells), [validity, *buffers], nulls, children)


def _content(of: ColumnType, cells: Sequence[Cell]) -> tuple[list[Any], list[Any]]:
    """The buffers behind the validity, and the children."""
    match of.layout:
        case Layout.NUMBERS:
            return [array(of.code, (cell if isinstance(cell, int) else 0 for cell in cells))], []
        case Layout.BITS:
            return [_bits(cell is True for cell in cells)], []
        case Layout.TEXTS:
            return _text_buffers("" if cell is None else str(cell) for cell in cells), []
        case Layout.LISTS:
            lists = [cell[:MAX_LIST_ITEMS] if isinstance(cell, list | tuple) else () for cell in cells]
            items = tuple(chain.from_iterable(lists))
            ends = array(OFFSET, accumulate(map(len, lists), initial=0))
            return [ends], [_from_cells(of.item, items)] if of.item else []


def _array(
    of: ColumnType, rows: int, buffers: Sequence[Any], nulls: int = 0, children: Sequence[Any] = ()
) -> ArrowObject:
    schema = of.arrow(nanoarrow)
    return nanoarrow.c_array_from_buffers(schema, length=rows, buffers=buffers, null_count=nulls, children=children)


def _text_buffers(values: Iterable[str]) -> list[Any]:
    encoded = [clip(value).encode(errors="replace") for value in values]
    return [array(OFFSET, accumulate(map(len, encoded), initial=0)), b"".join(encoded)]


def _validity(values: Sequence[Cell]) -> tuple[bytes | None, int]:
    nulls = values.count(None)
    return (_bits(value is not None for value in values), nulls) if nulls else (None, 0)


def _bits(flags: Iterable[bool]) -> bytes:
    """An Arrow bitmap: least significant bit first."""
    # By way of one number in base 2: Python has no quicker one to put bits together.
    digits = ["1" if flag else "0" for flag in flags]
    if not digits:
        return b""
    length = (len(digits) + 7) // 8
    return int("".join(reversed(digits)), 2).to_bytes(length, "little")
