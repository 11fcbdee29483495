"""From validated columns to the bytes of PostgreSQL's binary COPY, in a worker thread; no row becomes an object.

`uuid` and `inet` travel as raw bytes: binary COPY does not care what the sender called a value, only what its bytes
are, and those of a uuid are its 16 bytes and those of an inet are family, prefix, is-cidr, length and the address.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import INET

from periplus_hub.ingest.model import DecodedBatch, Reason, Rejected
from periplus_hub.inventory import tables

CURRENT: Final[dict[str, Table]] = {
    "cluster": tables.clusters,
    "sources": tables.sources,
    "namespaces": tables.namespaces,
    "nodes": tables.nodes,
    "workloads": tables.workloads,
    "pods": tables.pods,
    "services": tables.services,
    "endpoints": tables.endpoints,
    "service_cidrs": tables.service_cidrs,
    "ip_addresses": tables.ip_addresses,
}
"""Section name to the table that holds it."""

Octets = npt.NDArray[np.uint8]

CHANGING: Final = frozenset({"nodes", "services"})
"""Sections whose objects' addresses may change in their life."""
IPV4_TEXT: Final = r"^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$"
_INET4_HEAD: Final = np.array([2, 32, 0, 4], dtype=np.uint8)
_INET6_HEAD: Final = bytes((3, 128, 0, 16))
_NO_TEXTS: Final = pa.scalar([], pa.list_(pa.string()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Deleted objects and when they ended, as far as known."""

    uids: list[str]
    at: list[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTable:
    """One section, ready for the database: `copy` holds `rows` whole rows in the order of `columns`."""

    name: str
    columns: tuple[str, ...]
    rows: int
    copy: bytes
    gone: Gone
    uids: list[str]
    """Of upserted objects whose addresses may change; empty for others, which nobody asks."""


def prepare(batch: DecodedBatch) -> tuple[dict[str, PreparedTable], tuple[Rejected, ...]]:
    """Every section encoded, and the rows whose addresses are none."""
    prepared: dict[str, PreparedTable] = {}
    rejected: list[Rejected] = []
    for name, given in batch.tables.items():
        rows, aside = _without_bad_addresses(given) if name == "pods" else (given, [])
        rejected += aside
        prepared[name] = _prepare_table(name, rows, batch.principal.tenant_id, batch.principal.registration_id)
    return prepared, tuple(rejected)


def _prepare_table(name: str, rows: pa.Table, tenant_id: UUID, registration_id: UUID) -> PreparedTable:
    target = CURRENT[name]
    gone, upserts = _split(name, rows)
    owner = {"tenant_id": tenant_id, "registration_id": registration_id}
    columns = tuple(column.name for column in target.columns)
    arrays = [
        _constant(owner[column.name], upserts.num_rows)
        if column.name in owner
        else _value(upserts, column.name, inet=isinstance(column.type, INET))
        for column in target.columns
    ]
    copy = _encode(pa.record_batch(arrays, names=columns)) if upserts.num_rows else b""
    uids = upserts.column("uid").to_pylist() if name in CHANGING else []
    return PreparedTable(name=name, columns=columns, rows=upserts.num_rows, copy=copy, gone=gone, uids=uids)


def _split(name: str, rows: pa.Table) -> tuple[Gone, pa.Table]:
    upsert = pc.equal(rows.column("op"), "upsert")
    if pc.all(upsert).as_py() is not False:
        return Gone(uids=[], at=[]), rows
    deletes = rows.filter(pc.invert(upsert))
    at = deletes.column("observed_at")
    if name == "pods":
        at = pc.coalesce(deletes.column("ended_at"), at)
    return Gone(uids=deletes.column("uid").to_pylist(), at=at.to_pylist()), rows.filter(upsert)


def _valid_from(rows: pa.Table) -> pa.ChunkedArray:
    return pc.coalesce(rows.column("started_at"), rows.column("observed_at"))


_DERIVED: Final[dict[str, Callable[[pa.Table], pa.ChunkedArray]]] = {
    "valid_from": _valid_from,
    "valid_to": lambda rows: rows.column("ended_at"),
    "seen_at": lambda rows: rows.column("observed_at"),
}


def _value(rows: pa.Table, column: str, *, inet: bool) -> pa.Array:
    values = (_DERIVED[column](rows) if column in _DERIVED else rows.column(column)).combine_chunks()
    if column == "host_network":
        return pc.fill_null(values, fill_value=False)
    if inet:
        return _inet4(values) if column == "ipv4" else _inet6(values)
    if pa.types.is_list(values.type) and values.null_count:
        return pc.coalesce(values, _NO_TEXTS)
    return values


def _constant(value: UUID, rows: int) -> pa.Array:
    data = np.tile(np.frombuffer(value.bytes, dtype=np.uint8), rows)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(data)])


def _encode(rows: pa.RecordBatch) -> bytes:
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    return bytes(encoder.write_header()) + bytes(encoder.write_batch(rows)) + bytes(encoder.finish())


def _without_bad_addresses(rows: pa.Table) -> tuple[pa.Table, list[Rejected]]:
    if _all_plain(rows):
        return rows, []
    good4 = pc.match_substring_regex(rows.column("ipv4"), IPV4_TEXT)
    good6 = pa.chunked_array([_valid6(rows.column("ipv6").combine_chunks())])
    bad = pc.or_(pc.invert(pc.fill_null(good4, fill_value=True)), pc.invert(pc.fill_null(good6, fill_value=True)))
    count = pc.sum(bad).as_py() or 0
    if not count:
        return rows, []
    sample = str(rows.filter(bad).slice(0, 3).select(["uid", "ipv4", "ipv6"]).to_pylist())[:1024]
    aside = Rejected(table="pods", reason=Reason.BAD_ADDRESS, rows=count, sample=sample)
    return rows.filter(pc.invert(bad)), [aside]


def _all_plain(rows: pa.Table) -> bool:
    """The usual case, a tenth of a regular expression's price: every IPv4 is canonical and there is no IPv6."""
    ipv6 = rows.column("ipv6")
    return ipv6.null_count == len(ipv6) and _octets(rows.column("ipv4").combine_chunks()) is not None


def _octets(values: pa.Array) -> Octets | None:
    """Shape (rows, 4), zeros for null; None unless every text is a canonical dotted quad."""
    texts = pc.fill_null(values, "0.0.0.0")  # noqa: S104 - a filler, not a socket
    parts = pc.split_pattern(texts, ".")
    if not pc.all(pc.equal(pc.list_value_length(parts), 4)).as_py():
        return None
    try:
        octets = np.asarray(parts.flatten().cast(pa.uint8())).reshape(-1, 4)
    except pa.ArrowInvalid:
        return None
    # A sign, a space or a leading zero makes the text longer than its number needs.
    digits = 3 + (1 + (octets > 9) + (octets > 99)).sum(axis=1)  # noqa: PLR2004 - digits of a number
    return octets if np.array_equal(digits, np.asarray(pc.binary_length(texts))) else None


def _inet4(values: pa.Array) -> pa.Array:
    """Dotted quads, already known to be valid, as the 8 bytes of an inet."""
    octets = _octets(values)
    if octets is None:
        msg = "addresses are encoded only after their check"
        raise ValueError(msg)
    data = np.empty((len(values), 8), dtype=np.uint8)
    data[:, :4], data[:, 4:] = _INET4_HEAD, octets
    valid = None if values.null_count == 0 else pc.is_valid(values).buffers()[1]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), len(values), [valid, pa.py_buffer(data)])


def _parse6(text: str | None) -> bytes | None:
    try:
        return None if text is None else _INET6_HEAD + socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        return b""


def _valid6(values: pa.Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.bool_())
    # IPv6 text has no fixed shape that columns could be split by; the C parser takes 0.4 us a value.
    return pa.array([None if text is None else _parse6(text) != b"" for text in values.to_pylist()], pa.bool_())


def _inet6(values: pa.Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.binary(20))
    return pa.array([_parse6(text) for text in values.to_pylist()], pa.binary(20))
