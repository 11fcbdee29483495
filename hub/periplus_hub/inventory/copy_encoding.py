"""From validated columns to the bytes of PostgreSQL's binary COPY, in a worker thread; no row becomes an object.

`uuid` and `inet` travel as raw bytes: binary COPY does not care what the sender called a value, only what its bytes
are, and those of a uuid are its 16 bytes and those of an inet are family, prefix, is-cidr, length and the address.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Table

from periplus_contract.rejections import Reason
from periplus_hub.ingest.columns import all_upserts
from periplus_hub.ingest.model import DecodedBatch, Rejected
from periplus_hub.inventory import tables
from periplus_hub.kit import binary_copy

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
    "flow_sources": tables.flow_sources,
    "meanings": tables.meanings,
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
    """One section, ready for the database: `copy` holds `rows` whole rows in the order of `columns`.

    Between header and trailer there may be those of several clusters.
    """

    columns: tuple[str, ...]
    rows: int
    live: int
    """Of the rows, those whose time is not over."""
    copy: bytes
    gone: Gone
    uids: list[str]
    """Of upserted objects whose addresses may change; empty for others, which nobody asks."""


def prepare(batch: DecodedBatch) -> tuple[dict[str, PreparedTable], tuple[Rejected, ...]]:
    """Every section encoded, and the rows whose addresses are none."""
    prepared: dict[str, PreparedTable] = {}
    rejected: list[Rejected] = []
    owner = {"tenant_id": batch.principal.tenant_id, "registration_id": batch.principal.registration_id}
    for name, rows in batch.tables.items():
        gone, left = _split(name, rows)
        upserts = _one_batch(left)
        addresses: dict[str, pa.Array] = {}
        if name == "pods":
            upserts, addresses, aside = _with_addresses(upserts)
            rejected += aside
        prepared[name] = _prepare_table(name, upserts, gone, owner, addresses)
    return prepared, tuple(rejected)


def _prepare_table(
    name: str, upserts: pa.RecordBatch, gone: Gone, owner: Mapping[str, UUID], addresses: dict[str, pa.Array]
) -> PreparedTable:
    columns, rows = _COLUMNS[name], upserts.num_rows
    copy = b""
    if rows:
        given = {name: _constant(value, rows) for name, value in owner.items()} | addresses
        arrays = [given[column] if column in given else _value(upserts, column) for column in columns]
        copy = binary_copy.encoded(pa.record_batch(arrays, names=columns))
    uids = upserts.column("uid").to_pylist() if name in CHANGING else []
    live = upserts.column("ended_at").null_count if name == "pods" else rows
    return PreparedTable(columns=columns, rows=rows, live=live, copy=copy, gone=gone, uids=uids)


_COLUMNS: Final = {name: tuple(column.name for column in table.columns) for name, table in CURRENT.items()}


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    """The rows in one piece, as a spoke sends them anyway."""
    whole = rows.combine_chunks().to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], schema=rows.schema)


def _split(name: str, rows: pa.Table) -> tuple[Gone, pa.Table]:
    if all_upserts(rows.column("op")):
        return Gone(uids=[], at=[]), rows
    upsert = pc.equal(rows.column("op"), "upsert")
    deletes = rows.filter(pc.invert(upsert))
    at = deletes.column("observed_at")
    if name == "pods":
        at = pc.coalesce(deletes.column("ended_at"), at)
    return Gone(uids=deletes.column("uid").to_pylist(), at=at.to_pylist()), rows.filter(upsert)


def _valid_from(rows: pa.RecordBatch) -> pa.Array:
    seen = rows.column("observed_at")
    return pc.coalesce(rows.column("started_at"), seen) if "started_at" in rows.schema.names else seen


def _valid_to(rows: pa.RecordBatch) -> pa.Array:
    seen = rows.column("observed_at")
    return rows.column("ended_at") if "ended_at" in rows.schema.names else pa.nulls(len(seen), seen.type)


_DERIVED: Final[dict[str, Callable[[pa.RecordBatch], pa.Array]]] = {
    "valid_from": _valid_from,
    "valid_to": _valid_to,
    "seen_at": lambda rows: rows.column("observed_at"),
}


def _value(rows: pa.RecordBatch, column: str) -> pa.Array:
    values = _DERIVED[column](rows) if column in _DERIVED else rows.column(column)
    if column == "host_network" and values.null_count:
        return pc.fill_null(values, fill_value=False)
    if values.null_count and pa.types.is_list(values.type):
        return pc.coalesce(values, _NO_TEXTS)
    return values


def _constant(value: UUID, rows: int) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(value.bytes * rows)])


def _with_addresses(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, pa.Array], list[Rejected]]:
    """The rows whose addresses are addresses, those addresses as PostgreSQL takes them, and what was set aside."""
    if not rows.num_rows:
        return rows, {}, []
    ipv4, ipv6 = rows.column("ipv4"), rows.column("ipv6")
    # The usual case, a tenth of a regular expression's price: every IPv4 is canonical and there is no IPv6.
    plain = _inet4(ipv4) if ipv6.null_count == len(ipv6) else None
    if plain is not None:
        return rows, {"ipv4": plain, "ipv6": pa.nulls(len(ipv6), pa.binary(20))}, []
    good4 = pc.fill_null(pc.match_substring_regex(ipv4, IPV4_TEXT), fill_value=True)
    good = pc.and_(good4, pc.fill_null(_valid6(ipv6), fill_value=True))
    bad = rows.filter(pc.invert(good))
    if bad.num_rows:
        sample = str(bad.slice(0, 3).select(["uid", "ipv4", "ipv6"]).to_pylist())[:1024]
        aside = [Rejected(table="pods", reason=Reason.BAD_ADDRESS, rows=bad.num_rows, sample=sample)]
        rows = rows.filter(good)
    else:
        aside = []
    if not rows.num_rows:
        return rows, {}, aside
    encoded = _inet4(rows.column("ipv4"))
    if encoded is None:
        msg = "an address that a regular expression calls canonical is not"
        raise ValueError(msg)
    return rows, {"ipv4": encoded, "ipv6": _inet6(rows.column("ipv6"))}, aside


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


def _inet4(values: pa.Array) -> pa.Array | None:
    """Dotted quads as the 8 bytes of an inet; None unless every text is a canonical one."""
    octets = _octets(values)
    if octets is None:
        return None
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
    # IPv6 text has no fixed shape that columns could be split by; the C parser takes 0.4 us a value.
    return pa.array([None if text is None else _parse6(text) != b"" for text in values.to_pylist()], pa.bool_())


def _inet6(values: pa.Array) -> pa.Array:
    return pa.array([_parse6(text) for text in values.to_pylist()], pa.binary(20))
