"""An agent of other collectors, without an API server, on the same outbox and transport: how a node's is made."""

import asyncio
import random
from array import array
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pyarrow as pa
import zstandard

from periplus_contract.batch import FlowsMark
from periplus_contract.column_types import INT64, TIMESTAMP
from periplus_contract.tables import Column, Kind, Table
from periplus_spoke.collectors.base import Collector, Sink
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.conversion.records import Sealable, SectionRows
from periplus_spoke.delivery import Delivery
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.progress import Goal, Progress
from periplus_spoke.transport.report import Report

from tests.support.collector_contract import PATIENCE_S, CollectorContract
from tests.support.fake_hub import FakeHub

CONNECTIONS = Table("flows", (Column("window_start", TIMESTAMP, nullable=False), Column("bytes_tx", INT64)))
HOUR_S = 1_767_225_600
WINDOW_S = 60
AGENTS_TOKEN = "agents.of-prod-1"


class ToyConnections:
    """Three windows of counters, as a node's conntrack would give them: nothing states them again."""

    name = "toy-connections"
    kind = Kind.FLOWS

    def __init__(self) -> None:
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        for window in range(3):
            start_s = HOUR_S + window * WINDOW_S
            columns = {"window_start": array("q", [start_s * 1_000_000] * 4), "bytes_tx": array("q", range(4))}
            section = SectionRows(table=CONNECTIONS, columns=columns, rows=4)
            mark = FlowsMark(observed=4)
            await sink.emit(
                Sealable(kind=Kind.FLOWS, window_start_s=start_s, window_s=WINDOW_S, sections=(section,), flows=mark)
            )
        self.settled.set()
        await asyncio.Event().wait()


class TestToyConnections(CollectorContract):
    def collecting(self, folder: Path) -> AbstractAsyncContextManager[Collector]:
        return self._new()

    @asynccontextmanager
    async def _new(self) -> AsyncIterator[Collector]:
        yield ToyConnections()


async def run_node(config: SpokeConfig, report: Report) -> None:
    """The whole composition: ends when the hub has settled everything."""
    timer, rng = SystemClock(), random.Random(7)
    collectors, progress = CollectorGroup([ToyConnections()]), Progress(Goal(ends=True))
    async with Delivery(config, timer, rng, report) as delivery, asyncio.TaskGroup() as group:
        collecting = group.create_task(collectors.run(delivery.sink))
        registration = await delivery.join(NodeIdentity(name="node-1"), AGENTS_TOKEN)
        context = await delivery.open(registration, collectors)
        sending = group.create_task(delivery.send(context, registration, quiet_s=0.2))
        await progress.follow(context, collectors, lambda: None)
        collecting.cancel()
        sending.cancel()


async def test_a_second_agent_is_composed_without_an_api_server(tmp_path: Path) -> None:
    report = Report()
    async with FakeHub() as hub, asyncio.timeout(PATIENCE_S):
        await run_node(SpokeConfig(hub=hub.url, state_dir=tmp_path / "state"), report)
    assert {header.kind for header in hub.ledger.values()} == {Kind.FLOWS}
    assert sorted(header.window_start_s - HOUR_S for header in hub.ledger.values()) == [0, 60, 120]
    for row, header in hub.ledger.items():
        body = zstandard.decompress(hub.bodies[row], max_output_size=header.inflated_bytes)
        assert pa.ipc.open_stream(body).read_all()["bytes_tx"].to_pylist() == [0, 1, 2, 3]
    assert hub.nodes == ["node-1"]
    assert (report.status.phase, report.status.registration) == ("settled", hub.registration)
    assert (hub.conflicts, hub.gaps) == (0, 0)
