"""Coverage where agents of nodes tell flows: each sees its own node, so that each node counts."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Role, Scope
from periplus_hub.flows.repository_coverage import fold_nodes_before
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member

AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ASK = """query($since: DateTime) {
  dependencies(first: 50, since: $since) {
    edges { source { name } destination { name } state onlySeenBy }
    coverage {
      ratio partlyToldCount partlyToldClusters { name } observed unmeasured lostByReason { reason count }
      clusters { ratio nodes nodesSilent observed unmeasured }
    }
  }
}"""
WHOLE_HOUR = [Flow(WEB, API, AT + 60 * minute, BOTH, measures=bytes_of(1)) for minute in range(60)]


@pytest.fixture
async def hub(db: Database, tmp_path: Path) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, tmp_path / "flows") as opened:
        yield opened


async def ask(hub: FlowHub, scope: Scope) -> dict[str, Any]:
    token = await token_for(hub.db, scope, Role.VIEWER)
    answer = await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(
        ASK, token, since=START.isoformat()
    )
    found: dict[str, Any] = answer.good["dependencies"]
    return found


async def cluster_of(hub: FlowHub, scope: Scope, *names: str) -> Member:
    member = await hub.door.member(scope, "east")
    made = START - timedelta(days=1)
    rows = [
        node(name, f"InternalIP=192.168.0.{number}", at=made, name=name, created_at=made)
        for number, name in enumerate(names, 1)
    ]
    await member.send(Spoke(member.registration).snapshot({"nodes": rows}))
    return member


async def tell(hub: FlowHub, scope: Scope, cluster: Member, name: str, flows: list[Flow], **mark: Any) -> None:
    agent = await hub.door.agent(scope, cluster.registration, name)
    sealed = seal_flows(Spoke(agent.registration), flows, flows=FlowsMark(node=name, **mark))
    assert (await agent.send(sealed)).result == "accepted"


async def test_one_agent_of_three_is_a_third_and_its_silence_no_sign(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    cluster = await cluster_of(hub, tenant, "n1", "n2", "n3")
    clock.advance(3_600 + 120)
    await tell(hub, tenant, cluster, "n1", WHOLE_HOUR)
    await hub.settle()
    found = await ask(hub, tenant)
    [told] = found["coverage"]["clusters"]
    assert (told["nodes"], told["nodesSilent"]) == (3, 2)
    assert told["ratio"] == found["coverage"]["ratio"] == pytest.approx(1 / 3)
    assert found["coverage"]["partlyToldClusters"] == [{"name": "east"}]


async def test_what_no_agent_told_since_is_silent_only_where_every_node_told(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    cluster = await cluster_of(hub, tenant, "n1", "n2")
    clock.advance(3 * 3_600 + 120)
    others = [Flow(API, WEB, AT + 60 * minute, BOTH, measures=bytes_of(1)) for minute in range(180)]
    await tell(hub, tenant, cluster, "n1", [WHOLE_HOUR[0], *others])
    await hub.settle()
    states = {edge["source"]["name"]: edge["state"] for edge in (await ask(hub, tenant))["edges"]}
    assert states == {"web": "UNKNOWN", "api": "ACTIVE"}
    await tell(hub, tenant, cluster, "n2", others)
    await hub.settle()
    found = await ask(hub, tenant)
    assert {edge["source"]["name"]: edge["state"] for edge in found["edges"]} == {"web": "SILENT", "api": "ACTIVE"}
    assert (found["coverage"]["ratio"], found["coverage"]["partlyToldCount"]) == (1, 0)


@pytest.mark.promise("no-false-all-clear")
async def test_what_was_told_after_the_asked_time_makes_up_for_no_gap_in_it(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    """Answers are made of whole hours: that is what is held against what was told."""
    cluster = await hub.door.member(tenant, "east")
    spoke = Spoke(cluster.registration)

    async def tell_minutes(first: int, minutes: int) -> None:
        await cluster.send(seal_flows(spoke, (), window_start_s=AT + 60 * first, window_s=60 * minutes))

    async def ratio(until_s: int) -> float | None:
        token = await token_for(hub.db, tenant, Role.VIEWER)
        question = "query($since: DateTime, $until: DateTime) { coverage(since: $since, until: $until) { ratio } }"
        until = START + timedelta(seconds=until_s)
        asked = {"since": START.isoformat(), "until": until.isoformat()}
        answer = await door(hub.db, clock, columns=hub.store).ask(question, token, **asked)
        found: float | None = answer.good["coverage"]["ratio"]
        return found

    clock.advance(3_600 + 1_320)
    await tell_minutes(0, 20)
    await tell_minutes(60, 22)
    assert await ratio(4_920) == pytest.approx(40 / 80), "what came early"
    clock.advance(3 * 3_600)
    await tell_minutes(82, 38)
    assert await ratio(4_200) == pytest.approx(80 / 120)
    assert await ratio(3_599) == pytest.approx(20 / 60)


async def test_what_sources_lack_is_added_up_and_told(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    cluster = await cluster_of(hub, tenant, "n1", "n2")
    clock.advance(3_600)
    await tell(
        hub, tenant, cluster, "n1", WHOLE_HOUR, observed=10, unmeasured=4, lost={"evicted": 2, "made-up": 1, "x": 5}
    )
    await tell(hub, tenant, cluster, "n2", WHOLE_HOUR, observed=7, lost={"evicted": 1, "overrun": 3})
    coverage = (await ask(hub, tenant))["coverage"]
    assert (coverage["observed"], coverage["unmeasured"]) == ("17", "4")
    lost = {each["reason"]: each["count"] for each in coverage["lostByReason"]}
    assert lost == {"evicted": "3", "overrun": "3", "other": "6"}, "strangers' words are not kept"


async def test_nodes_of_long_ago_keep_their_share(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    cluster = await cluster_of(hub, tenant, "n1", "n2")
    clock.advance(3_600 + 120)
    await tell(hub, tenant, cluster, "n1", WHOLE_HOUR)
    before = (await ask(hub, tenant))["coverage"]["ratio"]
    async with hub.db.write(tenant) as c:
        await fold_nodes_before(c, tenant, AT + 86_400)
    assert (await ask(hub, tenant))["coverage"]["ratio"] == before == pytest.approx(1 / 2)
    await tell(hub, tenant, cluster, "n2", WHOLE_HOUR)
    async with hub.db.write(tenant) as c:
        await fold_nodes_before(c, tenant, AT + 86_400)
    assert (await ask(hub, tenant))["coverage"]["ratio"] == 1, "what comes later is added to what was folded"


async def test_a_node_made_late_had_nothing_to_tell_before(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    cluster = await hub.door.member(tenant, "east")
    clock.advance(3_600 + 120)
    rows = [
        node("old", "InternalIP=192.168.0.1", name="old", created_at=START - timedelta(days=1)),
        node("new", "InternalIP=192.168.0.2", name="new", created_at=START + timedelta(minutes=30)),
    ]
    await cluster.send(Spoke(cluster.registration).snapshot({"nodes": rows}))
    await tell(hub, tenant, cluster, "old", WHOLE_HOUR)
    await tell(hub, tenant, cluster, "new", WHOLE_HOUR[30:])
    assert (await ask(hub, tenant))["coverage"]["ratio"] == 1


async def test_what_was_told_of_the_time_before_the_approval_had_to_be_told_by_every_node(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clock.advance(3_600)
    cluster = await cluster_of(hub, tenant, "n1", "n2")
    await tell(hub, tenant, cluster, "n1", WHOLE_HOUR[20:])
    clock.advance(120)
    [told] = (await ask(hub, tenant))["coverage"]["clusters"]
    assert (told["nodes"], told["nodesSilent"]) == (2, 1)
    assert told["ratio"] == pytest.approx(1 / 2), "of the forty minutes since it began"
