"""GraphQL `topFlows` and `flowSeries`: what passed most, and when, with what is not known kept apart from nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database, count_statements

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Answer, door, token_for
from tests.support.spokes_door import Member

AT = seconds(START)
TOP = """query($by: FlowMeasure!, $filter: DependencyFilter, $first: Int!) {
  topFlows(by: $by, filter: $filter, first: $first) {
    sources { clusterNames namespaces kinds names } destinations { clusterNames namespaces kinds names }
    protocols ports verdicts values arePartUnmeasured flowCount unmeasuredCount total coverage { ratio }
  }
}"""
SERIES = """query($by: FlowMeasure!, $filter: DependencyFilter, $since: DateTime) {
  flowSeries(by: $by, filter: $filter, since: $since) { stepS timestamps values isPartUnmeasured coverage { ratio } }
}"""
WEB, API, DB = (Peer(workload=f"shop/Deployment/{name}") for name in ("web", "api", "db"))
DROPPED = 2


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


async def asked(hub: FlowHub, scope: Scope, document: str, **variables: Any) -> Answer:
    token = await token_for(hub.db, scope, Role.VIEWER)
    given = {"by": "BYTES", "first": 10, **variables}
    wanted = {name: value for name, value in given.items() if f"${name}:" in document}
    return await door(hub.db, cast("FakeClock", hub.db.clock), columns=hub.store).ask(document, token, **wanted)


async def top(hub: FlowHub, scope: Scope, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await asked(hub, scope, TOP, **variables)).good["topFlows"]
    return found


async def series(hub: FlowHub, scope: Scope, **variables: Any) -> list[str | None]:
    found: list[str | None] = (await asked(hub, scope, SERIES, **variables)).good["flowSeries"]["values"]
    return found


async def told(hub: FlowHub, scope: Scope, name: str, flows: list[Flow], spoke: Spoke | None = None) -> Member:
    member = await hub.door.member(scope, name)
    await member.send(seal_flows(spoke or Spoke(member.registration), flows))
    await hub.settle()
    return member


def names(found: dict[str, Any]) -> list[tuple[str, str, int, str | None]]:
    columns = (found["sources"]["names"], found["destinations"]["names"], found["ports"], found["values"])
    return list(zip(*columns, strict=True))


async def test_the_most_first_and_what_nobody_counted_last(hub: FlowHub, tenant: Scope) -> None:
    flows = [
        Flow(WEB, API, AT, BOTH, port=80, measures=bytes_of(5, 2)),
        Flow(WEB, API, AT + 60, BOTH, port=443, measures=bytes_of(100) | {"retransmits": 3}),
        Flow(API, DB, AT, BOTH, port=5432, measures={"connections_opened": 9}),
        Flow(WEB, DB, AT, BOTH, port=5432, verdict=DROPPED, measures={"failures_refused": 4, "failures_other": 1}),
    ]
    await told(hub, tenant, "east", flows)
    found = await top(hub, tenant)
    assert names(found) == [
        ("web", "api", 443, "100"),
        ("web", "api", 80, "7"),
        ("api", "db", 5432, None),
        ("web", "db", 5432, None),
    ]
    assert (found["flowCount"], found["unmeasuredCount"], found["total"]) == (4, 2, "107")
    assert found["sources"]["clusterNames"] == ["east"] * 4
    assert found["arePartUnmeasured"] == [False] * 4
    failed = await top(hub, tenant, by="FAILURES", first=1)
    assert (names(failed), failed["verdicts"]) == ([("web", "db", 5432, "5")], ["DROPPED"])
    assert (failed["flowCount"], failed["unmeasuredCount"]) == (4, 3)
    assert names(await top(hub, tenant, by="RETRANSMITS", first=1)) == [("web", "api", 443, "3")]
    assert names(await top(hub, tenant, by="CONNECTIONS", first=1)) == [("api", "db", 5432, "9")]


async def test_a_mean_is_of_all_that_was_measured(hub: FlowHub, tenant: Scope) -> None:
    flows = [
        Flow(WEB, API, AT, BOTH, measures={"rtt_us_sum": 900, "rtt_count": 3}),
        Flow(WEB, API, AT + 60, BOTH, measures={"rtt_us_sum": 101, "rtt_count": 1}),
        Flow(WEB, DB, AT, BOTH, measures=bytes_of(5)),
    ]
    await told(hub, tenant, "east", flows)
    found = await top(hub, tenant, by="RTT")
    assert names(found) == [("web", "api", 443, "250"), ("web", "db", 443, None)]
    assert (found["total"], found["arePartUnmeasured"]) == (None, [False, False])


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"source": {"name": "api"}}, ["2"]),
    ({"destination": {"name": "api", "namespace": "shop"}}, ["1"]),
    ({"either": {"name": "api"}}, ["2", "1"]),
    ({"source": {"name": "db"}}, []),
    ({"port": 5432}, ["4", "2"]),
    ({"protocol": 17}, ["4"]),
    ({"verdicts": ["DROPPED"]}, ["4"]),
    ({"crossCluster": True}, []),
    ({"source": {"name": "web"}, "destination": {"name": "db"}, "port": 5432}, ["4"]),
]


async def test_filters_apply_together(hub: FlowHub, tenant: Scope) -> None:
    flows = [
        Flow(WEB, API, AT, BOTH, measures=bytes_of(1)),
        Flow(API, DB, AT, BOTH, port=5432, measures=bytes_of(2)),
        Flow(WEB, DB, AT, BOTH, port=5432, protocol=17, verdict=DROPPED, measures=bytes_of(4)),
    ]
    member = await told(hub, tenant, "east", flows)
    for of, values in FILTERS:
        assert (await top(hub, tenant, filter=of))["values"] == values, of
        assert await series(hub, tenant, filter=of) == [None] * 24 + [str(sum(map(int, values)))], of
    cluster = {"source": {"cluster": f"Cluster:{member.registration}"}}
    assert len((await top(hub, tenant, filter=cluster))["values"]) == 3


async def test_an_hour_is_nothing_only_where_a_cluster_told_of_it(
    hub: FlowHub, clock: FakeClock, tenant: Scope
) -> None:
    clock.advance(4 * 3_600)
    silent = await hub.door.member(tenant, "west")
    spoke_flows = [
        Flow(WEB, API, AT, BOTH, measures=bytes_of(1)),
        Flow(WEB, API, AT + 3_600, BOTH, measures={"packets_tx": 1}),
        Flow(API, DB, AT + 3 * 3_600, BOTH, measures=bytes_of(8)),
    ]
    east = await hub.door.member(tenant, "east")
    spoke = Spoke(east.registration)
    for flow in spoke_flows:
        await east.send(seal_flows(spoke, [flow]))
    await hub.settle()
    since = (START - timedelta(hours=1)).isoformat()
    assert await series(hub, tenant, since=since) == [None, "1", None, None, "8", None]
    web = {"source": {"name": "web"}}
    assert await series(hub, tenant, since=since, filter=web) == [None, "1", None, None, "0", None]
    of_west = {"either": {"cluster": f"Cluster:{silent.registration}"}}
    assert await series(hub, tenant, since=since, filter=of_west) == [None] * 6, "west tells nothing"


async def test_what_waits_for_the_store_is_not_nothing(hub: FlowHub, clock: FakeClock, tenant: Scope) -> None:
    await told(hub, tenant, "east", [Flow(WEB, API, AT, BOTH, measures=bytes_of(1))])
    clock.advance(3_600)
    west = await hub.door.member(tenant, "west")
    await west.send(seal_flows(Spoke(west.registration), [Flow(WEB, DB, AT + 3_600, BOTH, measures=bytes_of(2))]))
    since = START.isoformat()
    assert await series(hub, tenant, since=since) == ["1", None]
    await hub.settle()
    assert await series(hub, tenant, since=since) == ["1", "2"]


async def test_another_tenant_sees_nothing_of_it(hub: FlowHub, tenant: Scope, other_tenant: Scope) -> None:
    mine = await told(hub, tenant, "east", [Flow(WEB, API, AT, BOTH, measures=bytes_of(5))])
    await told(hub, other_tenant, "north", [Flow(API, WEB, AT, BOTH, measures=bytes_of(6))])
    assert names(await top(hub, other_tenant)) == [("api", "web", 443, "6")]
    assert (await series(hub, other_tenant))[-1] == "6"
    foreign = {"source": {"cluster": f"Cluster:{mine.registration}"}}
    for document in (TOP, SERIES):
        assert (await asked(hub, other_tenant, document, filter=foreign)).codes == ["not-found"]


async def test_what_cannot_be_asked_is_refused(hub: FlowHub, tenant: Scope) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        (TOP, {"filter": {"port": 65_536}}),
        (TOP, {"filter": {"protocol": -1}}),
        (SERIES, {"filter": {"states": ["NEW"]}}),
        (SERIES, {"since": "2019-01-01T00:00:00Z"}),
        (SERIES, {"since": "2030-01-01T00:00:00Z"}),
    ]
    for document, variables in wrong:
        assert (await asked(hub, tenant, document, **variables)).codes == ["invalid"], variables


async def test_statements_do_not_grow_with_the_answer(hub: FlowHub, tenant: Scope) -> None:
    peers = [Peer(workload=f"shop/Deployment/d-{number}") for number in range(40)]
    for name in ("east", "west"):
        await told(hub, tenant, name, [Flow(WEB, peer, AT, BOTH, measures=bytes_of(1)) for peer in peers])
    with count_statements() as counted:
        assert len((await top(hub, tenant, first=100))["values"]) == 80
    assert counted.total <= 12
