"""Halve a sealed batch that the hub finds too large: Arrow back to columns, cut, Arrow again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final

import nanoarrow
import zstandard

from periplus_contract.batch import Section, offsets
from periplus_contract.tables import Column, Table, TypeName
from periplus_spoke.fold.arrow import encode_sections
from periplus_spoke.fold.records import SectionRows
from periplus_spoke.outbox.model import Draft
from periplus_spoke.outbox.outbox import Opened

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TYPES: Final[dict[str, TypeName]] = {
    "STRING": "utf8",
    "BOOL": "bool",
    "INT64": "int64",
    "TIMESTAMP": "timestamp",
    "LIST": "list<utf8>",
}


def halve(opened: Opened) -> tuple[Draft, ...]:
    """Two drafts with the same rows in the same order, or none when there is only one row."""
    header = opened.header
    body = zstandard.ZstdDecompressor().decompress(opened.body, max_output_size=header.inflated_bytes)
    sections = [_read(section, body[start:end]) for section, start, end in offsets(header.sections)]
    half = header.rows // 2
    if half == 0:
        return ()
    return tuple(_draft(opened, part) for part in (_cut(sections, 0, half), _cut(sections, half, header.rows)))


def _cut(sections: Sequence[SectionRows], start: int, end: int) -> list[SectionRows]:
    """Rows [start, end) counted over all sections."""
    parts, first = [], 0
    for section in sections:
        low, high = max(start - first, 0), min(end - first, section.rows)
        if low < high:
            columns = {name: values[low:high] for name, values in section.columns.items()}
            parts.append(SectionRows(table=section.table, columns=columns, rows=high - low))
        first += section.rows
    return parts


def _draft(opened: Opened, sections: Sequence[SectionRows]) -> Draft:
    body, inflated_bytes, encoded = encode_sections(sections)
    return Draft(
        kind=opened.header.kind,
        window_start_s=opened.header.window_start_s,
        window_s=opened.header.window_s,
        rows=sum(section.rows for section in sections),
        sections=encoded,
        inflated_bytes=inflated_bytes,
        body=body,
    )


def _read(section: Section, stream: bytes) -> SectionRows:
    array = nanoarrow.ArrayStream.from_readable(BytesIO(stream)).read_all()
    schema = array.schema
    columns = tuple(_column(schema.field(index)) for index in range(schema.n_fields))
    values = {column.name: _values(array, index, column) for index, column in enumerate(columns)}
    return SectionRows(table=Table(section.table, columns), columns=values, rows=section.rows)


def _column(field: Any) -> Column:  # noqa: ANN401 - nanoarrow publishes no types
    return Column(field.name, _TYPES[field.type.name], field.nullable)


def _values(array: Any, index: int, column: Column) -> list[Any]:  # noqa: ANN401 - nanoarrow publishes no types
    values: list[Any] = [value for chunk in array.iter_chunks() for value in chunk.child(index).to_pylist()]
    if column.type == "timestamp":
        return [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
    return values
