"""`dependencyMap`: what is shown and what is left out is what `dependencies` answers."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for

AT = seconds(START)
SUMS = "dependencyCounts bytesTx bytesRx connectionsOpened failures retransmits"
ASK = f"""query($level: DependencyLevel!, $nodes: Int!, $edges: Int!, $filter: DependencyFilter) {{
  dependencies(first: 1000, level: $level, filter: $filter) {{
    edges {{ verdict bytesTx bytesRx connectionsOpened failures retransmits }} edgeCount
  }}
  dependencyMap(level: $level, nodesAtMost: $nodes, edgesAtMost: $edges, filter: $filter) {{
    nodes {{ ids parents levels names foldedCounts clusterIds }} clusters {{ id name }}
    edges {{ sources destinations verdicts states sums {{ {SUMS} }} }}
    leftOut {{ verdicts sums {{ {SUMS} }} }} totals {{ verdicts sums {{ {SUMS} }} }}
    folded {{ clusterId namespace kind endCount bytes }} foldedEndCount
  }}
}}"""


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


@pytest.fixture
async def told(hub: FlowHub, tenant: Scope) -> FlowHub:
    """Two clusters with flows that know different measures, some of them dropped."""
    for number, name in enumerate(("east", "west")):
        member = await hub.door.member(tenant, name)
        flows = []
        for each in range(60):
            measures = {"bytes_tx": each * 7 + number, "bytes_rx": each} if each % 3 else {}
            measures |= {"connections_opened": 1, "failures_refused": each % 2} if each % 5 else {"retransmits": 4}
            src = Peer(workload=f"ns-{each % 4}/Deployment/web-{each % 11}")
            dst = Peer(f"198.51.{each}.7") if each % 7 == 3 else Peer(workload=f"ns-{each % 3}/Deployment/api-{each}")
            flows.append(Flow(src, dst, AT, BOTH, verdict=2 if each % 6 == 0 else 1, measures=measures))
        await member.send(seal_flows(Spoke(member.registration), flows))
    await hub.settle()
    return hub


async def ask(hub: FlowHub, scope: Scope, **asked: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    variables = {"level": "WORKLOAD", "nodes": 20, "edges": 2_000, **asked}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **variables)


def summed(verdicts: list[str], sums: dict[str, list[Any]]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for name, values in sums.items():
        for verdict, value in zip(verdicts, values, strict=True):
            found[verdict, name] += int(value or 0)
    return +found


@pytest.mark.parametrize("level", ["WORKLOAD", "NAMESPACE", "CLUSTER"])
async def test_sums_of_the_map_are_those_of_dependencies(told: FlowHub, tenant: Scope, level: str) -> None:
    for nodes, edges, wanted in (
        (4, 2_000, {}),
        (12, 3, {}),
        (60, 7, {"verdicts": ["DROPPED"]}),
        (400, 2_000, {"source": {"namespace": "ns-1"}}),
    ):
        found = (await ask(told, tenant, level=level, nodes=nodes, edges=edges, filter=wanted)).good
        listed: Counter[tuple[str, str]] = Counter()
        for each in found["dependencies"]["edges"]:
            verdict = each.pop("verdict")
            listed[verdict, "dependencyCounts"] += 1
            for name, value in each.items():
                listed[verdict, name] += int(value or 0)
        shown, left, totals = (found["dependencyMap"][name] for name in ("edges", "leftOut", "totals"))
        sums = {name: summed(part["verdicts"], part["sums"]) for name, part in (("s", shown), ("l", left))}
        assert sums["s"] + sums["l"] == summed(totals["verdicts"], totals["sums"]) == +listed
        assert len(found["dependencyMap"]["nodes"]["ids"]) <= nodes
        assert len(shown["sources"]) <= edges


async def test_what_is_folded_is_seen_by_asking_for_its_place(told: FlowHub, tenant: Scope) -> None:
    cut = (await ask(told, tenant, nodes=8)).good["dependencyMap"]
    whole = (await ask(told, tenant, nodes=400)).good["dependencyMap"]
    assert None in cut["nodes"]["levels"]
    assert set(cut["nodes"]["ids"]) - {"DependencyBox:rest"} < set(whole["nodes"]["ids"]), "ids are of names alone"
    assert sum(cut["nodes"]["foldedCounts"]) == cut["foldedEndCount"] > 0
    assert whole["folded"] == []
    for place in cut["folded"]:
        end = {"cluster": place["clusterId"], "namespace": place["namespace"], "kind": place["kind"]}
        asked = (await ask(told, tenant, nodes=400, filter={"either": end})).good
        bytes_of_place = sum(
            int(each["bytesTx"] or 0) + int(each["bytesRx"] or 0) for each in asked["dependencies"]["edges"]
        )
        assert bytes_of_place >= int(place["bytes"])


async def test_it_costs_few_statements_and_none_of_the_store_without_flows(
    hub: FlowHub, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    await hub.door.member(tenant, "east")
    with count_statements() as counted:
        found = (await ask(hub, tenant)).good["dependencyMap"]
    assert (found["nodes"]["ids"], found["totals"]["verdicts"], hub.store.is_open) == ([], [], False)
    assert counted.total <= 25


async def test_another_tenant_has_a_map_of_its_own(told: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    other = await told.door.member(other_tenant, "north")
    web, api = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
    await other.send(seal_flows(Spoke(other.registration), [Flow(web, api, AT, BOTH, measures={"bytes_tx": 5})]))
    await told.settle()
    found = (await ask(told, other_tenant)).good["dependencyMap"]
    assert [each["name"] for each in found["clusters"]] == ["north"]
    assert found["totals"]["sums"]["bytesTx"] == ["5"]


@pytest.mark.parametrize(("asked", "said"), [({"nodes": 3}, "nodesAtMost is 3"), ({"edges": 2_001}, "edgesAtMost")])
async def test_what_cannot_be_drawn_is_refused(hub: FlowHub, tenant: Scope, asked: dict[str, int], said: str) -> None:
    refused = await ask(hub, tenant, **asked)
    assert refused.codes == ["invalid"]
    assert said in refused.errors[0]["message"]
