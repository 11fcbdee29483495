"""Cut what one observation holds into batches that stay within the limits of the wire."""

from typing import Final

from periplus_contract.limits import (
    MAX_COMPRESSED_BYTES,
    MAX_HEADER_BYTES,
    MAX_INFLATE_RATIO,
    MAX_INFLATED_BYTES,
    MAX_ROWS,
)
from periplus_contract.tables import Kind
from periplus_spoke.fold.arrow import clip, encode_sections
from periplus_spoke.fold.records import Cell, Sealable, SectionRows

_SAFE_BODY_BYTES: Final = MAX_COMPRESSED_BYTES - MAX_HEADER_BYTES - 8_192
"""Of a body; what is not even compressed larger than this cannot break the limit of the sealed batch."""
_TARGET_BYTES: Final = 3 * 1024 * 1024
"""Of inflated rows per part: inventory compresses by four to eight."""
_STREAM_BYTES: Final = 8_192
"""More than schema, padding and end of one section's stream."""


class TooLargeError(ValueError):
    """An ipam batch holds one complete set and cannot be cut; this one exceeds a limit of the wire."""


def split(sealable: Sealable) -> list[Sealable]:
    """`sealable` itself, or parts of it: in order, together exactly its rows, each within every limit."""
    if sealable.kind is not Kind.INVENTORY:
        return [_checked(sealable)]
    parts: list[Sealable] = []
    for piece in _cut(sealable, _TARGET_BYTES):
        parts.extend(_halved(piece))
    return parts or [sealable]


def _checked(sealable: Sealable) -> Sealable:
    body, inflated, _ = encode_sections(sealable.sections)
    if sealable.rows > MAX_ROWS or inflated > MAX_INFLATED_BYTES or len(body) > _SAFE_BODY_BYTES:
        raise TooLargeError(
            f"an {sealable.kind} batch of {sealable.rows} rows and {len(body)} bytes exceeds what the wire takes"
        )
    return sealable


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
        sections.extend(_slice(section, start, section.rows))
    if sections:
        pieces.append(_with(sealable, sections))
    return pieces


def _slice(section: SectionRows, start: int, end: int) -> list[SectionRows]:
    if start == end:
        return []
    columns = {name: values[start:end] for name, values in section.columns.items()}
    return [SectionRows(table=section.table, columns=columns, rows=end - start)]


def _with(sealable: Sealable, sections: list[SectionRows]) -> Sealable:
    return Sealable(
        kind=sealable.kind,
        window_start_s=sealable.window_start_s,
        window_s=sealable.window_s,
        sections=tuple(sections),
        mode=sealable.mode,
    )


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
