"""What a node saw as the sealed batch that its agent sends. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import zstandard

from periplus_contract import batch
from periplus_contract.batch import FlowsMark, Header, Section
from periplus_contract.flow_words import ACCOUNTING_OFF, Verdict
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import FLOWS, PEERS, Kind, Table
from periplus_contract.version import CONTRACT
from periplus_hub.api.demo.traffic import MINUTE_S, SeenFlow
from periplus_hub.flows.model import HOUR_S
from periplus_hub.ingest.decode import arrow_schema

_TCP: Final = 6
_MAPPED: Final = 0xFFFF << 32
"""What an IPv4 address begins with as one of IPv6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What tells a batch from others, and when it is sealed."""

    sender: str
    node: str
    epoch: UUID
    seq: int
    oldest_held_seq: int
    now_us: int
    monotonic_us: int


def sealed(seal: Seal, flows: Sequence[SeenFlow], start_s: int, end_s: int) -> bytes:
    """A batch of the window from `start_s` to `end_s`, which has rows for each minute."""
    addresses = sorted({end for flow in flows for end in (flow.client, flow.server)})
    streams = [_stream(PEERS, _peers(addresses)), _stream(FLOWS, _rows(flows, addresses))]
    inflated = b"".join(data for _, data in streams)
    body = zstandard.ZstdCompressor().compress(inflated)
    unmeasured = sum(flow.connections for flow in flows if not flow.is_measured)
    header = Header(
        contract=str(CONTRACT),
        registration=seal.sender,
        epoch=str(seal.epoch),
        seq=seal.seq,
        kind=Kind.FLOWS,
        window_start_s=start_s,
        window_s=end_s - start_s,
        rows=sum(section.rows for section, _ in streams),
        sections=tuple(section for section, _ in streams),
        inflated_bytes=len(inflated),
        sha256=batch.body_sha256(body),
        sealed_at_us=seal.now_us,
        monotonic_us=seal.monotonic_us,
        oldest_held_seq=seal.oldest_held_seq,
        outcomes=(_collected(start_s, streams),),
        flows=FlowsMark(
            node=seal.node,
            observed=sum(flow.connections for flow in flows),
            unmeasured=unmeasured,
            conditions=(ACCOUNTING_OFF,) if unmeasured else (),
        ),
    )
    return batch.seal(header, body)


def _collected(start_s: int, streams: Iterable[tuple[Section, bytes]]) -> Outcome:
    rows = sum(section.rows for section, _ in streams)
    return Outcome(hour_start_s=start_s // HOUR_S * HOUR_S, kind=Kind.FLOWS, collected=rows)


def _peers(addresses: Sequence[str]) -> list[dict[str, Any]]:
    unknown = {"namespace": "", "kind": "", "workload": ""}
    return [{"address_high": 0, "address_low": _MAPPED | int(IPv4Address(each)), **unknown} for each in addresses]


def _rows(flows: Sequence[SeenFlow], addresses: Sequence[str]) -> list[dict[str, Any]]:
    number = {address: position for position, address in enumerate(addresses)}
    return [
        {
            "src": number[flow.client],
            "dst": number[flow.server],
            "window_start": flow.at_s,
            "window_s": MINUTE_S,
            "dst_port": flow.port,
            "protocol": _TCP,
            "verdict": int(Verdict.FORWARDED),
            "reporter": int(flow.reporter),
            "collector": int(flow.collector),
            **flow.measures,
            "sampling": 1,
            "policy": "",
            "drop_reason": "",
        }
        for flow in flows
    ]


def _stream(of: Table, rows: list[dict[str, Any]]) -> tuple[Section, bytes]:
    table = pa.Table.from_pylist(rows, schema=arrow_schema(of))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    return Section(table=of.name, rows=len(rows), inflated_bytes=len(data)), data
