"""One observation into batches: the only place that cuts rows, whatever asks for smaller ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from periplus_contract.column_types import Layout
from periplus_contract.limits import MAX_COMPRESSED_BYTES, MAX_HEADER_BYTES, MAX_INFLATE_RATIO, MAX_ROWS
from periplus_spoke.conversion.arrow import clip, encode_sections
from periplus_spoke.conversion.flow_marks import split_mark
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows, Values
from periplus_spoke.conversion.references import with_referred

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
    """Pieces that end before these rows, counted over all sections that lead; the last piece has what is left.

    A section without rows goes with the rows before it: that there are none of a table is said exactly once. A section
    that others refer to does not lead: every piece has those of its rows that it refers to.
    """
    bounds = [*ends]
    if not bounds:
        return [tuple(sections)]
    leading = _leading(sections)
    pieces = _cut_leading(leading, [*bounds, _rows(leading)])
    followers = [section for section in sections if section not in leading]
    return [with_referred(piece, followers) for piece in pieces] if followers else pieces


def _cut_leading(sections: Sequence[SectionRows], bounds: Sequence[int]) -> list[tuple[SectionRows, ...]]:
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


def _leading(sections: Sequence[SectionRows]) -> Sequence[SectionRows]:
    """Those that refer to others; where there are none, all."""
    return [section for section in sections if _references(section)] or sections


def _references(section: SectionRows) -> int:
    return sum(bool(column.refers_to) for column in section.table.columns)


def _rows(sections: Sequence[SectionRows]) -> int:
    return sum(section.rows for section in sections)


def within_limits(sealable: Sealable) -> list[Sealable]:
    """`sealable` itself, or parts of it: in order, together exactly its rows, each within every limit of the wire."""
    return [part for piece in _by_size(sealable, _TARGET_BYTES) for part in _compressible(piece)]


def at_most(sealable: Sealable, rows: int) -> list[Sealable]:
    """Parts of at most so many rows; of one section each when there are several."""
    leading = _leading(sealable.sections)
    if _rows(leading) <= rows:
        return [sealable]
    if len(leading) < len(sealable.sections):
        return _parts(sealable, cut(sealable.sections, range(rows, _rows(leading), rows)))
    return _parts(sealable, [piece for each in leading for piece in cut((each,), range(rows, each.rows, rows))])


def halves(sections: Sequence[SectionRows]) -> list[tuple[SectionRows, ...]]:
    """Two pieces of as many rows; one when there is a single row."""
    half = _rows(_leading(sections)) // 2
    return cut(sections, (half,) if half else ())


def _by_size(sealable: Sealable, target_bytes: int) -> list[Sealable]:
    return _parts(sealable, cut(sealable.sections, _full(sealable.sections, target_bytes)))


def _full(sections: Sequence[SectionRows], target_bytes: int) -> Iterator[int]:
    """Before which rows a piece would become larger than `target_bytes`, or longer than a batch may be."""
    rows = size = number = 0
    leading = _leading(sections)
    # A row may bring a row of its own for each of its references.
    referred = max((size for each in sections if each not in leading for size in _row_bytes(each)), default=0)
    for section in leading:
        brought = _references(section)
        for row_bytes in _row_bytes(section):
            if rows and (rows + 1 + brought > MAX_ROWS or size + row_bytes + brought * referred > target_bytes):
                yield number
                rows = size = 0
            rows += 1 + brought
            number += 1
            size += row_bytes + brought * referred


def _compressible(piece: Sealable) -> list[Sealable]:
    """`piece`, halved until it compresses into a batch, and not so well that it would pass for a bomb."""
    estimate = sum(sum(_row_bytes(section)) + _STREAM_BYTES for section in piece.sections)
    if estimate <= _SAFE_BODY_BYTES or _rows(_leading(piece.sections)) <= 1:
        return [piece]
    # Encoded only to be measured, and only what the estimate does not clear: most pieces are far below the limit.
    body, inflated, _ = encode_sections(piece.sections)
    if len(body) <= _SAFE_BODY_BYTES and inflated <= len(body) * MAX_INFLATE_RATIO:
        return [piece]
    return [part for smaller in _by_size(piece, max(estimate // 2, 1)) for part in _compressible(smaller)]


def _parts(sealable: Sealable, pieces: Sequence[tuple[SectionRows, ...]]) -> list[Sealable]:
    """The pieces as batches: what `sealable` says of its completeness stands in the first."""
    marks = split_mark(sealable.flows, len(pieces))
    return [
        msgspec.structs.replace(sealable, sections=piece, flows=mark) for piece, mark in zip(pieces, marks, strict=True)
    ]


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
