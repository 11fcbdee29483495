"""Questions about flows of what nothing is called: refused, as an empty answer would read as if nobody talked to it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.fleet import service as fleet
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.kit.ids import new_id

from tests.support.batches import Spoke, pod, upsert
from tests.support.clock import START, FakeClock
from tests.support.edges import EdgeRow, End, put_edges
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Member

AT, DAY = seconds(START), 86_400
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
_END = "$end: DependencyEndFilter!, $since: DateTime, $until: DateTime"
_WHEN = "since: $since, until: $until"
QUESTIONS = {
    "dependencies": f"query({_END}) {{ dependencies(filter: {{either: $end}}, {_WHEN}) {{ edgeCount }} }}",
    "dependencyMap": f"query({_END}) {{ dependencyMap(filter: {{source: $end}}, {_WHEN}) {{ foldedEndCount }} }}",
    "topFlows": f"query({_END}) {{ topFlows(filter: {{destination: $end}}, {_WHEN}) {{ flowCount }} }}",
    "flowSeries": f"query({_END}) {{ flowSeries(filter: {{either: $end}}, {_WHEN}) {{ values }} }}",
    "edge": f'query({_END}) {{ edge(source: $end, destination: {{kind: "external"}}, {_WHEN}) {{ portCount }} }}',
    "blastRadius": f"query({_END}) {{ blastRadius(of: $end, {_WHEN}) {{ starts {{ name }} isComplete }} }}",
}


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


@pytest.fixture
async def east(hub: FlowHub, clock: FakeClock, tenant: Scope) -> Member:
    """It tells of `web` and `api`, and has `quiet`, `front` and the node `node-1` that tell nothing."""
    clock.advance(300)
    member = await hub.door.member(tenant, "east")
    spoke = Spoke(member.registration)
    of_it = {"name": "quiet-7d9", "workload_kind": "Deployment", "workload_name": "quiet"}
    made = pod("q", "10.1.0.9", START - timedelta(days=1), **of_it)
    here = {
        "pods": [made],
        "namespaces": [upsert("n", name="shop"), upsert("i", name="idle")],
        "nodes": [upsert("node", name="node-1")],
        "services": [upsert("s", namespace="shop", name="front", type="ClusterIP")],
        "workloads": [upsert("w", namespace="shop", name="quiet", kind="Deployment")],
    }
    await member.send(spoke.snapshot(here))
    await member.send(seal_flows(spoke, [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))]))
    await hub.settle()
    return member


async def answer(hub: FlowHub, scope: Scope, document: str, /, **asked: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(document, token, **asked)


async def of(hub: FlowHub, scope: Scope, question: str = "dependencies", /, **end: Any) -> Answer:
    return await answer(hub, scope, QUESTIONS[question], end=end)


def said(refused: Answer) -> tuple[str, str]:
    [error] = refused.errors
    assert refused.codes == ["not-found"]
    return error["message"], error["extensions"]["remedy"]


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("question", QUESTIONS)
async def test_of_what_nothing_is_called_every_question_is_refused(
    hub: FlowHub, tenant: Scope, east: Member, question: str
) -> None:
    assert said(await of(hub, tenant, question, namespace="shop", name="wbe")) == (
        "nothing called 'wbe' in namespace 'shop' is known",
        "Take namespace and name from 'dependencies'.",
    )
    assert said(await of(hub, tenant, question, namespace="shop", name="quite"))[1] == "Do you mean shop/quiet@east?"
    assert said(await of(hub, tenant, question, namespace="lab", name="front"))[1] == "Do you mean shop/front@east?"
    for end in ({"name": "quiet"}, {"namespace": "shop", "name": "front"}, {"name": "node-1"}):
        assert not (await of(hub, tenant, question, **end)).errors, "it is known, and has no flows of this sort"


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("question", [each for each in QUESTIONS if each != "blastRadius"])
async def test_so_is_a_place_or_kind_that_there_is_not(
    hub: FlowHub, tenant: Scope, east: Member, question: str
) -> None:
    assert said(await of(hub, tenant, question, namespace="shp"))[1] == "Do you mean shop/@east?"
    assert said(await of(hub, tenant, question, kind="Deploymnt"))[0] == "no 'Deploymnt' is known"
    for end in ({"namespace": "idle"}, {"kind": "gateway"}, {"cluster": f"Cluster:{east.registration}"}):
        assert not (await of(hub, tenant, question, **end)).errors, end


@pytest.mark.promise("no-false-all-clear")
async def test_all_that_is_given_has_to_fit(hub: FlowHub, tenant: Scope, east: Member) -> None:
    west = await hub.door.member(tenant, "west")
    in_east, in_west = (f"Cluster:{each.registration}" for each in (east, west))
    for wrong in (
        {"cluster": in_west, "name": "web"},
        {"cluster": in_west, "namespace": "idle"},
        {"cluster": in_west, "name": "node-1"},
        {"kind": "StatefulSet", "name": "web"},
        {"kind": "Service", "name": "quiet"},
        {"namespace": "idle", "name": "quiet"},
        {"name": ""},
    ):
        assert (await of(hub, tenant, **wrong)).codes == ["not-found"], wrong
    assert said(await of(hub, tenant, kind="StatefulSet", name="quiet"))[1] == "Do you mean Deployment shop/quiet@east?"
    message, remedy = said(await of(hub, tenant, cluster=in_west, namespace="shop", name="quiet"))
    assert message == "nothing called 'quiet' in namespace 'shop' of cluster 'west' is known"
    assert remedy == "Do you mean shop/quiet@east?"
    for known in ({"kind": "Deployment", "name": "web"}, {"cluster": in_east, "name": "api"}, {"kind": "Node"}):
        assert not (await of(hub, tenant, **known)).errors, known
    pod_of_it = await of(hub, tenant, "blastRadius", namespace="shop", name="quiet-7d9")
    assert said(pod_of_it)[1] == "Do you mean shop/quiet@east?", "flows know workloads, not their pods"


async def test_what_is_narrowed_to_nothing_is_no_mistake(hub: FlowHub, tenant: Scope, east: Member) -> None:
    document = "query($filter: DependencyFilter!) { dependencies(filter: $filter) { edgeCount } }"
    for more in ({"verdicts": ["DROPPED"]}, {"states": ["SILENT"]}, {"port": 1}, {"crossCluster": True}):
        found = await answer(hub, tenant, document, filter={"either": {"name": "web"}, **more})
        assert found.good["dependencies"] == {"edgeCount": 0}, "edges alone know it"
    both = {"source": {"name": "web"}, "destination": {"name": "apj"}}
    assert said(await answer(hub, tenant, document, filter=both))[0] == "nothing called 'apj' is known"


@pytest.mark.promise("no-false-all-clear")
async def test_what_was_there_in_the_asked_time_is_known(
    hub: FlowHub, clock: FakeClock, tenant: Scope, east: Member
) -> None:
    gone = EdgeRow(
        End(east.registration, "old/Deployment/gone"), End(east.registration, "old/Job/other"), AT - 30 * DAY
    )
    await put_edges(hub.store, tenant, [gone])
    asked = {"end": {"name": "gone"}, "since": "2025-12-01T00:00:00Z"}
    document = QUESTIONS["topFlows"]
    assert (await answer(hub, tenant, document, **asked)).good["topFlows"] == {"flowCount": 0}
    assert (await answer(hub, tenant, document, end={"name": "gone"})).codes == ["not-found"]
    await east.renew()
    later = Spoke(east.registration, epoch=new_id(), at=clock.now())
    await east.send(later.snapshot({"pods": [], "services": []}))
    assert not (await of(hub, tenant, name="quiet")).errors, "it was there today"
    clock.advance(9 * DAY)
    for name in ("quiet", "front"):
        assert (await of(hub, tenant, name=name)).codes == ["not-found"]


@pytest.mark.promise("no-false-all-clear")
async def test_of_a_cluster_that_is_no_member_only_what_passed_is_told(
    hub: FlowHub, clock: FakeClock, tenant: Scope, east: Member
) -> None:
    west = await hub.door.member(tenant, "west")
    async with hub.db.write(tenant) as c:
        for member in (east, west):
            await fleet.revoke(c, tenant, clock, member.registration)
    in_east, in_west = (f"Cluster:{each.registration}" for each in (east, west))
    assert (await of(hub, tenant, cluster=in_east)).good["dependencies"] == {"edgeCount": 1}
    assert said(await of(hub, tenant, cluster=in_west))[0] == "no flow of cluster 'west' is known: it is revoked"
    assert (await of(hub, tenant, cluster=in_east, name="quiet")).codes == ["not-found"]
    links = "query($cluster: ID!) { clusterLinks(cluster: $cluster) { linkCount } }"
    assert (await answer(hub, tenant, links, cluster=in_east)).good["clusterLinks"] == {"linkCount": 0}
    assert (await answer(hub, tenant, links, cluster=in_west)).codes == ["not-found"]


async def test_another_tenants_names_are_neither_known_nor_near(
    hub: FlowHub, tenant: Scope, other_tenant: Scope, east: Member
) -> None:
    for end in ({"name": "web"}, {"name": "quiet"}, {"namespace": "shop"}, {"name": "node-1"}):
        assert said(await of(hub, other_tenant, **end))[1] == "Take namespace and name from 'dependencies'."


@pytest.mark.parametrize(
    "name", ["x" * 1_000, "%", "' OR 1=1 --", "{name:String}", "\u202e", "\U0001f6a2", "a\nb", "\\"]
)
async def test_no_text_is_anything_but_a_name(hub: FlowHub, tenant: Scope, east: Member, name: str) -> None:
    for end in ({"name": name}, {"namespace": name}, {"kind": name}, {"namespace": name, "kind": name, "name": name}):
        assert len(said(await of(hub, tenant, **end))[0]) < 400


async def test_statements_do_not_grow_with_names(hub: FlowHub, tenant: Scope, east: Member) -> None:
    document = "query($filter: DependencyFilter!) { dependencies(filter: $filter) { edgeCount } }"
    counts = []
    for filter_ in (
        {"either": {"name": "wbe"}},
        {"either": {"name": "a"}, "source": {"name": "b"}, "destination": {"namespace": "c", "kind": "D"}},
    ):
        with count_statements() as counted:
            assert (await answer(hub, tenant, document, filter=filter_)).codes == ["not-found"]
        counts.append(counted.total)
    assert counts[0] == counts[1] <= 16
    with count_statements() as counted:
        assert not (await answer(hub, tenant, document, filter={"either": {"name": "web"}})).errors
    assert counted.total == counts[0] - 3, "what is found has its names"
