"""Flows as values, sent as batches and read as the hub reads them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from periplus_contract.batch import FlowsMark, Header
from periplus_contract.tables import Kind
from periplus_hub.ingest.decode import decode
from periplus_spoke.conversion.flow_sums import MEASURES, Flow, Peer, WindowSums
from periplus_spoke.conversion.records import Sealable, SectionRows
from periplus_spoke.outbox.model import Draft, Opened

from tests.support.golden import START_S, seal, unread

NOBODY = Peer(0, 0)
BYTES_TX = MEASURES.index("bytes_tx")


def flow(number: int, **changes: Any) -> Flow:
    """One of many."""
    src, dst = Peer(0, 0xFFFF0A000000 + number), Peer(0, 0xFFFF0A010000 + number % 7)
    return Flow(src=src, dst=dst, dst_port=443, protocol=6, collector=1, reporter=1)._replace(**changes)


def measures(bytes_tx: int | None, **others: int) -> tuple[int | None, ...]:
    """In order; what is not named is not known."""
    named = {"bytes_tx": bytes_tx, **others}
    return tuple(named.get(name) for name in MEASURES)


def window(rows: Sequence[tuple[Flow, tuple[int | None, ...]]], budget: int = 100_000) -> Sealable:
    """A window as a collector hands it in."""
    sums = WindowSums(budget)
    for each, measured in rows:
        sums.add(each, measured)
    mark = FlowsMark(node="node-1", observed=len(rows), other_rows=sums.other_rows, lost={"evicted": 2})
    sections = sums.sections(START_S, 60)
    return Sealable(kind=Kind.FLOWS, window_start_s=START_S, window_s=60, sections=sections, flows=mark)


def opened_draft(draft: Draft) -> Opened:
    """A held batch of it."""
    header = Header(
        contract="1.0",
        registration="r",
        epoch="e",
        seq=1,
        kind=draft.kind,
        window_start_s=draft.window_start_s,
        window_s=draft.window_s,
        rows=draft.rows,
        sections=draft.sections,
        inflated_bytes=draft.inflated_bytes,
        sha256="",
        sealed_at_us=0,
        monotonic_us=0,
        flows=draft.flows,
    )
    return Opened(header, memoryview(draft.body), b"")


def as_read(sections: Sequence[SectionRows], window_s: int = 60) -> list[dict[str, Any]]:
    """Rows with their ends, as the hub reads them; nothing may be set aside."""
    batch = decode(unread(seal(Kind.FLOWS, list(sections), FlowsMark(), window_s=window_s)))
    assert batch.rejected == ()
    peers = [Peer(**_peer(row)) for row in batch.tables["peers"].to_pylist()]
    rows = batch.tables["flows"].to_pylist()
    return [{**row, "src": peers[row["src"]], "dst": peers[row["dst"]]} for row in rows]


def _peer(row: dict[str, Any]) -> dict[str, Any]:
    texts = {name: row[name] or "" for name in ("namespace", "kind", "workload", "cluster", "host")}
    return {"high": row["address_high"], "low": row["address_low"], **texts}


def totals(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Of each measure, over all rows that know it."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update({name: row[name] for name in MEASURES if row[name]})
    return dict(sums)
