"""Halve a sealed batch that the hub finds too large: its columns stay Arrow, only their buffers are cut."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO

import msgspec
import nanoarrow
import zstandard

from periplus_contract.batch import FlowsMark, Section, offsets
from periplus_contract.tables import Column, Kind, Table, table
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.cutting import halves
from periplus_spoke.conversion.flow_marks import split_mark
from periplus_spoke.conversion.ready import ReadyColumn
from periplus_spoke.conversion.records import SectionRows
from periplus_spoke.outbox.model import Draft, Opened


def halve(opened: Opened) -> tuple[Draft, ...]:
    """Two drafts with the same rows in the same order, or none when there is only one row."""
    pieces = halves(opened_sections(opened))
    marks = split_mark(opened.header.flows, len(pieces))
    whole = Draft.of(opened.header, opened.body)
    return tuple(map(partial(_draft, whole), pieces, marks)) if len(pieces) > 1 else ()


def opened_sections(opened: Opened) -> list[SectionRows]:
    """What a held batch carries."""
    header = opened.header
    body = zstandard.ZstdDecompressor().decompress(opened.body, max_output_size=header.inflated_bytes)
    return [_read(header.kind, section, body[start:end]) for section, start, end in offsets(header.sections)]


def _draft(whole: Draft, sections: Sequence[SectionRows], mark: FlowsMark | None) -> Draft:
    body, inflated_bytes, encoded = encode_sections(sections)
    return msgspec.structs.replace(
        whole,
        rows=sum(section.rows for section in sections),
        sections=encoded,
        inflated_bytes=inflated_bytes,
        body=body,
        flows=mark,
    )


def _read(kind: Kind, section: Section, stream: bytes) -> SectionRows:
    """What an outbox sealed, so one record batch: the table is what the stream says, as an older release knew it."""
    array = nanoarrow.ArrayStream.from_readable(BytesIO(stream)).read_all()
    fields = array.schema.fields
    columns = {field.name: ReadyColumn(child) for field, child in zip(fields, array.iter_children(), strict=True)}
    known = table(kind, section.table)
    refers_to = {column.name: column.refers_to for column in known.columns} if known else {}
    types = (
        Column(field.name, columns[field.name].type, field.nullable, refers_to=refers_to.get(field.name, ""))
        for field in fields
    )
    return SectionRows(table=Table(section.table, tuple(types)), columns=columns, rows=section.rows)
