"""`periplus dependencies` and its GraphQL field: who talks to whom, with exact bytes and honest coverage."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, node, pod, service
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member

AT = seconds(START)
ASK = """query(
  $cross: Boolean!, $level: DependencyLevel!, $since: DateTime, $either: DependencyEndFilter
) {
  dependencies(
    first: 50, level: $level, since: $since, filter: {crossCluster: $cross, either: $either}
  ) {
    edges {
      source { cluster { name } namespace kind name rules } destination { cluster { name } namespace kind name rules }
      ports { protocol port } bytesTx bytesRx connectionsOpened failures isPartUnmeasured
      state silentSince onlySeenBy firstSeen lastSeen
    }
    edgeCount unresolvedCount
    coverage { ratio sampling lateClusters { name } clustersWithoutFlows { name } droppedByReason { reason rows } }
  }
}"""
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def ask(hub: FlowHub, scope: Scope, **asked: Any) -> dict[str, Any]:
    token = await token_for(hub.db, scope, Role.VIEWER)
    variables = {"cross": False, "level": "WORKLOAD", **asked}
    answer = await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **variables)
    found: dict[str, Any] = answer.good["dependencies"]
    return found


async def two_clusters(hub: FlowHub, scope: Scope) -> tuple[tuple[Member, Spoke], tuple[Member, Spoke]]:
    """east has web at 10.1.0.1, west has api at 10.2.0.1 behind its service; both are in one domain."""
    east, west = await hub.door.member(scope, "east"), await hub.door.member(scope, "west")
    told = Spoke(east.registration), Spoke(west.registration)
    at = START - timedelta(days=1)
    await east.send(
        told[0].snapshot({"pods": [pod("a", "10.1.0.1", at, workload_kind="Deployment", workload_name="web")]})
    )
    backend = pod("b", "10.2.0.1", at, workload_kind="Deployment", workload_name="api")
    listening = service(
        "s", "10.96.0.9", name="api", load_balancer_ips=["203.0.113.7"], ports=["http|TCP|80|8080|30080|"]
    )
    endpoint = {
        "op": "upsert",
        "uid": "e/b",
        "observed_at": at,
        "namespace": "shop",
        "service": "api",
        "address": "10.2.0.1",
        "target_uid": "b",
        "target_kind": "Pod",
        "ports": ["http|TCP|8080|"],
    }
    content = {
        "pods": [backend],
        "nodes": [node("n", "InternalIP=192.168.0.1", at=at)],
        "services": [listening],
        "endpoints": [endpoint],
    }
    await west.send(told[1].snapshot(content))
    await hub.same_domain(scope, east.registration, west.registration)
    return (east, told[0]), (west, told[1])


async def test_without_any_flow_nothing_is_said_to_be_known(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    await hub.door.member(tenant, "east")
    clock.advance(3_600)
    found = await ask(hub, tenant)
    assert (found["edges"], found["edgeCount"]) == ([], 0)
    assert found["coverage"]["ratio"] == 0
    assert found["coverage"]["clustersWithoutFlows"] == [{"name": "east"}]
    assert not hub.store.is_open, "nobody needs the engine"


@pytest.mark.parametrize(
    ("dialled", "port", "rule"),
    [
        ("10.2.0.1", 8080, "domain-pod"),
        ("203.0.113.7", 80, "domain-service-port"),
        ("192.168.0.1", 30080, "domain-node-port"),
    ],
)
async def test_both_reports_of_one_connection_are_one_edge_however_it_was_dialled(
    hub: FlowHub, tenant: Scope, dialled: str, port: int, rule: str
) -> None:
    (east, east_spoke), (west, west_spoke) = await two_clusters(hub, tenant)
    told = [Flow(WEB, Peer(dialled), AT, port=port, measures=bytes_of(1_000, 50) | {"connections_opened": 2})]
    seen = [Flow(Peer("10.1.0.1"), API, AT, SERVER, port=8080, measures=bytes_of(990, 50))]
    await east.send(seal_flows(east_spoke, told))
    await west.send(seal_flows(west_spoke, seen))
    await hub.settle()
    found = await ask(hub, tenant, cross=True)
    [edge] = found["edges"]
    assert edge["source"]["cluster"]["name"] == "east"
    assert (edge["destination"]["cluster"]["name"], edge["destination"]["name"]) == ("west", "api")
    assert edge["destination"]["rules"] == [rule]
    assert (edge["bytesTx"], edge["bytesRx"], edge["connectionsOpened"]) == ("1000", "50", "2")
    assert edge["ports"] == [{"protocol": 6, "port": 8080}]
    assert (edge["onlySeenBy"], edge["failures"]) == (None, None)
    assert (found["edgeCount"], found["unresolvedCount"]) == (1, 0)


async def test_who_had_an_address_is_who_had_it_then(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, east_spoke), (west, west_spoke) = await two_clusters(hub, tenant)
    ended = {
        "op": "delete",
        "uid": "b",
        "observed_at": START + timedelta(minutes=10),
        "ended_at": START + timedelta(minutes=10),
    }
    newer = pod("c", "10.2.0.1", START + timedelta(minutes=20), workload_kind="StatefulSet", workload_name="db")
    clock.advance(1_800)
    await west.send(west_spoke.delta({"pods": [ended, newer]}))
    sent = {0: 1, 5: 2, 12: 4, 21: 8, 25: 16}
    flows = [Flow(WEB, Peer("10.2.0.1"), AT + 60 * minute, measures=bytes_of(tx)) for minute, tx in sent.items()]
    await east.send(seal_flows(east_spoke, flows))
    await hub.settle()
    found = {edge["destination"]["name"]: int(edge["bytesTx"]) for edge in (await ask(hub, tenant))["edges"]}
    assert found == {"api": 1 + 2, "10.2.0.1": 4, "db": 8 + 16}


async def test_an_address_that_two_clusters_have_is_ambiguous_and_nobody_guesses(hub: FlowHub, tenant: Scope) -> None:
    (east, east_spoke), (west, _) = await two_clusters(hub, tenant)
    third = await hub.door.member(tenant, "south")
    south_spoke = Spoke(third.registration)
    twin = pod("z", "10.2.0.1", START - timedelta(days=1), workload_kind="Deployment", workload_name="twin")
    await third.send(south_spoke.snapshot({"pods": [twin]}))
    await hub.same_domain(tenant, third.registration, east.registration, west.registration)
    await east.send(seal_flows(east_spoke, [Flow(WEB, Peer("10.2.0.1"), AT, measures=bytes_of(7))]))
    await hub.settle()
    found = await ask(hub, tenant)
    [edge] = found["edges"]
    assert (edge["destination"]["kind"], edge["destination"]["name"]) == ("ambiguous", "10.2.0.1")
    assert (edge["destination"]["cluster"], found["unresolvedCount"]) == (None, 1)
    [kept] = await hub.rows(tenant, "SELECT candidates FROM flow_identities WHERE kind = 'ambiguous'")
    assert sorted(each["workload"] for each in kept["candidates"]) == ["api", "twin"]


async def test_public_addresses_are_told_by_their_range(hub: FlowHub, tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    addresses = ("198.51.100.7", "198.51.100.8", "2001:db8:1:2::9", "10.99.0.1")
    await east.send(seal_flows(spoke, [Flow(WEB, Peer(each), AT, measures=bytes_of(1)) for each in addresses]))
    await hub.settle()
    ends = {
        (e["destination"]["kind"], e["destination"]["name"]): e["bytesTx"] for e in (await ask(hub, tenant))["edges"]
    }
    assert ends == {
        ("external", "198.51.100.0/24"): "2",
        ("external", "2001:db8:1::/48"): "1",
        ("address", "10.99.0.1"): "1",
    }


async def test_inventory_that_comes_late_corrects_the_hour(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    east, west = await hub.door.member(tenant, "east"), await hub.door.member(tenant, "west")
    await hub.same_domain(tenant, east.registration, west.registration)
    spoke = Spoke(east.registration)
    await east.send(seal_flows(spoke, [Flow(WEB, Peer("10.2.0.1"), AT + 600, measures=bytes_of(5))]))
    await hub.settle()
    [before] = (await ask(hub, tenant))["edges"]
    clock.advance(2 * 3_600)
    late = pod("b", "10.2.0.1", START, workload_kind="Deployment", workload_name="api")
    await west.send(Spoke(west.registration).snapshot({"pods": [late]}))
    await hub.settle()
    [after] = (await ask(hub, tenant))["edges"]
    assert (before["destination"]["kind"], after["destination"]["name"]) == ("address", "api")
    assert after["bytesTx"] == "5"


async def test_levels_filters_and_states(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, east_spoke), _ = await two_clusters(hub, tenant)
    busy = Peer(workload="shop/Deployment/busy")
    flows = [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))]
    flows += [Flow(WEB, busy, AT + 60 * number, BOTH, measures=bytes_of(1)) for number in range(0, 300, 10)]
    clock.advance(5 * 3_600)
    await east.send(seal_flows(east_spoke, flows))
    await east.send(seal_flows(east_spoke, [Flow(busy, API, AT + 290 * 60, BOTH, measures=bytes_of(3))]))
    await hub.settle()
    edges = {(e["source"]["name"], e["destination"]["name"]): e for e in (await ask(hub, tenant))["edges"]}
    assert {key: edge["state"] for key, edge in edges.items()} == {
        ("web", "busy"): "ACTIVE",
        ("web", "api"): "SILENT",
        ("busy", "api"): "NEW",
    }
    assert edges["web", "api"]["silentSince"] == "2026-01-01T00:01:00Z"
    [clusters] = (await ask(hub, tenant, level="CLUSTER"))["edges"]
    assert (clusters["source"]["cluster"]["name"], clusters["source"]["name"], clusters["bytesTx"]) == (
        "east",
        "",
        "38",
    )
    named = (await ask(hub, tenant, either={"namespace": "shop", "name": "busy"}))["edges"]
    assert len(named) == 2
    assert (await ask(hub, tenant, cross=True))["edges"] == []


async def test_another_tenant_sees_nothing_of_it(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    await east.send(seal_flows(spoke, [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))]))
    other = await hub.door.member(other_tenant, "north")
    await other.send(seal_flows(Spoke(other.registration), [Flow(API, WEB, AT, BOTH, measures=bytes_of(6))]))
    await hub.settle()
    [edge] = (await ask(hub, other_tenant))["edges"]
    assert (edge["source"]["cluster"]["name"], edge["bytesTx"]) == ("north", "6")


async def test_statements_do_not_grow_with_the_answer(hub: FlowHub, tenant: Scope) -> None:
    (east, spoke), _ = await two_clusters(hub, tenant)
    for count in (1, 40):
        peers = [Peer(workload=f"shop/Deployment/d-{number}") for number in range(count)]
        await east.send(seal_flows(spoke, [Flow(WEB, peer, AT, BOTH, measures=bytes_of(1)) for peer in peers]))
    await hub.settle()
    with count_statements() as counted:
        assert len((await ask(hub, tenant))["edges"]) == 40
    assert counted.total <= 12
