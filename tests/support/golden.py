"""Recorded bytes of every released contract version: how they are made, once, and how they are read, for ever.

`python -m tests.support.golden` records what is missing for the current version with the spoke's own encoder. A file
that exists is never written again: it is what spokes out there send.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

import periplus_contract
from periplus_contract import batch as contract
from periplus_contract import covers, flow_words
from periplus_contract.batch import FlowsMark, Header, InventoryMark, Mark, PartMark
from periplus_contract.column_types import Layout
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import ALLOCATIONS, FLOWS, PEERS, POOLS, TABLES, Column, Kind, Table
from periplus_contract.version import CONTRACT
from periplus_hub.fleet.model import SpokePrincipal, State
from periplus_hub.ingest import header_checks
from periplus_hub.ingest.decode import decode
from periplus_hub.ingest.kinds import ORDERS
from periplus_hub.ingest.model import SealedBatch
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.records import Cell, SectionRows

from tests.support.clock import START

FOLDER = Path(periplus_contract.__file__).parent / "golden"
REGISTRATION = UUID("01950000-0000-7000-8000-0000000000aa")
EPOCH = "01950000-0000-7000-8000-000000000001"
START_S = int(START.timestamp())
START_US = START_S * 1_000_000
MARKS = {
    "inventory-snapshot": InventoryMark(mode="snapshot"),
    "inventory-part": InventoryMark(mode="snapshot", part=2, parts=3),
    "inventory-delta": InventoryMark(mode="delta", after_seq=6),
}


def cell(column: Column, number: int) -> Cell:
    """A value that tells its column, so that mixed-up columns show."""
    match column.type.layout:
        case Layout.TEXTS:
            return f"{column.name} {number} ö"
        case Layout.BITS:
            return number % 2 == 0
        case Layout.NUMBERS:
            return (START_US if column.type.bounds else 2**40) + number
        case Layout.LISTS:
            return [f"{column.name}={each}" for each in range(number)]


def section(table: Table) -> SectionRows:
    """Three rows with every column filled, and one with only what must be."""
    columns: dict[str, list[Cell]] = {}
    for column in table.columns:
        empty: Cell = None if column.nullable else cell(column, 9)
        columns[column.name] = [*(cell(column, number) for number in range(3)), empty]
    if "op" in columns:
        columns["op"] = ["upsert", "upsert", "upsert", "delete"]
    for name, values in {"ipv4": ("10.0.0.", 4), "ipv6": ("fd00::", 4)}.items():
        if name in columns:
            columns[name] = [*(f"{values[0]}{number}" for number in range(3)), None]
    return SectionRows(table=table, columns=columns, rows=4)


def none_of(table: Table) -> SectionRows:
    """A section without rows."""
    return SectionRows(table=table, columns={}, rows=0)


def seal(
    kind: Kind,
    given: list[SectionRows],
    mark: Mark | None = None,
    *,
    stated: tuple[str, ...] = (),
    window_s: int = 0,
) -> bytes:
    """A whole batch by the spoke's encoder."""
    body, inflated, sections = encode_sections(given)
    header = Header(
        contract=str(CONTRACT),
        registration=str(REGISTRATION),
        epoch=EPOCH,
        seq=7,
        kind=kind,
        window_start_s=START_S,
        window_s=window_s,
        rows=sum(part.rows for part in sections),
        sections=sections,
        inflated_bytes=inflated,
        sha256=hashlib.sha256(body).hexdigest(),
        sealed_at_us=START_US,
        monotonic_us=5_000_000,
        oldest_held_seq=3,
        outcomes=(
            Outcome(hour_start_s=START_US // 1_000_000, kind=kind, collected=9, folded=2, dropped={"outbox_full": 1}),
        ),
        covers=stated,
        **contract.kind_fields(kind, mark),
    )
    return contract.seal(header, body)


def current() -> Iterator[tuple[str, bytes]]:
    """Every kind and mode of the current version."""
    for name, mark in MARKS.items():
        stated = ("pods", "workloads/Deployment") if mark.mode == "snapshot" else ()
        yield name, seal(Kind.INVENTORY, [section(table) for table in TABLES[Kind.INVENTORY]], mark, stated=stated)
    pools, allocations = section(POOLS), section(ALLOCATIONS)
    every = (*covers.EVERY_POOL, *covers.EVERY_ALLOCATION)
    yield "ipam", seal(Kind.IPAM, [pools, allocations], stated=("pools/node", "allocations/pod/derived"))
    yield "ipam-pools-only", seal(Kind.IPAM, [pools], stated=covers.EVERY_POOL)
    yield "ipam-none-left", seal(Kind.IPAM, [none_of(POOLS), none_of(ALLOCATIONS)], stated=every)
    yield "ipam-part", seal(Kind.IPAM, [allocations], PartMark(part=2, parts=3), stated=every)
    known = FlowsMark(
        node="node-1",
        observed=9,
        unmeasured=1,
        other_rows=3,
        other_hosts=4,
        lost={flow_words.LOST_EVICTED: 2, flow_words.LOST_OVERRUN: 1},
        conditions=(flow_words.ACCOUNTING_OFF,),
    )
    yield "flows", seal(Kind.FLOWS, [peers(), flows()], known, window_s=60)
    yield "flows-none", seal(Kind.FLOWS, [none_of(PEERS), none_of(FLOWS)], FlowsMark(node="node-1"), window_s=60)


def peers() -> SectionRows:
    """An end of each sort: a workload, an IPv4 and an IPv6 address, the rest, and a workload of another cluster."""
    texts = ("10.244.1.7", "192.0.2.9", "2001:db8::ffff:ffff:ffff:ffff", "::", "203.0.113.7")
    halves = [_halves(text) for text in texts]
    columns: dict[str, list[Cell]] = {
        "address_high": [high for high, _ in halves],
        "address_low": [low for _, low in halves],
        "namespace": ["shop", "", "", "", "shop"],
        "kind": ["Deployment", "", "", flow_words.OTHER, flow_words.WORKLOAD],
        "workload": ["cart ö", "", "", "", "pay"],
        "cluster": [None, None, "cilium=west", None, "istio=west-1"],
        "host": [None, "_dns.example.com", None, None, "pay.shop.svc.clusterset.local"],
    }
    return SectionRows(table=PEERS, columns=columns, rows=5)


def flows() -> SectionRows:
    """A row with every measure, one that knows only of connections, the rest, and one to another cluster."""
    collectors = flow_words.FlowCollector
    columns: dict[str, list[Cell]] = {
        "src": [0, 1, 3, 0],
        "dst": [1, 2, 3, 4],
        "window_start": [START_S, START_S + 15, START_S, START_S],
        "window_s": [60, 15, 60, 60],
        "dst_port": [443, 53, 0, 0],
        "protocol": [6, 17, 6, 6],
        "verdict": [flow_words.Verdict(each) for each in (1, 0, 2, 1)],
        "reporter": [flow_words.Reporter(each) for each in (1, 2, 3, 1)],
        "collector": [collectors.CONNTRACK, collectors.HUBBLE, collectors.CONNTRACK, collectors.ISTIO],
        "sampling": [1, 1, 50, 1],
        "policy": ["", "", "deny-all", ""],
        "drop_reason": ["", "", "policy denied", ""],
        "connections_opened": [2, 1, 40, 3],
    }
    for number, column in enumerate(column for column in FLOWS.columns if column.nullable):
        columns.setdefault(column.name, [2**40 + number, None, number, 7])
    return SectionRows(table=FLOWS, columns=columns, rows=4)


def _halves(text: str) -> tuple[int, int]:
    address = ip_address(text)
    number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    return struct.unpack("!qq", number.to_bytes(16))


def unread(sealed: bytes) -> SealedBatch:
    """A batch whose header the hub has checked."""
    header, body = contract.unseal(sealed)
    principal = SpokePrincipal(tenant_id=REGISTRATION, registration_id=REGISTRATION, name="golden", state=State.ACTIVE)
    epoch = header_checks.check(header, principal)
    ORDERS[header.kind].check(header)
    return SealedBatch(
        principal=principal,
        header=header,
        epoch=epoch,
        body=body,
        sha256=contract.identity_sha256(sealed),
        sealed_bytes=len(sealed),
        received_at=START,
    )


def read(sealed: bytes) -> dict[str, Any]:
    """What the hub makes of a batch, as JSON can hold it."""
    given = unread(sealed)
    header, decoded = given.header, decode(given)
    rows = {
        name: json.loads(json.dumps(table.to_pylist(), default=lambda value: value.isoformat()))
        for name, table in decoded.tables.items()
    }
    return {"header": json.loads(header_json(header)), "rows": rows, "rejected": decoded.rejected_rows}


def header_json(header: Header) -> bytes:
    """The header as it is written, without what the body's bytes decide."""
    return msgspec.json.encode(msgspec.structs.replace(header, sha256="", inflated_bytes=0, sections=()))


def record() -> None:
    """Write what is not there yet."""
    folder = FOLDER / str(CONTRACT)
    folder.mkdir(parents=True, exist_ok=True)
    for name, sealed in current():
        path = folder / f"{name}.batch"
        if not path.exists():
            path.write_bytes(sealed)
            path.with_suffix(".json").write_text(json.dumps(read(sealed), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    record()
