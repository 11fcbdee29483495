"""Which dependencies are asked for, in which order, and what is dropped apart from what arrives."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.edges import OUTSIDE, EdgeRow, End, put_edges
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Member

AT = seconds(START)
ASK = """query($filter: DependencyFilter, $order: DependencyOrder! = BYTES, $since: DateTime, $until: DateTime) {
  dependencies(first: 50, filter: $filter, order: $order, since: $since, until: $until) {
    edges { source { name } destination { name } verdict bytesTx failures rttUs connectionsOpened state }
    edgeCount unorderedCount
  }
}"""
FORWARDED, DROPPED, FROM_LATER = 1, 2, 250


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


@pytest.fixture
async def east(hub: FlowHub, tenant: Scope) -> Member:
    return await hub.door.member(tenant, "east")


def peer(name: str, namespace: str = "shop") -> Peer:
    return Peer(workload=f"{namespace}/Deployment/{name}")


def flow(source: str, destination: str, tx: int, **other: Any) -> Flow:
    measures = bytes_of(tx) | other.pop("measures", {})
    return Flow(peer(source), peer(destination), other.pop("at", AT), BOTH, measures=measures, **other)


async def answer(hub: FlowHub, scope: Scope, **asked: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(ASK, token, **asked)


async def ask(hub: FlowHub, scope: Scope, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await answer(hub, scope, **asked)).good["dependencies"]
    return found


async def names(hub: FlowHub, scope: Scope, /, **asked: Any) -> list[str]:
    edges = (await ask(hub, scope, **asked))["edges"]
    return [f"{each['source']['name']}>{each['destination']['name']}" for each in edges]


async def test_each_end_is_asked_for_apart(hub: FlowHub, tenant: Scope, east: Member) -> None:
    flows = [
        flow("web", "api", 9),
        flow("api", "db", 8, port=5432),
        flow("api", "dns", 7, port=53, protocol=17),
        Flow(peer("web", "other"), peer("api"), AT, BOTH, measures=bytes_of(6)),
        Flow(peer("api"), Peer("198.51.100.7"), AT, measures=bytes_of(5)),
    ]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await hub.settle()
    api, outside = {"name": "api"}, "api>198.51.100.0/24"
    assert await names(hub, tenant, filter={"either": api}) == ["web>api", "api>db", "api>dns", "web>api", outside]
    assert await names(hub, tenant, filter={"source": api}) == ["api>db", "api>dns", outside]
    assert await names(hub, tenant, filter={"destination": api}) == ["web>api", "web>api"]
    both = {"source": {"name": "web", "namespace": "other"}, "destination": api}
    assert [each["bytesTx"] for each in (await ask(hub, tenant, filter=both))["edges"]] == ["6"]
    assert await names(hub, tenant, filter={"source": api, "port": 5432}) == ["api>db"]
    assert await names(hub, tenant, filter={"protocol": 17}) == ["api>dns"]
    assert await names(hub, tenant, filter={"destination": {"kind": "external"}}) == [outside]
    assert (await answer(hub, tenant, filter={"either": {"name": 'it\'s \\ "api"'}})).codes == ["not-found"]


async def test_what_was_dropped_is_apart_from_what_was_forwarded(hub: FlowHub, tenant: Scope, east: Member) -> None:
    verdicts = {FORWARDED: 100, DROPPED: 7, FROM_LATER: 3}
    flows = [flow("web", "api", tx, verdict=verdict) for verdict, tx in verdicts.items()]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await hub.settle()
    found = {each["verdict"]: each["bytesTx"] for each in (await ask(hub, tenant))["edges"]}
    assert found == {"FORWARDED": "100", "DROPPED": "7", "UNKNOWN": "3"}
    asked = await ask(hub, tenant, filter={"verdicts": ["DROPPED", "UNKNOWN"]})
    assert [each["bytesTx"] for each in asked["edges"]] == ["7", "3"]
    assert asked["edgeCount"] == 2


async def test_the_greatest_comes_first_and_the_unknown_last(hub: FlowHub, tenant: Scope, east: Member) -> None:
    flows = [
        flow("a", "few", 100, measures={"failures_refused": 1, "rtt_us_sum": 90, "rtt_count": 3}),
        flow("b", "many", 1, measures={"failures_timeout": 5, "rtt_us_sum": 50, "rtt_count": 1}, at=AT + 60),
        flow("c", "unknown", 1_000),
        flow("d", "none", 10, measures={"failures_refused": 0, "connections_opened": 4, "retransmits": 2}),
    ]
    await east.send(seal_flows(Spoke(east.registration), flows))
    await hub.settle()

    async def sorted_by(order: str) -> tuple[str, int]:
        edges = await ask(hub, tenant, order=order)
        return "".join(each["source"]["name"] for each in edges["edges"]), edges["unorderedCount"]

    assert await sorted_by("BYTES") == ("cadb", 0)
    assert await sorted_by("FAILURES") == ("badc", 1)
    assert await sorted_by("RTT") == ("bacd", 2)
    assert await sorted_by("CONNECTIONS") == ("dcab", 3)
    assert await sorted_by("RETRANSMITS") == ("dcab", 3)
    assert await sorted_by("LAST_SEEN") == ("bcad", 0)


async def test_nothing_in_the_asked_time_is_zero_only_where_its_cluster_told(
    hub: FlowHub, clock: FakeClock, tenant: Scope, east: Member
) -> None:
    spoke = Spoke(east.registration)
    clock.advance(6 * 3_600)
    await east.send(seal_flows(spoke, [flow("web", "api", 5)]))
    await hub.settle()
    late = {"since": "2026-01-01T03:00:00Z", "until": "2026-01-01T05:30:00Z"}
    [unheard] = (await ask(hub, tenant, **late))["edges"]
    assert (unheard["state"], unheard["bytesTx"]) == ("UNKNOWN", None)
    await east.send(seal_flows(spoke, [flow("other", "api", 1, at=AT + 5 * 3_600)]))
    await hub.settle()
    silent = await ask(hub, tenant, **late, filter={"states": ["SILENT"]})
    assert [(each["bytesTx"], each["failures"]) for each in silent["edges"]] == [("0", None)]
    assert silent["edgeCount"] == 1
    assert await names(hub, tenant, **late, filter={"states": ["UNKNOWN"]}) == ["other>api"], "late by now"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"port": 65_536}, "port is 65536"),
        ({"protocol": -1}, "protocol is -1"),
        ({"states": ["NEW"] * 17}, "17 states"),
    ],
)
async def test_what_cannot_be_is_refused(hub: FlowHub, tenant: Scope, wrong: dict[str, Any], said: str) -> None:
    refused = await answer(hub, tenant, filter=wrong)
    assert refused.codes == ["invalid"]
    assert said in refused.errors[0]["message"]


async def test_a_cluster_of_another_tenant_is_not_found(
    hub: FlowHub, tenant: Scope, other_tenant: Scope, east: Member
) -> None:
    for side in ("either", "source", "destination"):
        asked = {side: {"cluster": f"Cluster:{east.registration}"}}
        assert (await answer(hub, other_tenant, filter=asked)).codes == ["not-found"]


async def test_ends_whose_names_run_into_each_other_stay_apart(hub: FlowHub, tenant: Scope, east: Member) -> None:
    await east.send(seal_flows(Spoke(east.registration), [flow("web", "api", 1)]))
    await hub.settle()
    workloads = ("a/bc/d", "ab/c/d", "a/b/cd", "a','b/c/d", "a/b','c/d", "a\\/'b/d", "a\\','b/c/d", "\u0000/Job/\\'")
    outside = End(OUTSIDE, "/external/e")
    rows = [
        EdgeRow(*ends, hour=AT // 3_600 * 3_600, measures=bytes_of(10**number + way))
        for number, each in enumerate(workloads, 2)
        for way, ends in enumerate([(End(east.registration, each), outside), (outside, End(east.registration, each))])
    ]
    await put_edges(hub.store, tenant, rows)
    edges = (await ask(hub, tenant))["edges"]
    assert [int(each["bytesTx"]) for each in edges] == [*(row.measures["bytes_tx"] for row in reversed(rows)), 1]
    assert {each["source"]["name"] for each in edges} == {"e", "web", "d", "cd", "\\'"}
