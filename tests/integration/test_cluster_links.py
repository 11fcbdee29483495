"""`clusterLinks`: what passes between clusters, held against what was sent."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.located_clusters import located

AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ASK = """query($first: Int!, $cluster: ID, $by: LinkLevel! = CLUSTER) {
  clusterLinks(first: $first, cluster: $cluster, by: $by) {
    links {
      clusterA { name } clusterB { name }
      placeA { isKnown provider region zone } placeB { isKnown provider region zone }
      bytesAToB bytesBToA connectionsByA connectionsByB failures rttUs
      retransmits retransmitRatio droppedBytes isPartUnmeasured state
    }
    linkCount unresolved { verdicts sums { bytesTx } } coverage { ratio }
  }
}"""


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def answer(hub: FlowHub, scope: Scope, **asked: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    variables = {"first": 10, **asked}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **variables)


async def test_both_directions_of_both_ends_reports_are_one_link(
    hub: FlowHub, tenant: Scope, other_tenant: Scope
) -> None:
    east, west = await hub.door.member(tenant, "east"), await hub.door.member(tenant, "west")
    east_spoke, west_spoke = Spoke(east.registration), Spoke(west.registration)
    for member, spoke, name, address in ((east, east_spoke, "web", "10.1.0.1"), (west, west_spoke, "api", "10.2.0.1")):
        made = pod(name, address, START - timedelta(days=1), workload_kind="Deployment", workload_name=name)
        await member.send(spoke.snapshot({"pods": [made]}))
    await hub.same_domain(tenant, east.registration, west.registration)
    told = [Flow(WEB, Peer("10.2.0.1"), AT, port=8080, measures=bytes_of(1_000, 50) | {"connections_opened": 2})]
    told += [Flow(WEB, Peer("10.99.0.1"), AT, measures=bytes_of(7))]
    seen = [Flow(Peer("10.1.0.1"), API, AT, SERVER, port=8080, measures=bytes_of(990, 50))]
    seen += [Flow(API, Peer("10.1.0.1"), AT, port=9090, measures=bytes_of(3, 4))]
    await east.send(seal_flows(east_spoke, told))
    await west.send(seal_flows(west_spoke, seen))
    await hub.settle()
    with count_statements() as counted:
        found = (await answer(hub, tenant)).good["clusterLinks"]
    assert counted.total <= 15
    [link] = found["links"]
    names = link["clusterA"]["name"], link["clusterB"]["name"]
    assert (link["placeA"], link["placeB"]) == (None, None)
    ways = dict(zip((names, names[::-1]), (link["bytesAToB"], link["bytesBToA"]), strict=True))
    assert ways == {("east", "west"): "1004", ("west", "east"): "53"}
    assert (link["droppedBytes"], link["retransmits"], found["linkCount"]) == (None, None, 1)
    assert found["unresolved"]["sums"]["bytesTx"] == ["7"]
    of_east = (await answer(hub, tenant, cluster=f"Cluster:{east.registration}")).good["clusterLinks"]
    assert of_east["linkCount"] == 1
    assert (await answer(hub, other_tenant)).good["clusterLinks"]["links"] == []
    assert (await answer(hub, other_tenant, cluster=f"Cluster:{east.registration}")).codes == ["not-found"]


async def test_how_many_has_bounds(hub: FlowHub, tenant: Scope) -> None:
    assert (await answer(hub, tenant, first=0)).codes == ["page-size"]


def place(link: dict[str, Any], side: str) -> str:
    cluster, where = link[f"cluster{side}"], link[f"place{side}"]
    if not where["isKnown"]:
        assert (cluster, where["region"], where["zone"]) == (None, None, None)
        return "not known"
    return "/".join(filter(None, (cluster and cluster["name"], where["provider"], where["region"], where["zone"])))


def ways(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Bytes from one place to another; of what is not known, from who opened connections on."""
    sent: dict[tuple[str, str], int] = {}
    for link in found["links"]:
        a, b = place(link, "A"), place(link, "B")
        for key, name in (((a, b), "bytesAToB"), ((b, a), "bytesBToA")):
            sent[key] = sent.get(key, 0) + int(link[name])
    return {key: value for key, value in sent.items() if value}


async def test_zones_and_regions_of_one_provider_are_the_same_in_all_clusters(hub: FlowHub, tenant: Scope) -> None:
    one, spoke = await located(
        hub, tenant, "one", 1, "aws", ("w", "eu", "eu-a"), ("x", "eu", "eu-b"), ("y", "us", "us-a")
    )
    two, other = await located(hub, tenant, "two", 2, "aws", ("v", "eu", "eu-a"), ("u", None, None), ("t", "eu", None))
    await hub.same_domain(tenant, one.registration, two.registration)
    talked = [
        ("10.1.0.1", "10.2.0.1", 1),  # in one zone, between two clusters
        ("10.1.0.1", "10.1.0.2", 2),  # in one cluster, between two zones
        ("10.1.0.3", "10.2.0.1", 4),
        ("10.1.0.1", "10.2.0.2", 8),
        ("10.1.0.1", "10.2.0.3", 16),
    ]
    flows = [Flow(Peer(src), Peer(dst), AT, measures=bytes_of(tx)) for src, dst, tx in talked]
    await one.send(seal_flows(spoke, flows))
    nowhere = [Flow(Peer("10.2.0.2"), Peer("10.2.0.3"), AT, measures=bytes_of(32, 64))]
    await two.send(seal_flows(other, nowhere))
    await hub.settle()
    with count_statements() as counted:
        by_zone = (await answer(hub, tenant, by="ZONE")).good["clusterLinks"]
    assert counted.total <= 16
    assert ways(by_zone) == {
        ("aws/eu/eu-a", "aws/eu/eu-b"): 2,
        ("aws/us/us-a", "aws/eu/eu-a"): 4,
        ("aws/eu/eu-a", "not known"): 24,
        ("not known", "not known"): 96,
    }
    by_region = (await answer(hub, tenant, by="REGION")).good["clusterLinks"]
    assert ways(by_region) == {
        ("aws/us", "aws/eu"): 4,
        ("aws/eu", "not known"): 8 + 64,
        ("not known", "aws/eu"): 32,
    }
    assert by_region["linkCount"] == len(by_region["links"]) == 2
    of_two = (await answer(hub, tenant, by="ZONE", cluster=f"Cluster:{two.registration}")).good["clusterLinks"]
    assert ("aws/eu/eu-a", "aws/eu/eu-b") not in ways(of_two)
    assert len((await answer(hub, tenant, by="ZONE", first=1)).good["clusterLinks"]["links"]) == 1


async def test_names_that_each_installation_chooses_are_no_others_names(hub: FlowHub, tenant: Scope) -> None:
    """Two clusters of their own making, and one of a provider, all with a zone of one name."""
    here = ("w", "dc", "rack")
    makers = (("one", 1, None), ("two", 2, "vsphere"), ("three", 3, "gcp"))
    told = [await located(hub, tenant, *each, here) for each in makers]
    await hub.same_domain(tenant, *(member.registration for member, _ in told))
    one, spoke = told[0]
    flows = [Flow(Peer("10.1.0.1"), Peer(f"10.{to}.0.1"), AT, measures=bytes_of(to)) for to in (1, 2, 3)]
    await one.send(seal_flows(spoke, flows))
    await hub.settle()
    found = (await answer(hub, tenant, by="ZONE")).good["clusterLinks"]
    assert ways(found) == {
        ("one/dc/rack", "two/vsphere/dc/rack"): 2,
        ("one/dc/rack", "gcp/dc/rack"): 3,
    }


async def test_zones_of_others_are_nobody_s_here(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    one, spoke = await located(hub, tenant, "one", 1, "aws", ("w", "eu", "eu-a"), ("x", "eu", "eu-b"))
    flows = [Flow(Peer("10.1.0.1"), Peer("10.1.0.2"), AT, measures=bytes_of(1))]
    await one.send(seal_flows(spoke, flows))
    await hub.settle()
    assert (await answer(hub, tenant, by="ZONE")).good["clusterLinks"]["linkCount"] == 1
    assert (await answer(hub, tenant)).good["clusterLinks"]["linkCount"] == 0
    assert (await answer(hub, other_tenant, by="ZONE")).good["clusterLinks"]["links"] == []
    asked = {"by": "REGION", "cluster": f"Cluster:{one.registration}"}
    assert (await answer(hub, other_tenant, **asked)).codes == ["not-found"]
