"""Columns to Arrow IPC streams, one per section, zstd over all of them: the body of a batch. And the cutting of it.

Buffers are built column by column and handed to nanoarrow as they are: no row objects, and no pyarrow, whose import
alone would cost half of the spoke's memory.
"""

from array import array
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import accumulate, chain
from typing import Any, Final

import msgspec
import nanoarrow
import zstandard
from nanoarrow.ipc import StreamWriter

from periplus_contract.batch import Section
from periplus_contract.limits import (
    MAX_COMPRESSED_BYTES,
    MAX_HEADER_BYTES,
    MAX_INFLATE_RATIO,
    MAX_LIST_ITEMS,
    MAX_ROWS,
    MAX_TEXT_BYTES,
)
from periplus_contract.tables import Column
from periplus_spoke.fold.records import Cell, Sealable, SectionRows

ZSTD_LEVEL: Final = 3
_OFFSET: Final = "i"
_INT64: Final = "q"
_SAFE_BODY_BYTES: Final = MAX_COMPRESSED_BYTES - MAX_HEADER_BYTES - 8_192
"""Of a body; what is not even compressed larger than this cannot break the limit of the sealed batch."""
_TARGET_BYTES: Final = 3 * 1024 * 1024
"""Of inflated rows per part: inventory compresses by four to eight."""
_STREAM_BYTES: Final = 8_192
"""More than schema, padding and end of one section's stream."""


def encode_sections(sections: Sequence[SectionRows]) -> tuple[bytes, int, tuple[Section, ...]]:
    """(compressed body, its inflated length, the header's section list). A section may have no rows."""
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    streams = [(section, _stream(section)) for section in sections]
    headers = tuple(
        Section(table=section.table.name, rows=section.rows, inflated_bytes=len(stream)) for section, stream in streams
    )
    inflated = b"".join(stream for _, stream in streams)
    return compressor.compress(inflated), len(inflated), headers


def clip(text: str) -> str:
    """`text` cut to what one cell may hold, on a character boundary."""
    if len(text) * 4 <= MAX_TEXT_BYTES:
        return text
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= MAX_TEXT_BYTES else encoded[:MAX_TEXT_BYTES].decode(errors="ignore")


def _stream(section: SectionRows) -> bytes:
    fields = [_schema(column) for column in section.table.columns]
    children = [_column(column, section) for column in section.table.columns]
    names = section.table.column_names
    batch = nanoarrow.c_array_from_buffers(
        nanoarrow.struct(dict(zip(names, fields, strict=True)), nullable=False),
        length=section.rows,
        buffers=[None],
        children=children,
    )
    out = BytesIO()
    writer = StreamWriter.from_writable(out)
    writer.serialize_stream(batch)
    return out.getvalue()


def _schema(column: Column) -> Any:  # noqa: ANN401 - nanoarrow publishes no types
    match column.type:
        case "utf8":
            return nanoarrow.string(column.nullable)
        case "bool":
            return nanoarrow.bool_(column.nullable)
        case "int64":
            return nanoarrow.int64(column.nullable)
        case "timestamp":
            return nanoarrow.timestamp("us", "UTC", column.nullable)
        case "list<utf8>":
            return nanoarrow.list_(nanoarrow.string(), column.nullable)


def _column(column: Column, section: SectionRows) -> Any:  # noqa: ANN401 - nanoarrow publishes no types
    values = section.columns.get(column.name)
    if values is None:
        values = [None] * section.rows
    validity, nulls = _validity(values)
    children: list[Any] = []
    match column.type:
        case "utf8":
            buffers = _text_buffers("" if value is None else str(value) for value in values)
        case "bool":
            buffers = [_bits(value is True for value in values)]
        case "list<utf8>":
            lists = [value[:MAX_LIST_ITEMS] if isinstance(value, list | tuple) else () for value in values]
            buffers = [array(_OFFSET, accumulate(map(len, lists), initial=0))]
            children = [_texts(tuple(chain.from_iterable(lists)))]
        case _:
            buffers = [array(_INT64, (value if isinstance(value, int) else 0 for value in values))]
    return nanoarrow.c_array_from_buffers(
        _schema(column), length=section.rows, buffers=[validity, *buffers], null_count=nulls, children=children
    )


def _texts(values: Sequence[str]) -> Any:  # noqa: ANN401 - nanoarrow publishes no types
    return nanoarrow.c_array_from_buffers(
        nanoarrow.string(), length=len(values), buffers=[None, *_text_buffers(values)], null_count=0
    )


def _text_buffers(values: Iterable[str]) -> list[Any]:
    encoded = [clip(value).encode(errors="replace") for value in values]
    return [array(_OFFSET, accumulate(map(len, encoded), initial=0)), b"".join(encoded)]


def _validity(values: Sequence[Cell]) -> tuple[bytes | None, int]:
    nulls = values.count(None)
    return (_bits(value is not None for value in values), nulls) if nulls else (None, 0)


def _bits(flags: Iterable[bool]) -> bytes:
    """An Arrow bitmap: least significant bit first."""
    digits = ["1" if flag else "0" for flag in flags]
    if not digits:
        return b""
    length = (len(digits) + 7) // 8
    return int("".join(reversed(digits)), 2).to_bytes(length, "little")


def split(sealable: Sealable) -> list[Sealable]:
    """`sealable` itself, or parts of it: in order, together exactly its rows, each within every limit."""
    parts: list[Sealable] = []
    for piece in _cut(sealable, _TARGET_BYTES):
        parts.extend(_halved(piece))
    return parts or [sealable]


def _halved(piece: Sealable) -> list[Sealable]:
    """`piece`, halved until it compresses into a batch, and not so well that it would pass for a bomb."""
    estimate = sum(sum(_row_bytes(section)) + _STREAM_BYTES for section in piece.sections)
    if estimate <= _SAFE_BODY_BYTES or piece.rows <= 1:
        return [piece]
    body, inflated, _ = encode_sections(piece.sections)
    if len(body) <= _SAFE_BODY_BYTES and inflated <= len(body) * MAX_INFLATE_RATIO:
        return [piece]
    return [half for part in _cut(piece, max(estimate // 2, 1)) for half in _halved(part)]


def _cut(sealable: Sealable, target_bytes: int) -> list[Sealable]:
    pieces: list[Sealable] = []
    sections: list[SectionRows] = []
    rows = size = 0
    for section in sealable.sections:
        start = 0
        for index, row_bytes in enumerate(_row_bytes(section)):
            if rows and (rows >= MAX_ROWS or size + row_bytes > target_bytes):
                sections.extend(_slice(section, start, index))
                pieces.append(_with(sealable, sections))
                sections, start, rows, size = [], index, 0, 0
            rows += 1
            size += row_bytes
        sections.extend(_slice(section, start, section.rows) if section.rows else [section])
    if sections:
        pieces.append(_with(sealable, sections))
    return pieces


def _slice(section: SectionRows, start: int, end: int) -> list[SectionRows]:
    if start == end:
        return []
    columns = {name: values[start:end] for name, values in section.columns.items()}
    return [SectionRows(table=section.table, columns=columns, rows=end - start)]


def _with(sealable: Sealable, sections: list[SectionRows]) -> Sealable:
    return msgspec.structs.replace(sealable, sections=tuple(sections))


def _row_bytes(section: SectionRows) -> list[int]:
    """An upper estimate of each row in the inflated stream."""
    sizes = [len(section.table.columns) * 9] * section.rows
    for values in section.columns.values():
        for index, cell in enumerate(values):
            sizes[index] += _cell_bytes(cell)
    return sizes


def _cell_bytes(cell: Cell) -> int:
    if isinstance(cell, str):
        return len(cell) if cell.isascii() and len(cell) < MAX_COMPRESSED_BYTES else len(clip(cell).encode())
    if isinstance(cell, list | tuple):
        return sum(4 + _cell_bytes(item) for item in cell)
    return 0
