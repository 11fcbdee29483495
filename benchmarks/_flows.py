"""Batches of flows as spokes seal them, and a hub that takes them: shared by the rows about flows.

A batch has 5,000 distinct edges of one minute between 1,443 addresses, as a big cluster tells them: the hard case,
because no two of its rows are of one edge. Bodies are made once for each minute; of a cluster's batch only the header
is its own.
"""

import array
import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from periplus_contract.batch import FlowsMark, Section
from periplus_contract.limits import MAX_MEASURE
from periplus_contract.tables import FLOWS, PEERS, Kind
from periplus_spoke.conversion.arrow import encode_sections
from periplus_spoke.conversion.records import SectionRows

from benchmarks.inventory import Member

ROWS: Final = 5_000
"""Of one batch."""
PEERS_OF_BATCH: Final = 1_443
_V4: Final = 0xFFFF << 32
_EDGES: Final = random.Random(0).sample(range(PEERS_OF_BATCH**2), 4 * ROWS)
"""Of an hour: an edge is there in one minute of four."""
_PORTS: Final = (80, 443, 5432, 6379, 8080, 9090)
_KNOWN: Final = ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "connections_opened", "connections_closed")


@dataclass(frozen=True)
class Body:
    """What a cluster tells of one minute, without the header."""

    body: bytes
    inflated_bytes: int
    sections: tuple[Section, ...]
    window_start_s: int

    def sealed_for(self, member: Member) -> bytes:
        """The next batch of this spoke."""
        header = {
            "rows": sum(part.rows for part in self.sections),
            "sections": self.sections,
            "inflated_bytes": self.inflated_bytes,
            "window_start_s": self.window_start_s,
            "window_s": 60,
            "flows": FlowsMark(),
        }
        return member.spoke.seal(Kind.FLOWS, (), body=self.body, **header)


def body(minute_s: int) -> Body:
    """Of the minute that begins then; the same for the same minute."""
    chance = random.Random(minute_s)
    peers = SectionRows(
        table=PEERS,
        columns={
            "address_high": array.array("q", [0] * PEERS_OF_BATCH),
            "address_low": array.array("q", [_V4 + 0x0A000001 + number for number in range(PEERS_OF_BATCH)]),
            **{name: [""] * PEERS_OF_BATCH for name in ("namespace", "kind", "workload")},
        },
        rows=PEERS_OF_BATCH,
    )
    pairs = sorted(chance.sample(_EDGES, ROWS))
    fixed = {"window_start": minute_s, "window_s": 60, "protocol": 6, "verdict": 1, "collector": 1, "sampling": 1}
    columns: dict[str, Any] = {
        "src": array.array("q", [pair // PEERS_OF_BATCH for pair in pairs]),
        "dst": array.array("q", [pair % PEERS_OF_BATCH for pair in pairs]),
        "dst_port": array.array("q", [_PORTS[pair % len(_PORTS)] for pair in pairs]),
        "reporter": array.array("q", [chance.choice((1, 2)) for _ in pairs]),
        **{name: array.array("q", [value] * ROWS) for name, value in fixed.items()},
        **{name: array.array("q", _counts(chance, name)) for name in _KNOWN},
        **{name: [""] * ROWS for name in ("policy", "drop_reason")},
    }
    made, inflated_bytes, sections = encode_sections([peers, SectionRows(table=FLOWS, columns=columns, rows=ROWS)])
    return Body(made, inflated_bytes, tuple(sections), minute_s)


def _counts(chance: random.Random, name: str) -> list[int]:
    """Few are large: what passes between two workloads is far from even."""
    scale = {"bytes": 2_000.0, "packets": 12.0, "connections": 1.5}[name.partition("_")[0]]
    return [min(int(scale * chance.paretovariate(1.2)), MAX_MEASURE) for _ in range(ROWS)]


async def loaded_rows(http: aiohttp.ClientSession, metrics_url: str) -> int:
    """How many rows have reached the flow store."""
    async with http.get(f"{metrics_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("periplus_flow_rows_loaded_total"))


async def wait_until_loaded(http: aiohttp.ClientSession, metrics_url: str, rows: int) -> None:
    """Until so many have."""
    loaded = 0
    while loaded < rows:
        loaded = await loaded_rows(http, metrics_url)
        await asyncio.sleep(0.05)


def work(members: Sequence[Member], bodies: Sequence[Body]) -> list[tuple[Member, bytes]]:
    """Every cluster's batches, minute by minute."""
    return [(member, each.sealed_for(member)) for each in bodies for member in members]


def percentile_ms(taken_s: Sequence[float], share: float) -> float:
    """Of the time that requests took."""
    return round(statistics.quantiles(taken_s, n=1_000)[int(share * 1_000) - 1] * 1_000, 1)


def now_minute_s() -> int:
    """The minute that is over."""
    return int(time.time()) // 60 * 60 - 60
