"""Halve a sealed batch that the hub finds too large: its columns stay Arrow, only their buffers are cut."""

from collections.abc import Sequence
from io import BytesIO

import nanoarrow
import zstandard

from periplus_contract.batch import Section, offsets
from periplus_contract.tables import Column, Table
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import halves
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import SectionRows
from periplus_spoke.outbox.model import Draft, Opened


def halve(opened: Opened) -> tuple[Draft, ...]:
    """Two drafts with the same rows in the same order, or none when there is only one row."""
    header = opened.header
    body = zstandard.ZstdDecompressor().decompress(opened.body, max_output_size=header.inflated_bytes)
    pieces = halves([_read(section, body[start:end]) for section, start, end in offsets(header.sections)])
    return tuple(_draft(opened, piece) for piece in pieces) if len(pieces) > 1 else ()


def _draft(opened: Opened, sections: Sequence[SectionRows]) -> Draft:
    body, inflated_bytes, encoded = encode_sections(sections)
    # Without a mark: only batches that stand alone are halved. A snapshot or a statement of parts is told anew in
    # smaller ones, because a half would be no part of it.
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
    """What an outbox sealed, so one record batch: the table is what the stream says, as an older release knew it."""
    array = nanoarrow.ArrayStream.from_readable(BytesIO(stream)).read_all()
    fields = array.schema.fields
    columns = {field.name: ReadyColumn(child) for field, child in zip(fields, array.iter_children(), strict=True)}
    types = (Column(field.name, columns[field.name].type, field.nullable) for field in fields)
    return SectionRows(table=Table(section.table, tuple(types)), columns=columns, rows=section.rows)
