"""From a spoke's batch to edges: what was accepted is in the flow store once, whatever happened in between."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select, text

from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Scope
from periplus_hub.flows.tables import coverage
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.kit.db import Database, WriteConnection
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.batches import EPOCH, Spoke, node, pod
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds

AT = seconds(START)
ALL = "SELECT sum(bytes_tx) AS tx, sum(bytes_rx) AS rx, count() AS n, uniqExact(block) AS blocks FROM flows"
EDGES = """SELECT src_registration, src_workload, src_rule, dst_registration, dst_kind, dst_workload, dst_rule,
  dst_port, bytes_tx, bytes_rx, client_bytes, server_bytes, reporters FROM edges_hourly ORDER BY ALL"""
WEB = Peer(workload="shop/Deployment/web")


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def test_accepted_rows_are_in_the_store_once_and_as_they_were_told(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    api = Peer("10.1.2.3")
    batches = [
        seal_flows(spoke, [Flow(WEB, api, AT + 60 * number, measures=bytes_of(100 + number, 7))]) for number in range(5)
    ]
    for batch in [*batches, batches[2], batches[0]]:
        await member.send(batch)
    await hub.load()
    await hub.load()
    assert await hub.rows(tenant, ALL) == [{"tx": 510, "rx": 35, "n": 5, "blocks": 1}]
    [row] = await hub.rows(tenant, "SELECT * FROM flows ORDER BY window_start LIMIT 1")
    assert (row["registration"], row["epoch"], row["seq"]) == (member.registration, EPOCH, 1)
    assert (row["src_namespace"], row["src_kind"], row["src_workload"]) == ("shop", "Deployment", "web")
    assert (row["dst_address"], row["dst_kind"]) == (bytes(10) + b"\xff\xff\x0a\x01\x02\x03", "")
    assert (row["packets_tx"], row["unmeasured"]) == (0, 0b1111_1111_1100)


async def test_windows_of_two_days_are_two_blocks(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    clock.advance(86_400)
    member = await hub.door.member(tenant)
    midnight = AT + 86_400
    flows = [Flow(WEB, Peer("10.1.2.3"), at, measures=bytes_of(1)) for at in (midnight - 60, midnight)]
    await member.send(seal_flows(Spoke(member.registration), flows))
    await hub.load()
    assert await hub.rows(tenant, ALL) == [{"tx": 2, "rx": 0, "n": 2, "blocks": 2}]


async def test_an_edge_across_clusters_has_the_names_of_both_ends_and_each_byte_once(
    hub: FlowHub, tenant: Scope
) -> None:
    east, west = await hub.door.member(tenant, "east"), await hub.door.member(tenant, "west")
    east_spoke, west_spoke = Spoke(east.registration), Spoke(west.registration)
    await east.send(east_spoke.snapshot({"pods": [pod("a", "10.1.0.1", **_of("web"))]}))
    nodes = [node("n", "InternalIP=192.168.0.1")]
    await west.send(west_spoke.snapshot({"pods": [pod("b", "10.2.0.1", **_of("api"))], "nodes": nodes}))
    await hub.same_domain(tenant, east.registration, west.registration)
    told = [Flow(WEB, Peer("10.2.0.1"), AT, measures=bytes_of(100, 40))]
    seen = [
        Flow(Peer("10.1.0.1"), Peer(workload="shop/Deployment/api"), AT, SERVER, measures=bytes_of(90, 40)),
        Flow(Peer("10.1.0.1"), Peer(workload="shop/Deployment/api"), AT + 60, SERVER, measures=bytes_of(5, 1)),
    ]
    await east.send(seal_flows(east_spoke, told))
    await west.send(seal_flows(west_spoke, seen))
    await hub.settle()
    [edge] = await hub.rows(tenant, EDGES)
    assert edge == {
        "src_registration": east.registration,
        "src_workload": "web",
        "src_rule": "told",
        "dst_registration": west.registration,
        "dst_kind": "Deployment",
        "dst_workload": "api",
        "dst_rule": "domain-pod",
        "dst_port": 443,
        "bytes_tx": 100,
        "bytes_rx": 41,
        "client_bytes": 140,
        "server_bytes": 136,
        "reporters": 3,
    }


def _of(workload: str) -> dict[str, str]:
    return {"workload_kind": "Deployment", "workload_name": workload}


async def test_rows_that_a_spoke_merged_are_taken_as_they_are(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    api = Peer(workload="shop/Deployment/api")
    flows = [Flow(WEB, api, AT + 60 * number, BOTH, measures=bytes_of(10, 1)) for number in range(3)]
    await member.send(seal_flows(Spoke(member.registration), flows))
    await hub.settle()
    [edge] = await hub.rows(tenant, EDGES)
    assert (edge["bytes_tx"], edge["bytes_rx"], edge["reporters"]) == (30, 3, 4)
    assert edge["src_registration"] == edge["dst_registration"] == member.registration


async def test_the_ring_forgets_only_what_the_store_was_counted_to_have(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(seal_flows(spoke, [Flow(WEB, Peer("10.1.2.3"), AT, measures=bytes_of(1))]))
    assert [await hub.turn() for _ in range(3)] == [True, True, True]
    assert not await hub.turn(), "its inbox comes next, and nothing was loaded yet"
    await hub.load()
    await hub.store.command(tenant, "TRUNCATE TABLE flows", lane="loader")
    assert not await hub.turn(), "the block is noted as loaded, and the store lost it"
    await hub.load()
    assert await hub.rows(tenant, ALL) == [{"tx": 1, "rx": 0, "n": 1, "blocks": 1}]
    assert await hub.turn()
    await hub.load()
    assert await hub.rows(tenant, ALL) == [{"tx": 1, "rx": 0, "n": 1, "blocks": 1}]


async def test_the_ring_does_not_queue_behind_who_reads_an_inbox_for_long(hub: FlowHub, tenant: Scope) -> None:
    member = await hub.door.member(tenant)
    await member.send(seal_flows(Spoke(member.registration), [Flow(WEB, Peer("10.1.2.3"), AT, measures=bytes_of(1))]))
    await hub.load()
    assert [await hub.turn() for _ in range(3)] == [True, True, True]
    async with hub.db.write(NO_TENANT) as c:
        await c.execute(text("LOCK TABLE flow_inbox_0 IN ACCESS SHARE MODE"))  # as a dump does, until it ends
        assert not await hub.turn()
    assert await hub.turn()


def until_all_are_read(hub: FlowHub, number: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Hold back what is applied until so many batches are read; the sizes of the groups in which they are applied."""
    apply, prepare, loop = hub.applier.apply, hub.applier.prepare, asyncio.get_running_loop()
    read, sizes, all_read = itertools.count(1), list[int](), asyncio.Event()

    async def applied(c: WriteConnection, group: Sequence[DecodedBatch]) -> None:
        sizes.append(len(group))
        await all_read.wait()
        await apply(c, group)

    def prepared(batch: DecodedBatch) -> Any:
        if next(read) == number:
            loop.call_soon_threadsafe(all_read.set)
        return prepare(batch)

    monkeypatch.setattr(hub.applier, "apply", applied)
    monkeypatch.setattr(hub.applier, "prepare", prepared)
    return sizes


async def test_agents_of_one_cluster_are_taken_together_and_are_all_of_the_cluster(
    hub: FlowHub, tenant: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = until_all_are_read(hub, 6, monkeypatch)
    cluster = await hub.door.member(tenant)
    agents = [await hub.door.agent(tenant, cluster.registration, f"node-{number}") for number in range(6)]
    sent = [
        agent.send(
            seal_flows(
                Spoke(agent.registration),
                [Flow(WEB, Peer("10.1.2.3"), AT + hours * 3600, measures=bytes_of(1)) for hours in order],
                flows=FlowsMark(node=agent.name),
            )
        )
        for agent, order in zip(agents, [(-1, 0), (0, -1)] * 3, strict=True)
    ]
    assert {answer.result for answer in await asyncio.gather(*sent)} == {"accepted"}
    assert max(groups) > 1
    assert sum(groups) == 6, "no group failed and was taken apart"
    await hub.load()
    assert (await hub.rows(tenant, ALL))[0] | {"blocks": 0} == {"tx": 12, "rx": 0, "n": 12, "blocks": 0}
    found = await hub.rows(tenant, "SELECT DISTINCT registration FROM flows")
    assert found == [{"registration": cluster.registration}]
    async with hub.db.read(tenant) as c:
        told = await c.rows(select(coverage.c.registration_id, coverage.c.rows))
    assert {tuple(row) for row in told} == {(cluster.registration, 6)}


async def test_each_tenant_has_its_own_rows(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    for scope, sent in ((tenant, 1), (other_tenant, 2)):
        member = await hub.door.member(scope)
        await member.send(seal_flows(Spoke(member.registration), [Flow(WEB, WEB, AT, measures=bytes_of(sent))]))
    await hub.load()
    assert [(await hub.rows(scope, ALL))[0]["tx"] for scope in (tenant, other_tenant)] == [1, 2]
