"""`explainAddress`: why flows take an address for whose it is, and never another answer than theirs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.fleet.model import CONNECTED_WITHIN
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, node, pod, upsert
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Member

ASK = """query($ip: IpAddress!, $at: DateTime, $cluster: ID) {
  explainAddress(ip: $ip, at: $at, cluster: $cluster) {
    at viewCount notKnownWhole { names count }
    views {
      cluster { name } networkDomain { name }
      owner { cluster { name } namespace kind name } rule candidates { cluster { name } name }
      ranks { rule outcome owners { cluster { name } name } }
      holders { owner { cluster { name } name } layer validFrom validTo rule outcome } holderCount
    }
  }
}"""
EDGES = "{ dependencies { edges { destination { cluster { name } namespace kind name rules } } } }"
IP = "10.2.0.1"


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


async def asked(hub: FlowHub, scope: Scope, ip: str, **variables: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    return await door(hub.db, cast("FakeClock", hub.db.clock)).ask(ASK, token, ip=ip, **variables)


async def views(hub: FlowHub, scope: Scope, ip: str, **variables: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await asked(hub, scope, ip, **variables)).good["explainAddress"]["views"]
    return found


async def cluster(hub: FlowHub, scope: Scope, name: str, **holding: list[dict[str, Any]]) -> Member:
    member = await hub.door.member(scope, name)
    await member.send(Spoke(member.registration).snapshot(holding))
    return member


def workload(name: str, ip: str = IP) -> dict[str, Any]:
    return pod(name, ip, START - timedelta(days=1), workload_kind="Deployment", workload_name=name)


@pytest.mark.parametrize("twin", [False, True])
async def test_the_explanation_is_what_dependencies_say(hub: FlowHub, tenant: Scope, *, twin: bool) -> None:
    east = await hub.door.member(tenant, "east")
    west = await cluster(hub, tenant, "west", pods=[workload("api")], nodes=[node("n", f"InternalIP={IP}")])
    south = await cluster(hub, tenant, "south", pods=[workload("twin")])
    near = (east, west, south) if twin else (east, west)
    await hub.same_domain(tenant, *(each.registration for each in near))
    flow = Flow(Peer(workload="shop/Deployment/web"), Peer(IP), seconds(START), measures=bytes_of(1))
    await east.send(seal_flows(Spoke(east.registration), [flow]))
    await hub.settle()
    token = await token_for(hub.db, tenant, Role.ANALYST)
    found = await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(EDGES, token)
    [edge] = found.good["dependencies"]["edges"]
    [view] = await views(hub, tenant, IP, cluster=f"Cluster:{east.registration}")
    assert {**view["owner"], "rules": [view["rule"]]} == edge["destination"]
    assert sorted(each["name"] for each in view["candidates"]) == (["api", "twin"] if twin else [])
    outcomes = {each["rule"]: each["outcome"] for each in view["ranks"]}
    assert outcomes["domain-pod"] == ("AMBIGUOUS" if twin else "DECIDED")
    assert outcomes["domain-node"] == "OUTRANKED"
    told = {(each["owner"]["cluster"]["name"], each["layer"]): each["outcome"] for each in view["holders"]}
    assert told == {
        ("west", "pod"): "DECIDED",
        ("west", "internalip"): "OUTRANKED",
        ("south", "pod"): "DECIDED" if twin else "NOT_CONNECTED",
    }


async def test_from_everywhere_every_domain_looks_and_who_has_it_itself(hub: FlowHub, tenant: Scope) -> None:
    await cluster(hub, tenant, "east", pods=[workload("web", "10.1.0.1")])
    await cluster(hub, tenant, "west", pods=[workload("api")])
    found = await views(hub, tenant, IP)
    assert [(view["cluster"], view["owner"]["name"], view["rule"]) for view in found] == [
        ({"name": "west"}, "api", "own-pod"),
        (None, "api", "domain-pod"),
        (None, IP, "unknown"),
    ]
    assert [view["holderCount"] for view in found] == [1, 1, 1]


async def test_it_is_of_the_minute_that_is_asked(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    member = await hub.door.member(tenant, "west")
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [workload("api")]}))
    ended = START + timedelta(minutes=10)
    clock.advance(1_800)
    await member.send(spoke.delta({"pods": [{"op": "delete", "uid": "api", "observed_at": ended, "ended_at": ended}]}))
    mine = f"Cluster:{member.registration}"
    [before] = await views(hub, tenant, IP, cluster=mine, at=(ended - timedelta(seconds=1)).isoformat())
    [after] = await views(hub, tenant, IP, cluster=mine, at=ended.isoformat())
    assert (before["owner"]["name"], before["rule"]) == ("api", "own-pod")
    assert (after["owner"]["name"], after["rule"]) == (IP, "unknown")
    assert [each["outcome"] for each in after["holders"]] == ["OTHER_TIME"]


async def test_what_cannot_be_known_is_refused(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    member = await cluster(hub, tenant, "west", pods=[workload("api")])
    assert (await asked(hub, tenant, IP, at="2026-01-02T00:00:00Z")).codes == ["invalid"]
    assert (await asked(hub, tenant, IP, at="2025-01-02T00:00:00Z")).codes == ["invalid"]
    assert (await asked(hub, other_tenant, IP, cluster=f"Cluster:{member.registration}")).codes == ["not-found"]
    assert await views(hub, other_tenant, IP) == []


async def test_statements_do_not_grow_with_the_answer(hub: FlowHub, tenant: Scope) -> None:
    for number in range(6):
        await cluster(hub, tenant, f"cluster-{number}", pods=[workload("api")])
    with count_statements() as counted:
        assert len(await views(hub, tenant, IP)) == 12
    assert counted.total <= 12


def sources(**states: str) -> list[dict[str, Any]]:
    read = {"pods": "ok", "services": "ok", "nodes": "ok", **states}
    return [upsert(name, state=state, reason=None, objects=1) for name, state in read.items()]


async def of_whom_it_is_not_known(hub: FlowHub, scope: Scope, **variables: Any) -> list[str]:
    found = (await asked(hub, scope, IP, **variables)).good["explainAddress"]["notKnownWhole"]
    assert found["count"] == len(found["names"])
    names: list[str] = found["names"]
    return names


@pytest.mark.promise("no-false-all-clear")
async def test_clusters_that_may_have_it_without_that_it_is_known_are_named(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    before = START - timedelta(minutes=10)
    await cluster(hub, tenant, "read", sources=sources())
    assert await of_whom_it_is_not_known(hub, tenant) == []
    assert await of_whom_it_is_not_known(hub, tenant, at=before.isoformat()) == ["read"]
    for name in ("pods", "services", "nodes"):
        await cluster(hub, tenant, f"no-{name}", sources=sources(**{name: "forbidden"}))
    await hub.door.member(tenant, "unread")
    assert await of_whom_it_is_not_known(hub, tenant) == ["no-nodes", "no-pods", "no-services", "unread"]
    clock.advance(CONNECTED_WITHIN.total_seconds() + 1)
    assert "read" in await of_whom_it_is_not_known(hub, tenant)


async def test_an_ipv4_address_written_as_ipv6_is_the_same(hub: FlowHub, tenant: Scope) -> None:
    await cluster(hub, tenant, "east", pods=[workload("web")])
    assert await views(hub, tenant, f"::ffff:{IP}") == await views(hub, tenant, IP) != []
    assert (await views(hub, tenant, f"::ffff:{IP}"))[0]["holderCount"] == 1
