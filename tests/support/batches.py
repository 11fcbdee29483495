"""Sealed batches for tests and benchmarks, made with pyarrow instead of the spoke's encoder."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import zstandard

from periplus_contract import batch as contract
from periplus_contract import covers, tables
from periplus_contract.batch import Header, InventoryMark, Section
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.ingest.decode import arrow_schema

from tests.support.clock import START
from tests.support.collecting import EVERYTHING

Rows = Sequence[Mapping[str, Any]]

EPOCH = UUID("01950000-0000-7000-8000-000000000001")
COVERS: dict[Kind, tuple[str, ...]] = {**dict.fromkeys(Kind, ()), Kind.INVENTORY: tuple(sorted(EVERYTHING))}
"""What a batch states when a test does not say: everything a snapshot can."""
SNAPSHOT = InventoryMark(mode="snapshot")


def stream(table: pa.Table) -> bytes:
    """One Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def section(kind: Kind, name: str, rows: Rows) -> tuple[Section, bytes]:
    """Rows as the contract's table `name`."""
    contract_table = tables.table(kind, name)
    assert contract_table is not None, name
    data = stream(pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(contract_table)))
    return Section(table=name, rows=len(rows), inflated_bytes=len(data)), data


@dataclass
class Spoke:
    """Numbers and seals batches as a spoke does; `rewrite` lets a test lie in the header."""

    registration: UUID | str
    epoch: UUID = EPOCH
    seq: int = 0
    last_inventory: int = 0
    at: datetime = START
    oldest_held: int = 1
    outcomes: tuple[Outcome, ...] = field(default=())

    def seal(self, kind: Kind, parts: Sequence[tuple[Section, bytes]], /, **rewrite: Any) -> bytes:
        """The next batch."""
        self.seq += 1
        raw = b"".join(data for _, data in parts)
        body = rewrite.pop("body", None) or zstandard.ZstdCompressor(level=3).compress(raw)
        header = Header(
            contract="1.0",
            registration=str(self.registration),
            epoch=str(self.epoch),
            seq=self.seq,
            kind=kind,
            window_start_s=int(self.at.timestamp()),
            rows=sum(part.rows for part, _ in parts),
            sections=tuple(part for part, _ in parts),
            inflated_bytes=len(raw),
            sha256=hashlib.sha256(body).hexdigest(),
            sealed_at_us=int(self.at.timestamp() * 1_000_000),
            monotonic_us=self.seq * 1_000_000,
            oldest_held_seq=self.oldest_held,
            outcomes=self.outcomes,
            covers=COVERS[kind],
        )
        self.outcomes = ()
        return contract.seal(msgspec.structs.replace(header, **rewrite), body)

    def snapshot(self, content: Mapping[str, Rows], *, part: int = 1, parts: int = 1, **rewrite: Any) -> bytes:
        """A snapshot, or one part of it."""
        mark = InventoryMark(mode="snapshot", part=part, parts=parts)
        return self._inventory(content, mark, rewrite)

    def delta(self, content: Mapping[str, Rows], **rewrite: Any) -> bytes:
        """A delta on the last inventory batch."""
        return self._inventory(content, InventoryMark(mode="delta", after_seq=self.last_inventory), rewrite)

    def inventory_snapshot(self, parts: Sequence[tuple[Section, bytes]]) -> bytes:
        """A snapshot of sections made elsewhere, so that many spokes can share them."""
        return self._chained(parts, InventoryMark(mode="snapshot"), {})

    def inventory_delta(self, parts: Sequence[tuple[Section, bytes]]) -> bytes:
        """A delta of sections made elsewhere."""
        return self._chained(parts, InventoryMark(mode="delta", after_seq=self.last_inventory), {})

    def _inventory(self, content: Mapping[str, Rows], mark: InventoryMark, rewrite: Mapping[str, Any]) -> bytes:
        return self._chained([section(Kind.INVENTORY, name, rows) for name, rows in content.items()], mark, rewrite)

    def _chained(
        self, parts: Sequence[tuple[Section, bytes]], mark: InventoryMark, rewrite: Mapping[str, Any]
    ) -> bytes:
        sealed = self.seal(Kind.INVENTORY, parts, **{"inventory": mark, **rewrite})
        self.last_inventory = self.seq
        return sealed

    def ipam(self, content: Mapping[str, Rows], **rewrite: Any) -> bytes:
        """Pools, and allocations when given: all there are."""
        given = {"pools": covers.EVERY_POOL, "allocations": covers.EVERY_ALLOCATION}
        stated = tuple(each for name in content for each in given[name])
        sections = [section(Kind.IPAM, name, rows) for name, rows in content.items()]
        return self.seal(Kind.IPAM, sections, **{"covers": stated, **rewrite})

    def new_epoch(self, epoch: UUID) -> "Spoke":
        """The same spoke after it lost its outbox."""
        return replace(self, epoch=epoch, seq=0, last_inventory=0, oldest_held=1)


def upsert(uid: str, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """One changed object."""
    return {"op": "upsert", "uid": uid, "observed_at": at, **columns}


def gone(uid: str, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """One deleted object."""
    return {"op": "delete", "uid": uid, "observed_at": at, **columns}


def pod(uid: str, ip: str | None = None, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """A running pod."""
    base = {"namespace": "shop", "name": f"pod-{uid}", "node": "node-1", "phase": "Running", "host_network": False}
    return upsert(uid, at, **{**base, "ipv4": ip, "labels": ["app=shop"], **columns})


def node(uid: str, *addresses: str, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """A node with `Type=value` addresses."""
    base = {"name": f"node-{uid}", "zone": "zone-a", "ready": True, "labels": []}
    return upsert(uid, at, **{**base, "addresses": list(addresses), **columns})


def service(uid: str, *cluster_ips: str, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """A ClusterIP service."""
    base = {"namespace": "shop", "name": f"service-{uid}", "type": "ClusterIP", "ports": ["http|TCP|80|8080||"]}
    return upsert(uid, at, **{**base, "cluster_ips": list(cluster_ips), **columns})
