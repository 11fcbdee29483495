"""PostgreSQL goes back, and the flow store has blocks that it does not know: what comes again is there once."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from periplus_hub.access.scope import Scope
from periplus_hub.flows.service_sweep import AGAIN_S, Sweep
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds

AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ROWS = "SELECT sum(bytes_tx) AS tx, count() AS n, uniqExact(block) AS blocks FROM flows"
EDGES = "SELECT sum(bytes_tx) AS tx FROM edges_hourly"
MEMORY = ("flow_blocks", "flow_hours", "flow_coverage", "batches", *(f"flow_inbox_{number}" for number in range(4)))


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def forget(hub: FlowHub, scope: Scope, *tables: str) -> None:
    """As a backup does not have it."""
    async with hub.db.write(scope) as c:
        for table in tables:
            await c.execute(text(f"DELETE FROM {table}"))


def batch(spoke: Spoke, tx: int, *at: int) -> bytes:
    return seal_flows(spoke, [Flow(WEB, API, each, BOTH, measures=bytes_of(tx)) for each in at or (AT,)])


@pytest.mark.promise("restored-flows-count-once")
async def test_what_comes_again_after_a_restore_counts_once_and_what_does_not_stays(
    hub: FlowHub, tenant: Scope
) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    settled, held = batch(spoke, 100), batch(spoke, 7)
    for each in (settled, held):
        await member.send(each)
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 107, "n": 2, "blocks": 1}]
    await forget(hub, tenant, *MEMORY)
    assert (await member.send(held)).result == "accepted"
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 107, "n": 2, "blocks": 2}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 107}], "what no spoke has any more is not lost"
    await member.send(settled)
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 107, "n": 2, "blocks": 2}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 107}]


async def test_hours_of_rows_that_only_the_store_knows_have_edges_of_all_of_them(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(batch(spoke, 100))
    await hub.settle()
    await member.send(batch(spoke, 7, AT - 7_200))
    await hub.load()  # and the flow store is backed up before edges are made, PostgreSQL before the batch
    await forget(hub, tenant, "flow_blocks", *MEMORY[2:])
    async with hub.db.write(tenant) as c:
        await c.execute(text("DELETE FROM flow_hours WHERE rolled_at IS NULL"))
    await hub.settle()
    assert await hub.rows(tenant, EDGES) == [{"tx": 107}]


async def test_what_the_inbox_still_has_is_loaded_again_and_counts_once(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    await member.send(batch(Spoke(member.registration), 5))
    await hub.settle()
    await forget(hub, tenant, "flow_blocks")
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 5, "n": 1, "blocks": 1}]
    assert await hub.rows(tenant, EDGES) == [{"tx": 5}]


async def test_of_a_batch_of_two_days_only_the_day_that_is_there_again_goes(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clock.advance(2 * 86_400)
    member = await hub.door.member(tenant)
    midnight = AT + 86_400
    await member.send(batch(Spoke(member.registration), 5, midnight - 60, midnight))
    await hub.settle()
    async with hub.db.write(tenant) as c:
        await c.execute(text("DELETE FROM flow_blocks WHERE first_window >= :midnight"), {"midnight": midnight})
        for number in range(4):
            await c.execute(text(f"DELETE FROM flow_inbox_{number}"))
    await hub.settle()
    assert await hub.rows(tenant, ROWS) == [{"tx": 10, "n": 2, "blocks": 2}], "they are the only ones"


async def test_unknown_blocks_are_looked_for_once_and_what_waits_for_its_like_now_and_then(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    member = await hub.door.member(tenant)
    await member.send(held := batch(Spoke(member.registration), 5))
    await hub.settle()
    await forget(hub, tenant, *MEMORY)
    sweep = Sweep(hub.db, hub.store)
    await sweep.run(tenant, AT)
    await member.send(held)
    await hub.load()
    await sweep.run(tenant, AT)
    clock.advance(AGAIN_S - 1)
    await sweep.run(tenant, AT)
    assert await hub.rows(tenant, ROWS) == [{"tx": 10, "n": 2, "blocks": 2}]
    clock.advance(1)
    await sweep.run(tenant, AT)
    assert await hub.rows(tenant, ROWS) == [{"tx": 5, "n": 1, "blocks": 1}]
