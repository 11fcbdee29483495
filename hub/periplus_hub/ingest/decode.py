"""From a sealed batch's body to validated columns. Runs in a worker thread, never on the event loop."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import pyarrow as pa

from periplus_contract import limits, problems
from periplus_contract.batch import Header, Section, offsets
from periplus_contract.column_types import ColumnType
from periplus_contract.rejections import Reason
from periplus_contract.tables import Column, Table, table
from periplus_hub.ingest.arrow_framing import check_framing
from periplus_hub.ingest.columns import check_rows
from periplus_hub.ingest.inflate import inflate
from periplus_hub.ingest.model import DecodedBatch, Rejected, SealedBatch, WaitingPart, section_names
from periplus_hub.ingest.relations import CheckedSections, relate
from periplus_hub.spoke_http.refusal import SpokeRequestRefusal

_ONE_THREAD: Final = pa.ipc.IpcReadOptions(use_threads=False)
"""Batches are many and small: handing columns to Arrow's threads costs more than reading them."""


@lru_cache
def _arrow_type(column_type: ColumnType) -> pa.DataType:
    return column_type.arrow(pa)


@lru_cache
def arrow_schema(contract: Table) -> pa.Schema:
    """The contract's table in Arrow's words, as appliers get it."""
    return pa.schema([pa.field(column.name, _arrow_type(column.type)) for column in contract.columns])


def decode(sealed: SealedBatch) -> DecodedBatch:
    """Inflate, read and check every section; raises SpokeRequestRefusal when the whole batch breaks the contract."""
    header = sealed.header
    tables, rejected = _sections(header, sealed.body, header.inflated_bytes, header.sections)
    return DecodedBatch(
        principal=sealed.principal,
        header=header,
        epoch=sealed.epoch,
        sections=section_names(header.sections, header.covers),
        covers=frozenset(header.covers),
        tables=tables,
        rejected=tuple(entry for entry in rejected if entry.rows),
        sha256=sealed.sha256,
        sealed_bytes=sealed.sealed_bytes,
        received_at=sealed.received_at,
    )


def as_waiting(part: DecodedBatch, body: memoryview) -> DecodedBatch:
    """`part` with its bytes, which are kept until the last part of its statement comes."""
    return dataclasses.replace(part, part_body=bytes(body))


def with_earlier(last: DecodedBatch, earlier: Sequence[WaitingPart]) -> DecodedBatch:
    """`last` with the rows of the parts before it, whose rejected rows were counted when they came."""
    pieces = {name: [table] for name, table in last.tables.items()}
    sections = last.sections
    rejected: list[Rejected] = []
    for part in reversed(earlier):
        tables, aside = _sections(last.header, memoryview(part.body), part.inflated_bytes, part.sections)
        sections |= section_names(part.sections)
        rejected += aside
        for name, rows in tables.items():
            pieces.setdefault(name, []).insert(0, rows)
    whole = {name: pa.concat_tables(rows) for name, rows in pieces.items()}
    return dataclasses.replace(
        last, tables=whole, sections=sections, earlier_parts=len(earlier), earlier_rejected=tuple(rejected)
    )


def _sections(
    header: Header, compressed: memoryview, inflated_bytes: int, sections: tuple[Section, ...]
) -> tuple[dict[str, pa.Table], list[Rejected]]:
    body = memoryview(inflate(compressed, inflated_bytes))
    found, contracts = CheckedSections(), {}
    for section, start, end in offsets(sections):
        contract = table(header.kind, section.table)
        if contract is None:
            found.rejected.append(Rejected(table=section.table[:64], reason=Reason.UNKNOWN_TABLE, rows=section.rows))
            continue
        contracts[contract.name] = contract
        found.add(contract.name, section.rows, check_rows(_read(body[start:end], section, contract), contract))
    relate(found, contracts, header)
    return found.tables, found.rejected


def set_all_aside(sealed: SealedBatch, reason: Reason, sample: str) -> DecodedBatch:
    """The batch with every row rejected, its body not looked at."""
    header: Header = sealed.header
    return DecodedBatch(
        principal=sealed.principal,
        header=header,
        epoch=sealed.epoch,
        sections=section_names(header.sections, header.covers),
        covers=frozenset(header.covers),
        tables={},
        rejected=tuple(
            Rejected(table=section.table[:64], reason=reason, rows=section.rows, sample=sample)
            for section in header.sections
            if section.rows
        ),
        sha256=sealed.sha256,
        sealed_bytes=sealed.sealed_bytes,
        received_at=sealed.received_at,
    )


def with_prepared(batch: DecodedBatch, prepared: object, rejected: tuple[Rejected, ...]) -> DecodedBatch:
    """`batch` as its kind's applier prepared it."""
    return dataclasses.replace(batch, prepared=prepared, rejected=batch.rejected + rejected)


def _invalid(detail: str) -> SpokeRequestRefusal:
    return SpokeRequestRefusal(problems.INVALID_BATCH, detail)


def _read(stream: memoryview, section: Section, contract: Table) -> pa.Table:
    check_framing(stream)
    try:
        raw = _known_columns(stream, contract)
        raw.validate(full=True)
    # Arrow reports a damaged stream as any of its errors, and as OSError.
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _invalid(f"section {section.table!r} is not a valid Arrow stream") from error
    if raw.num_rows != section.rows:
        raise _invalid(f"section {section.table!r} has {raw.num_rows} rows, the header says {section.rows}")
    # Arrow lets two columns, or two batches, point to the same bytes. A small body could then unfold to many times the
    # memory that was reserved for it.
    if raw.nbytes > len(stream):
        raise _invalid(f"section {section.table!r} uses bytes more than once")
    return _under_our_names(raw, contract)


def _known_columns(stream: memoryview, contract: Table) -> pa.Table:
    """Read only columns of the contract, of its types: what a newer minor appended costs nothing.

    Batches without rows are left out: of a list column without offsets, as they may have, Arrow computes the size
    by reading address 0.
    """
    reader = pa.ipc.open_stream(stream, options=_ONE_THREAD)
    if reader.schema.equals(arrow_schema(contract)):  # what a spoke of this release sends
        return pa.Table.from_batches([batch for batch in reader if batch.num_rows], reader.schema)
    names = reader.schema.names
    if len(names) > limits.MAX_ARROW_COLUMNS or len(set(names)) != len(names):
        raise _invalid(f"section {contract.name!r} has too many columns, or two of one name")
    known = set(contract.column_names)
    included = [index for index, name in enumerate(names) if name in known]
    if not included:
        raise _invalid(f"section {contract.name!r} has none of its columns")
    _check_types(reader.schema, contract)
    if len(included) < len(names):
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=included)
        reader = pa.ipc.open_stream(stream, options=options)
    return pa.Table.from_batches([batch for batch in reader if batch.num_rows], reader.schema)


def _check_types(schema: pa.Schema, contract: Table) -> None:
    for column in contract.columns:
        if column.name in schema.names:
            found = schema.field(column.name).type
            if not _fits(found, _arrow_type(column.type)):
                raise _invalid(f"column {contract.name}.{column.name} is {str(found)[:64]}, not {column.type}")


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """The same type, maybe in other words: UTC without saying so, or list items under another name."""
    plain_time = pa.types.is_timestamp(wanted) and found == pa.timestamp(wanted.unit)
    same_list = pa.types.is_list(wanted) and pa.types.is_list(found) and found.value_type == wanted.value_type
    return bool(found == wanted or plain_time or same_list)


def _under_our_names(raw: pa.Table, contract: Table) -> pa.Table:
    """Exactly the contract's columns and types, in its order; columns an older minor did not have are null.

    Nothing of the sender's schema goes on: equal types may differ in names and metadata, and libraries in other
    languages take those for sound text.
    """
    columns = [_column(raw, column, contract.name) for column in contract.columns]
    return pa.Table.from_arrays(columns, schema=arrow_schema(contract))


def _column(raw: pa.Table, column: Column, table_name: str) -> pa.ChunkedArray:
    wanted = _arrow_type(column.type)
    if column.name not in raw.column_names:
        if not column.nullable:
            raise _invalid(f"column {table_name}.{column.name} is missing")
        return pa.chunked_array([pa.nulls(raw.num_rows, wanted)])
    values = raw.column(column.name)
    if pa.types.is_list(wanted):
        return pa.chunked_array([_list(chunk, wanted) for chunk in values.chunks], wanted)
    return values if values.type == wanted else values.cast(wanted)


def _list(chunk: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The same bytes, as a list whose items have our name: equal to Arrow, so that a cast would leave theirs."""
    buffers = chunk.buffers()[:2]
    return pa.Array.from_buffers(wanted, len(chunk), buffers, chunk.null_count, chunk.offset, children=[chunk.values])
