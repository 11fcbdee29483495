"""PostgreSQL is put back to a cold copy of itself while the flow store goes on: in the end everything is there once."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from periplus_contract.batch import FlowsMark
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.access.service_tenants import ensure_default_tenant
from periplus_hub.flows.jobs import RollUpJob
from periplus_hub.flows.service_sweep import AGAIN_S
from periplus_hub.flows.tables import coverage
from periplus_hub.ingest.tables import batches, outcomes
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.replica import Node, alone
from tests.support.spokes_door import Member

AT = seconds(START)
HOUR = 3_600
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
RAW = "SELECT seq, count() AS n, sum(bytes_tx) AS tx FROM flows GROUP BY seq ORDER BY seq"
EDGES = "SELECT toUnixTimestamp(hour) AS hour, sum(bytes_tx) AS tx FROM edges_hourly GROUP BY hour ORDER BY hour"

pytestmark = pytest.mark.promise("restored-flows-count-once")


@asynccontextmanager
async def stopped(node: Node, db: Database) -> AsyncIterator[None]:
    """Its server, for as long as somebody works on its files."""
    await node.stop()
    yield
    await node.start()
    await db.dispose()


async def copy(node: Node, db: Database, to: Path) -> None:
    async with stopped(node, db):
        await asyncio.to_thread(subprocess.run, ["cp", "-a", str(node.files), str(to)], check=True)


async def put_back(node: Node, db: Database, copied: Path) -> None:
    async with stopped(node, db):
        await asyncio.to_thread(shutil.rmtree, node.files)
        await asyncio.to_thread(copied.rename, node.files)


class Fleet:
    """One spoke, which keeps what it told, and one hub."""

    def __init__(self, hub: FlowHub, scope: Scope, member: Member) -> None:
        self.hub, self.scope, self.member = hub, scope, member
        self.spoke = Spoke(member.registration)
        self.job = RollUpJob(hub.db, hub.store, hub.config)

    def another_hub(self, hub: FlowHub) -> None:
        """A process that knows nothing of the one before."""
        self.hub, self.member.door = hub, hub.door
        self.job = RollUpJob(hub.db, hub.store, hub.config)

    async def tell(self, tx: int, *at: int) -> bytes:
        booked = len(at) + len((WEB, API))
        self.spoke.outcomes = (Outcome(hour_start_s=at[0] // HOUR * HOUR, kind=Kind.FLOWS, collected=booked),)
        rows = [Flow(WEB, API, each, BOTH, measures=bytes_of(tx)) for each in at]
        sealed = seal_flows(self.spoke, rows, flows=FlowsMark(observed=10))
        assert (await self.member.send(sealed)).result == "accepted"
        return sealed

    async def roll_up(self) -> None:
        await self.job.run(self.hub.db.clock.now())

    async def totals(self) -> dict[str, Any]:
        """What answers are made of."""
        store = {name: await self.hub.rows(self.scope, asked) for name, asked in (("raw", RAW), ("edges", EDGES))}
        of_hours = select(coverage.c.hour, coverage.c.rows, coverage.c.observed, coverage.c.minutes)
        booked = select(outcomes.c.hour_start, outcomes.c.collected, outcomes.c.settled, outcomes.c.rejected)
        asked = {
            "coverage": of_hours.order_by(coverage.c.hour),
            "booked": booked.where(outcomes.c.kind == Kind.FLOWS.value).order_by(outcomes.c.hour_start),
            "ledger": select(batches.c.seq).order_by(batches.c.seq),
        }
        async with self.hub.db.read(self.scope) as c:
            return store | {name: [tuple(row) for row in await c.rows(each)] for name, each in asked.items()}


@pytest.mark.parametrize("hub_stays", [True, False], ids=["the-hub-stays", "another-hub"])
async def test_after_a_restore_of_a_cold_copy_all_totals_are_those_of_before(
    open_folder: Path, tmp_path: Path, *, hub_stays: bool
) -> None:
    clock = FakeClock()
    clock.advance(2 * HOUR)
    place = open_folder / f"restore-{hub_stays}"
    async with alone(place) as node, AsyncExitStack() as hubs:
        db = Database(node.url(), clock)
        hubs.push_async_callback(db.dispose)
        scope = system_scope(await ensure_default_tenant(db), "test:restore")
        hub = await hubs.enter_async_context(flow_hub(db, tmp_path / "flows"))
        fleet = Fleet(hub, scope, await hub.door.member(scope))
        await fleet.tell(1, AT)
        await hub.load()
        await fleet.roll_up()
        waiting = await fleet.tell(20, AT + 60, AT + HOUR)
        await copy(node, db, place / "copy")

        since = [waiting, await fleet.tell(300, AT, AT + 60), await fleet.tell(4_000, AT + HOUR)]
        await hub.load()
        since.append(await fleet.tell(50_000, AT + 120))
        await hub.load()
        await fleet.roll_up()
        before = await fleet.totals()
        assert [each["tx"] for each in before["edges"]] == [1 + 20 + 2 * 300 + 50_000, 20 + 4_000]

        await put_back(node, db, place / "copy")
        if not hub_stays:
            await hubs.pop_all().aclose()
            db = Database(node.url(), clock)
            hubs.push_async_callback(db.dispose)
            hub = await hubs.enter_async_context(flow_hub(db, tmp_path / "flows"))
            fleet.another_hub(hub)
            async with db.write(NO_TENANT) as c:
                await c.execute(text("UPDATE flow_loaders SET lease_until = now() - interval '1 second'"))
        await fleet.roll_up()
        assert [(await fleet.member.send(each)).result for each in since] == ["duplicate", *["accepted"] * 3]
        await hub.load()
        assert (await fleet.totals())["raw"] != before["raw"], "the store had them already"
        clock.advance(AGAIN_S)
        await fleet.roll_up()
        assert await fleet.totals() == before
