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

AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ASK = """query($first: Int!, $cluster: ID) {
  clusterLinks(first: $first, cluster: $cluster) {
    links {
      clusterA { name } clusterB { name } bytesAToB bytesBToA connectionsByA connectionsByB failures rttUs
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
