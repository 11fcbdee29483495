"""Regions and zones of both ends of edges: where pods ran at that time, whatever came in which order."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.flows import repository_blocks
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node, pod, upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.spokes_door import Member

AT, HOUR = seconds(START), 3_600
BEFORE = START - timedelta(days=1)
ZONES = """
    SELECT toUnixTimestamp(hour) AS at, src_workload, src_region, src_zone, dst_workload, dst_region, dst_zone,
      bytes_tx, bytes_rx, client_bytes, server_bytes, reporters
    FROM edges_hourly ORDER BY ALL
"""
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
Json = dict[str, Any]


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


def ran(name: str, number: int, ip: str, on: str) -> Json:
    """A pod of a deployment, on a node."""
    workload = {"workload_kind": "Deployment", "workload_name": name}
    return pod(f"{name}-{number}", ip, BEFORE, node=f"node-{on}", **workload)


def machine(name: str, address: str, region: str | None, zone: str | None) -> Json:
    return node(name, f"InternalIP={address}", at=BEFORE, region=region, zone=zone)


EAST = {
    "pods": [ran("web", 1, "10.1.0.1", "a"), ran("web", 2, "10.1.0.2", "b"), ran("batch", 1, "10.1.0.9", "a")],
    "nodes": [machine("a", "192.168.1.1", "eu", "eu-a"), machine("b", "192.168.1.2", "eu", "eu-b")],
}
WEST = {
    "pods": [ran("api", 1, "10.2.0.1", "a"), ran("api", 2, "10.2.0.2", "x"), ran("db", 1, "10.2.0.9", "a")],
    "nodes": [machine("a", "192.168.2.1", "us", "us-a"), machine("x", "192.168.2.2", None, None)],
}


async def two(hub: FlowHub, tenant: Scope) -> list[tuple[Member, Spoke]]:
    """East and west in one network, with nothing in them yet."""
    members = [await hub.door.member(tenant, name) for name in ("east", "west")]
    await hub.same_domain(tenant, *(each.registration for each in members))
    return [(each, Spoke(each.registration, at=BEFORE)) for each in members]


async def tell(member: Member, spoke: Spoke, inventory: Json) -> None:
    assert (await member.send(spoke.snapshot(inventory))).result == "accepted"


async def by_zones(hub: FlowHub, tenant: Scope) -> dict[tuple[str, str, str, str], int]:
    """Bytes to the destination, by workload and zone of both ends."""
    await hub.settle()
    rows = await hub.rows(tenant, ZONES)
    return {
        (row["src_workload"], row["src_zone"] or row["src_region"], row["dst_workload"], row["dst_zone"]): row[
            "bytes_tx"
        ]
        for row in rows
    }


def talk(at: int = AT) -> tuple[list[Flow], list[Flow]]:
    """What agents of nodes see of both ends, by address alone: 7 bytes of one window only the server saw."""
    passed = [("10.1.0.1", "10.2.0.1", 100), ("10.1.0.1", "10.2.0.2", 20), ("10.1.0.2", "10.2.0.1", 3)]
    told = [Flow(Peer(src), Peer(dst), at, port=8080, measures=bytes_of(tx)) for src, dst, tx in passed]
    seen = [Flow(Peer(src), Peer(dst), at, SERVER, 8080, measures=bytes_of(tx)) for src, dst, tx in passed]
    return told, [*seen, Flow(Peer("10.1.0.2"), Peer("10.2.0.1"), at + 300, SERVER, 8080, measures=bytes_of(7))]


TALKED = {
    ("web", "eu-a", "api", "us-a"): 100,
    ("web", "eu-a", "api", ""): 20,
    ("web", "eu-b", "api", "us-a"): 10,
}


async def test_what_passed_between_two_zones_is_an_edge_of_its_own(hub: FlowHub, tenant: Scope) -> None:
    (east, east_spoke), (west, west_spoke) = await two(hub, tenant)
    await tell(east, east_spoke, EAST)
    await tell(west, west_spoke, WEST)
    for member, spoke, flows in zip((east, west), (east_spoke, west_spoke), talk(), strict=True):
        await member.send(seal_flows(spoke, flows))
    assert await by_zones(hub, tenant) == TALKED
    assert {(row["dst_zone"], row["dst_region"]) for row in await hub.rows(tenant, ZONES)} == {("us-a", "us"), ("", "")}


async def test_late_nodes_make_what_they_would_have_made_in_time(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, east_spoke), (west, west_spoke) = await two(hub, tenant)
    await tell(east, east_spoke, {"pods": EAST["pods"]})
    await tell(west, west_spoke, WEST)
    clock.advance(HOUR)
    told, seen = talk(AT + 40 * 60)
    for flow in told:
        await east.send(seal_flows(east_spoke, [flow]))
    await west.send(seal_flows(west_spoke, seen))
    assert set(await by_zones(hub, tenant)) == {("web", "", "api", "us-a"), ("web", "", "api", "")}
    east_spoke.at = START + timedelta(minutes=30)
    await east.send(east_spoke.delta({"nodes": EAST["nodes"]}))
    assert await by_zones(hub, tenant) == TALKED
    made = await hub.rows(tenant, "SELECT * FROM edges_hourly ORDER BY ALL")
    async with hub.db.write(tenant) as c:
        await repository_blocks.touch(c, tenant, [AT], raw=True)
    await hub.roll_up()
    assert await hub.rows(tenant, "SELECT * FROM edges_hourly ORDER BY ALL") == made


async def test_a_node_that_goes_to_another_zone_takes_its_pods_with_it_from_then_on(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    (east, spoke), _ = await two(hub, tenant)
    clock.advance(2 * HOUR)
    await tell(east, spoke, EAST)
    spoke.at = START + timedelta(minutes=30)
    moved = upsert("a", spoke.at, name="node-a", region="eu", zone="eu-c", addresses=["InternalIP=192.168.1.1"])
    await east.send(spoke.delta({"nodes": [moved]}))
    batch = Peer("10.1.0.9")
    minutes = (0, 29, 30, 59, 60)
    flows = [Flow(batch, Peer("10.1.0.2"), AT + 60 * each, BOTH, measures=bytes_of(each + 1)) for each in minutes]
    await east.send(seal_flows(spoke, flows[:4]))
    await east.send(seal_flows(spoke, flows[4:]))
    await hub.settle()
    found = {(row["at"] - AT, row["src_zone"]): row["bytes_tx"] for row in await hub.rows(tenant, ZONES)}
    assert found == {(0, "eu-a"): 31, (0, "eu-c"): 91, (HOUR, "eu-c"): 61}


async def test_names_that_a_source_tells_are_where_all_their_pods_were(hub: FlowHub, tenant: Scope) -> None:
    (east, spoke), _ = await two(hub, tenant)
    await tell(east, spoke, EAST)
    told = [Peer(workload=f"shop/Deployment/{name}") for name in ("web", "batch", "nobody")]
    await east.send(seal_flows(spoke, [Flow(each, told[1], AT, BOTH, measures=bytes_of(5)) for each in told]))
    assert await by_zones(hub, tenant) == {
        ("web", "eu", "batch", "eu-a"): 5,
        ("batch", "eu-a", "batch", "eu-a"): 5,
        ("nobody", "", "batch", "eu-a"): 5,
    }


@pytest.mark.promise("bytes-count-once")
async def test_where_one_side_knows_the_pod_and_the_other_the_workload_bytes_count_once(
    hub: FlowHub, tenant: Scope
) -> None:
    """Each cluster names its own end, and sees the address of the other's. Both have pods in several places."""
    (east, east_spoke), (west, west_spoke) = await two(hub, tenant)
    await tell(east, east_spoke, EAST)
    await tell(west, west_spoke, WEST)
    told = [Flow(WEB, Peer(f"10.2.0.{each}"), AT, port=80, measures=bytes_of(50)) for each in (1, 2)]
    seen = [Flow(Peer(f"10.1.0.{each}"), API, AT, SERVER, 80, measures=bytes_of(50)) for each in (1, 2)]
    await east.send(seal_flows(east_spoke, told))
    await west.send(seal_flows(west_spoke, seen))
    assert await by_zones(hub, tenant) == {("web", "eu", "api", ""): 100}
    [row] = await hub.rows(tenant, ZONES)
    assert (row["client_bytes"], row["server_bytes"], row["reporters"]) == (100, 100, 3)


async def test_what_neither_side_sees_of_the_other_is_where_that_one_says_that_it_is(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    """Behind nodes on both sides, where it can only be one client and one server."""
    (east, east_spoke), (west, west_spoke) = await two(hub, tenant)
    clock.advance(2 * HOUR)
    await tell(east, east_spoke, EAST)
    await tell(west, west_spoke, WEST)
    dialled, masked = Peer("192.168.2.2"), Peer("192.168.1.2")
    told = [Flow(Peer("10.1.0.9"), dialled, AT, port=30_080, measures=bytes_of(40))]
    seen = [Flow(masked, Peer("10.2.0.9"), AT, SERVER, 5_432, measures=bytes_of(40))]
    await east.send(seal_flows(east_spoke, told))
    await west.send(seal_flows(west_spoke, seen))
    assert await by_zones(hub, tenant) == {("batch", "eu-a", "db", "us-a"): 40}
    told = [Flow(Peer(f"10.1.0.{each}"), dialled, AT + HOUR, port=30_080, measures=bytes_of(10)) for each in (1, 2)]
    await east.send(seal_flows(east_spoke, told))
    await west.send(
        seal_flows(west_spoke, [Flow(masked, Peer("10.2.0.9"), AT + HOUR, SERVER, 5_432, measures=bytes_of(20))])
    )
    await hub.settle()
    found = [row for row in await hub.rows(tenant, ZONES) if row["at"] == AT + HOUR]
    assert [(row["src_workload"], row["src_zone"], row["dst_zone"], row["bytes_tx"]) for row in found] == [
        ("web", "", "us-a", 20)
    ]


async def test_behind_a_port_it_is_where_all_that_stands_there_is(hub: FlowHub, tenant: Scope) -> None:
    (east, spoke), _ = await two(hub, tenant)
    ready = {"namespace": "shop", "ports": ["http|TCP|8080|"], "target_kind": "Pod"}
    services = [
        upsert(
            name, BEFORE, namespace="shop", name=name, type="ClusterIP", cluster_ips=[ip], ports=["http|TCP|80|8080||"]
        )
        for name, ip in (("batch", "10.96.0.1"), ("web", "10.96.0.2"))
    ]
    ends = (("batch", 1), ("web", 1), ("web", 2))
    endpoints = [upsert(f"{name}-{at}", BEFORE, service=name, target_uid=f"{name}-{at}", **ready) for name, at in ends]
    await tell(east, spoke, {**EAST, "services": services, "endpoints": endpoints})
    flows = [Flow(Peer("10.1.0.1"), Peer(f"10.96.0.{each}"), AT, port=80, measures=bytes_of(each)) for each in (1, 2)]
    await east.send(seal_flows(spoke, flows))
    assert await by_zones(hub, tenant) == {("web", "eu-a", "batch", "eu-a"): 1, ("web", "eu-a", "web", ""): 2}
