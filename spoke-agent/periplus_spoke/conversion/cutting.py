"""One observation into batches: the only place that cuts rows, whatever asks for smaller ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from periplus_contract.column_types import Layout
from periplus_contract.limits import MAX_COMPRESSED_BYTES, MAX_HEADER_BYTES, MAX_INFLATE_RATIO, MAX_ROWS
from periplus_spoke.conversion.arrow import clip, encode_sections
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows, Values

_SAFE_BODY_BYTES: Final = MAX_COMPRESSED_BYTES - MAX_HEADER_BYTES - 8_192
"""Of a body; what is not even compressed larger than this cannot break the limit of the sealed batch."""
_TARGET_BYTES: Final = 3 * 1024 * 1024
"""Of inflated rows per part: inventory compresses by four to eight."""
_STREAM_BYTES: Final = 8_192
"""More than schema, padding and end of one section's stream."""
_VALUE_BYTES: Final = 9
"""At least what any value takes beside its content: a number, or where a text or list ends, and whether it is null."""
_ITEM_BYTES: Final = 4


def cut(sections: Sequence[SectionRows], ends: Iterable[int]) -> list[tuple[SectionRows, ...]]:
    """Pieces that end before these rows, counted over all sections; the last piece has what is left.

    A section without rows goes with the rows before it: that there are none of a table is said exactly once.
    """
    bounds = [*ends, sum(section.rows for section in sections)]
    pieces: list[list[SectionRows]] = [[] for _ in bounds]
    first = piece = 0
    for section in sections:
        start = 0
        while first + section.rows > bounds[piece]:
            end = bounds[piece] - first
            if start < end:
                pieces[piece].append(section.cut(start, end))
            start, piece = end, piece + 1
        if start < section.rows or not section.rows:
            pieces[piece].append(section.cut(start, section.rows))
        first += section.rows
    return [tuple(sections) for sections in pieces]


def within_limits(sealable: Sealable) -> list[Sealable]:
    """`sealable` itself, or parts of it: in order, together exactly its rows, each within every limit of the wire."""
    return [part for piece in _by_size(sealable, _TARGET_BYTES) for part in _compressible(piece)]


def at_most(sealable: Sealable, rows: int) -> list[Sealable]:
    """Parts of at most so many rows; of one section each when there are several."""
    if sealable.rows <= rows:
        return [sealable]
    ends = {section.table.name: range(rows, section.rows, rows) for section in sealable.sections}
    pieces = (piece for each in sealable.sections for piece in cut((each,), ends[each.table.name]))
    return [_with(sealable, piece) for piece in pieces]


def halves(sections: Sequence[SectionRows]) -> list[tuple[SectionRows, ...]]:
    """Two pieces of as many rows; one when there is a single row."""
    half = sum(section.rows for section in sections) // 2
    return cut(sections, (half,) if half else ())


def _by_size(sealable: Sealable, target_bytes: int) -> list[Sealable]:
    return [_with(sealable, piece) for piece in cut(sealable.sections, _full(sealable.sections, target_bytes))]


def _full(sections: Sequence[SectionRows], target_bytes: int) -> Iterator[int]:
    """Before which rows a piece would become larger than `target_bytes`, or longer than a batch may be."""
    rows = size = number = 0
    for section in sections:
        for row_bytes in _row_bytes(section):
            if rows and (rows >= MAX_ROWS or size + row_bytes > target_bytes):
                yield number
                rows = size = 0
            rows += 1
            number += 1
            size += row_bytes


def _compressible(piece: Sealable) -> list[Sealable]:
    """`piece`, halved until it compresses into a batch, and not so well that it would pass for a bomb."""
    estimate = sum(sum(_row_bytes(section)) + _STREAM_BYTES for section in piece.sections)
    if estimate <= _SAFE_BODY_BYTES or piece.rows <= 1:
        return [piece]
    # Encoded only to be measured, and only what the estimate does not clear: most pieces are far below the limit.
    body, inflated, _ = encode_sections(piece.sections)
    if len(body) <= _SAFE_BODY_BYTES and inflated <= len(body) * MAX_INFLATE_RATIO:
        return [piece]
    return [part for smaller in _by_size(piece, max(estimate // 2, 1)) for part in _compressible(smaller)]


def _with(sealable: Sealable, sections: tuple[SectionRows, ...]) -> Sealable:
    return msgspec.structs.replace(sealable, sections=sections)


def _row_bytes(section: SectionRows) -> list[int]:
    """An upper estimate of each row in the inflated stream."""
    sizes = [len(section.table.columns) * _VALUE_BYTES] * section.rows
    for column in section.table.columns:
        values = section.columns.get(column.name)
        if values is not None and column.type.layout in {Layout.TEXTS, Layout.LISTS}:
            sizes = list(map(int.__add__, sizes, _content_bytes(values)))
    return sizes


def _content_bytes(values: Values) -> Iterable[int]:
    return values.content_bytes() if isinstance(values, ReadyColumn) else map(_cell_bytes, values)


def _cell_bytes(cell: Cell) -> int:
    if isinstance(cell, str):
        return len(cell) if cell.isascii() and len(cell) < MAX_COMPRESSED_BYTES else len(clip(cell).encode())
    if isinstance(cell, list | tuple):
        return sum(_ITEM_BYTES + _cell_bytes(item) for item in cell)
    return 0
