"""An agent of a node as a process that can be killed: `python -m tests.support.node_child URL FOLDER RUN`.

Each run joins, or stays who it was, tells three windows of flows, and ends once the hub has settled everything.
"""

import asyncio
import random
import sys
from array import array
from pathlib import Path
from typing import Final

from periplus_contract.column_types import INT64, UTF8
from periplus_contract.tables import Column, Kind, Table
from periplus_spoke.collectors.base import Sink
from periplus_spoke.collectors.group import CollectorGroup
from periplus_spoke.conversion.node_identity import NodeIdentity
from periplus_spoke.conversion.records import Sealable, SectionRows, Values
from periplus_spoke.delivery import Delivery
from periplus_spoke.kit.clock import SystemClock
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.progress import Goal, Progress
from periplus_spoke.transport.report import Report

TABLE: Final = Table("flows", (Column("id", UTF8, nullable=False), Column("bytes_tx", INT64)))
TOKEN: Final = "agents.of-prod-1"
HOUR_S: Final = 1_767_225_600
WINDOWS: Final = 3
ROWS: Final = 4


class Connections:
    """Rows that are unique over all runs; each window's are written down when its batch is durable."""

    name = "connections"
    kind = Kind.FLOWS

    def __init__(self, run: str, oracle: Path) -> None:
        self._run = run
        self._oracle = oracle
        self.settled = asyncio.Event()

    def request_snapshot(self) -> None:
        """Windows that are over are not told again."""

    async def run(self, sink: Sink) -> None:
        for window in range(WINDOWS):
            ids = [f"{self._run}-{window}-{row}" for row in range(ROWS)]
            columns: dict[str, Values] = {"id": list(ids), "bytes_tx": array("q", range(ROWS))}
            section = SectionRows(table=TABLE, columns=columns, rows=ROWS)
            start_s = HOUR_S + 60 * window
            await sink.emit(Sealable(kind=Kind.FLOWS, window_start_s=start_s, window_s=60, sections=(section,)))
            with self._oracle.open("a") as file:
                file.write("".join(f"{each}\n" for each in ids))
        self.settled.set()
        await asyncio.Event().wait()


async def main(url: str, folder: str, run: str) -> None:
    config, report = SpokeConfig(hub=url, state_dir=Path(folder) / "state"), Report()
    timer, rng, progress = SystemClock(), random.Random(7), Progress(Goal(ends=True))
    collectors = CollectorGroup([Connections(run, Path(folder) / "returned")])
    async with Delivery(config, timer, rng, report) as delivery, asyncio.TaskGroup() as group:
        collecting = group.create_task(collectors.run(delivery.sink))
        joined = await delivery.join(NodeIdentity(name="node-1"), TOKEN)
        context = await delivery.open(joined, collectors)
        sending = group.create_task(delivery.send(context, joined, quiet_s=0.2))
        await progress.follow(context, collectors, lambda: None)
        collecting.cancel()
        sending.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
