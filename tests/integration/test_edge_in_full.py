"""GraphQL `edge`: one dependency with its hours, ports, reporters, rules and candidates."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.integration.test_dependencies import API, AT, WEB, two_clusters
from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, SERVER, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows
from tests.support.graphql_hub import Answer, door, token_for

ASK = """query($source: DependencyEndFilter!, $destination: DependencyEndFilter!, $since: DateTime) {
  edge(source: $source, destination: $destination, since: $since) {
    source { cluster { name } name } destination { cluster { name } kind name rules }
    history { timestamps bytesTx bytesRx connectionsOpened failures }
    ports { protocol port verdict bytesTx bytesRx connectionsOpened } portCount
    clientBytes serverBytes reportedBy rules { sourceRule destinationRule bytes }
    sourceCandidates { name } destinationCandidates { cluster { name } name }
    coverage { ratio }
  }
}"""
DROPPED = 2


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def asked(hub: FlowHub, scope: Scope, source: str | None, destination: str | None, **more: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    ends = {"source": {"name": source}, "destination": {"name": destination}}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **ends, **more)


async def edge(hub: FlowHub, scope: Scope, source: str, destination: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await asked(hub, scope, source, destination, **more)).good["edge"]
    return found


async def test_all_that_is_known_of_one(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    (east, east_spoke), (west, west_spoke) = await two_clusters(hub, tenant)
    clock.advance(3 * 3_600)
    dialled = Peer("10.2.0.1")
    told = [
        Flow(WEB, dialled, AT, port=8080, measures=bytes_of(1_000, 50) | {"connections_opened": 2}),
        Flow(WEB, dialled, AT + 2 * 3_600, port=9090, verdict=DROPPED, measures={"failures_refused": 4}),
        Flow(WEB, Peer("198.51.100.7"), AT + 3_600, measures=bytes_of(1)),
    ]
    await east.send(seal_flows(east_spoke, told[:1]))
    await east.send(seal_flows(east_spoke, told[1:2]))
    await east.send(seal_flows(east_spoke, told[2:]))
    await west.send(seal_flows(west_spoke, [Flow(Peer("10.1.0.1"), API, AT, SERVER, 8080, measures=bytes_of(990, 50))]))
    await hub.settle()
    with count_statements() as counted:
        found = await edge(hub, tenant, "web", "api", since=(START - timedelta(hours=1)).isoformat())
    assert counted.total <= 14
    assert (found["source"]["cluster"]["name"], found["destination"]["cluster"]["name"]) == ("east", "west")
    history = found["history"]
    assert history["timestamps"][1] == "2026-01-01T00:00:00Z"
    assert history["bytesTx"] == [None, "1000", "0", None, None]
    assert history["connectionsOpened"] == [None, "2", "0", None, None]
    assert history["failures"] == [None, None, "0", "4", None]
    used = [(each["port"], each["verdict"], each["bytesTx"], each["connectionsOpened"]) for each in found["ports"]]
    assert used == [(8080, "FORWARDED", "1000", "2"), (9090, "DROPPED", None, None)]
    assert (found["portCount"], found["clientBytes"], found["serverBytes"]) == (2, "1050", "1040")
    assert found["reportedBy"] == ["CLIENT", "SERVER"]
    assert {(each["sourceRule"], each["destinationRule"]) for each in found["rules"]} >= {("told", "domain-pod")}
    assert found["destinationCandidates"] == []


async def test_whom_an_ambiguous_end_may_be(hub: FlowHub, tenant: Scope) -> None:
    (east, east_spoke), (west, _) = await two_clusters(hub, tenant)
    south = await hub.door.member(tenant, "south")
    twin = pod("z", "10.2.0.1", START - timedelta(days=1), workload_kind="Deployment", workload_name="twin")
    await south.send(Spoke(south.registration).snapshot({"pods": [twin]}))
    await hub.same_domain(tenant, south.registration, east.registration, west.registration)
    await east.send(seal_flows(east_spoke, [Flow(WEB, Peer("10.2.0.1"), AT, measures=bytes_of(7))]))
    await hub.settle()
    found = await edge(hub, tenant, "web", "10.2.0.1")
    assert (found["destination"]["kind"], found["destination"]["rules"]) == ("ambiguous", ["domain-pod"])
    candidates = sorted((each["cluster"]["name"], each["name"]) for each in found["destinationCandidates"])
    assert candidates == [("south", "twin"), ("west", "api")]


async def test_several_are_refused_and_none_is_nothing(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    assert (await asked(hub, tenant, "web", "api")).codes == ["not-found"]
    (east, spoke), _ = await two_clusters(hub, tenant)
    flows = [Flow(WEB, API, AT, BOTH, measures=bytes_of(5)), Flow(API, WEB, AT, BOTH, measures=bytes_of(5))]
    await east.send(seal_flows(spoke, flows))
    await hub.settle()
    assert (await asked(hub, tenant, None, None)).codes == ["invalid"]
    assert (await edge(hub, tenant, "web", "api"))["history"]["bytesTx"][-1] == "5"
    assert (await asked(hub, tenant, "web", "web")).good["edge"] is None
    assert (await asked(hub, tenant, "web", "nobody")).codes == ["not-found"]
    assert (await asked(hub, other_tenant, "web", "api")).codes == ["not-found"]
    assert (await asked(hub, tenant, "web", "api", since="2019-01-01T00:00:00Z")).codes == ["invalid"]
