"""What detectors say of flows, as `periplus findings list` asks for it: over real stores, from what spokes told."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.cli.findings_command import FINDINGS, ROUND
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.jobs_flows import FlowLookJob
from periplus_hub.findings.named_ends import MOST_DRAFTS
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.kit.errors import Unavailable

from tests.support.batches import Spoke, upsert
from tests.support.clock import START, FakeClock
from tests.support.edges import CLIENT, HOUR, OUTSIDE, SERVER, EdgeRow, End, put_edges
from tests.support.flow_hub import BOTH, MEMORY_BYTES, Flow, FlowHub, Peer, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import door, token_for
from tests.support.spokes_door import Member

DAY = 24 * HOUR
AT = seconds(START)
DAYS = 10
NOW = AT + DAYS * DAY
"""An hour has just begun; everything was told until a minute ago."""
LAB = Peer(workload="lab/Deployment/a")
OF_FLOWS = (
    *("new-peers", "vanished-dependencies", "one-sided-dependencies", "failing-dependencies", "slow-dependencies"),
    *("unmeasured-flows", "lost-flows", "stopped-flows"),
)


@dataclass
class Cluster:
    """What its spoke tells."""

    member: Member
    spoke: Spoke

    @property
    def id(self) -> UUID:
        return self.member.registration

    async def flows(self, *flows: Flow, **header: Any) -> None:
        await self.member.send(seal_flows(self.spoke, flows, **header))

    async def every_hour(self) -> None:
        """Up to now, in which nothing passed."""
        for day in range(DAYS):
            await self.flows(window_start_s=AT + day * DAY, window_s=DAY)

    async def has(self, **content: Any) -> None:
        await self.member.send(self.spoke.snapshot(content))


async def cluster(hub: FlowHub, scope: Scope, name: str) -> Cluster:
    member = await hub.door.member(scope, name)
    return Cluster(member, Spoke(member.registration))


@dataclass
class Watch:
    """Two clusters that told all hours of ten days, a hub that keeps looking, and somebody who lists findings."""

    hub: FlowHub
    clock: FakeClock
    scope: Scope
    east: "Cluster"
    west: "Cluster"
    looks: FlowLooks

    def __post_init__(self) -> None:
        self.job = FindingsJob(self.hub.db, None, FactLoader(self.looks))

    async def edges(self, rows: Iterable[EdgeRow]) -> None:
        await put_edges(self.hub.store, self.scope, rows)

    async def look(self, store: ColumnStore | None = None) -> None:
        """What the leader's jobs do."""
        now = self.clock.now()
        await FlowLookJob(self.hub.db, store or self.hub.store, self.looks).look(self.scope.tenant_id, now)

    async def listed(self) -> dict[str, list[str]]:
        """What goes on, by detector, after another round."""
        await self.job.run(self.clock.now())
        token = await token_for(self.hub.db, self.scope, Role.VIEWER)
        answer = await door(self.hub.db, self.clock).ask(FINDINGS, token, first=200, states=["OPEN", "ACKNOWLEDGED"])
        found: dict[str, list[str]] = {}
        for node in answer.good["findings"]["nodes"]:
            if node["detector"] in OF_FLOWS:
                found.setdefault(node["detector"], []).append(f"{node['severity'].lower()}: {node['title']}")
        return {detector: sorted(titles) for detector, titles in found.items()}

    async def undecided(self) -> set[str]:
        """Which detectors of flows could not tell, as the list says."""
        token = await token_for(self.hub.db, self.scope, Role.VIEWER)
        answer = await door(self.hub.db, self.clock).ask(ROUND, token)
        return {*answer.good["findingRound"]["undecided"]} & {*OF_FLOWS}


@pytest.fixture
async def watch(db: Database, clock: FakeClock, tenant: Scope, flow_store: str) -> AsyncIterator[Watch]:
    clock.advance(NOW - AT + 60)
    async with flow_hub(db, flow_store) as hub:
        east, west = await cluster(hub, tenant, "east"), await cluster(hub, tenant, "west")
        opened = Watch(hub, clock, tenant, east, west, FlowLooks())
        await east.every_hour()
        await west.every_hour()
        await east.flows(Flow(LAB, LAB, NOW - HOUR, BOTH))  # so that there is an hour with rows
        await hub.settle()
        yield opened


def ago(*hours: int) -> list[int]:
    return [NOW - hour * HOUR for hour in hours]


def passed(src: End, dst: End, hours: Iterable[int], **more: Any) -> list[EdgeRow]:
    return [EdgeRow(src, dst, hour, **more) for hour in hours]


STEADY = range(NOW - 4 * DAY, NOW, HOUR)
UNTIL_LATELY = range(NOW - 2 * DAY, NOW - 4 * HOUR, HOUR)


async def test_nothing_is_found_where_everything_is_as_ever(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    await watch.edges(passed(web, api, STEADY, reporters=CLIENT | SERVER))
    await watch.look()
    assert await watch.listed() == {}
    assert await watch.undecided() == set()


async def test_a_new_peer_is_told_at_the_coarsest_level_that_is_new(watch: Watch) -> None:
    east, west = watch.east.id, watch.west.id
    web, cart, db = (End(east, name) for name in ("shop/Deployment/web", "shop/Deployment/cart", "data/StatefulSet/db"))
    api, card = End(west, "pay/Deployment/api"), End(west, "pay/Deployment/card")
    nodes = [End(east, f"/Node/n{number}") for number in range(2)]
    ranges = [End(OUTSIDE, f"/external/198.51.{number}.0/24") for number in range(2)]
    known = [(web, cart), (web, api), (api, card), (cart, ranges[0]), (nodes[0], db), (db, db)]
    new = [
        (cart, api),  # a known pair of namespaces, not of workloads
        (cart, ranges[1]),  # outside is outside
        (nodes[1], db),  # a node is a node
        (web, End(east, "shop/Deployment/canary")),  # of a workload that was not known
        (db, ranges[0]),  # the namespace never went outside
        (api, web),  # a known pair, the other way round
        (End(east, "/ambiguous/10.1.0.9"), db),
        (End(OUTSIDE, "/address/10.9.0.9"), db),
    ]
    await watch.edges([row for pair in known for row in passed(*pair, STEADY, reporters=CLIENT)])
    await watch.edges([row for pair in new for row in passed(*pair, ago(2), reporters=CLIENT)])
    await watch.look()
    assert (await watch.listed())["new-peers"] == [
        "warning: data@east talks to outside for the first time",
        "warning: shop/cart@east talks to pay/api@west for the first time",
        "warning: west talks to east for the first time",
    ]
    watch.clock.advance(DAY)
    await watch.look()
    assert "new-peers" not in await watch.listed(), "it is new for a day"


async def test_a_vanished_dependency_is_told_and_closed_when_something_passes(watch: Watch) -> None:
    east, west = watch.east.id, watch.west.id
    web, api, job = End(east, "shop/Deployment/web"), End(west, "pay/Deployment/api"), End(east, "shop/CronJob/nightly")
    await watch.edges(passed(web, api, UNTIL_LATELY, reporters=CLIENT | SERVER))
    await watch.edges(
        passed(job, api, range(NOW - 9 * DAY - 30 * HOUR, NOW - 29 * HOUR, DAY), reporters=CLIENT | SERVER)
    )
    await watch.look()
    vanished = {"vanished-dependencies": ["warning: shop/web@east talks to pay/api@west no more"]}
    assert await watch.listed() == vanished, "what runs once a day is not missed after 30 hours"
    await watch.edges(passed(web, api, ago(0), reporters=CLIENT | SERVER, last_s=60))
    assert await watch.listed() == vanished, "until somebody looks"
    await watch.look()
    assert await watch.listed() == {}


async def test_what_was_scaled_to_zero_or_deleted_is_said_to_be(watch: Watch) -> None:
    east = watch.east.id
    web, api, db = (End(east, f"shop/Deployment/{name}") for name in ("web", "api", "db"))
    wanted = {"web": 2, "api": 0}
    rows = [upsert(name, namespace="shop", name=name, kind="Deployment", replicas=wanted[name]) for name in wanted]
    await watch.east.has(workloads=rows, sources=[upsert("apps/deployments", state="ok", objects=2)])
    await watch.edges([*passed(web, api, UNTIL_LATELY), *passed(web, db, UNTIL_LATELY)])
    await watch.look()
    assert await watch.listed() == {
        "vanished-dependencies": [
            "info: shop/api@east is scaled to zero, and nothing passes any more between it and shop/web@east",
            "info: shop/db@east was deleted, and nothing passes any more between it and shop/web@east",
        ]
    }


async def test_what_one_side_alone_reports_is_told_for_its_clusters(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    card = End(watch.west.id, "pay/Deployment/card")
    await watch.edges(passed(web, api, STEADY, reporters=CLIENT))
    await watch.edges(passed(web, card, STEADY, reporters=CLIENT | SERVER))
    await watch.look()
    assert await watch.listed() == {"one-sided-dependencies": ["info: What east and west say of each other differs"]}


async def test_failures_and_round_trips_are_held_against_their_own_hours(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    counted = {"connections_opened": 100, "failures_refused": 1, "failures_timeout": 0}
    usual = {**counted, "rtt_us_sum": 400_000, "rtt_count": 40}
    bad = {**counted, "failures_refused": 70, "rtt_us_sum": 4_000_000, "rtt_count": 40}
    both = {"reporters": CLIENT | SERVER}
    await watch.edges(passed(web, api, STEADY[:-1], measures=usual, **both))
    await watch.edges(passed(web, api, STEADY[-1:], measures=bad, **both))
    await watch.look()
    assert await watch.listed() == {
        "failing-dependencies": ["critical: Connections to pay/api@west fail more often than usual"],
        "slow-dependencies": ["warning: Round trips between east and west take longer than usual"],
    }
    await watch.edges(passed(web, api, ago(0), measures=usual, last_s=60, **both))
    await watch.look()
    assert await watch.listed() == {}


async def test_what_was_off_is_not_over_because_nothing_is_told_since(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    counted = {"connections_opened": 100, "failures_refused": 1, "failures_timeout": 0}
    usual = {**counted, "rtt_us_sum": 400_000, "rtt_count": 40}
    bad = {**counted, "failures_refused": 70, "rtt_us_sum": 4_000_000, "rtt_count": 40}
    await watch.edges(passed(web, api, STEADY[:-1], measures=usual, reporters=CLIENT | SERVER))
    await watch.edges(passed(web, api, STEADY[-1:], measures=bad, reporters=CLIENT | SERVER))
    await watch.look()
    before = await watch.listed()
    assert before.keys() == {"failing-dependencies", "slow-dependencies"}
    watch.clock.advance(8 * HOUR)
    await watch.look()
    after = await watch.listed()
    assert {detector: after.get(detector) for detector in before} == before


async def test_a_few_failures_of_few_connections_are_as_bad_as_many_of_many(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    usual = {"connections_opened": 20, "failures_refused": 0, "failures_timeout": 0}
    await watch.edges(passed(web, api, STEADY[:-1], measures=usual, reporters=CLIENT | SERVER))
    bad = {**usual, "failures_refused": 9}
    await watch.edges(passed(web, api, STEADY[-1:], measures=bad, reporters=CLIENT | SERVER))
    await watch.look()
    assert await watch.listed() == {
        "failing-dependencies": ["warning: Connections to pay/api@west fail more often than usual"]
    }


async def test_what_has_been_slow_for_busy_days_is_still_slow(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    usual, slow = {"rtt_us_sum": 400_000, "rtt_count": 40}, {"rtt_us_sum": 200_000_000, "rtt_count": 4_000}
    both = {"reporters": CLIENT | SERVER}
    await watch.edges(passed(web, api, STEADY[:-40], measures=usual, **both))
    await watch.edges(passed(web, api, STEADY[-40:], measures=slow, **both))
    await watch.look()
    assert await watch.listed() == {
        "slow-dependencies": ["warning: Round trips between east and west take longer than usual"]
    }


async def test_what_sources_say_that_they_lack_is_told(watch: Watch) -> None:
    mark = FlowsMark(observed=1_000, unmeasured=400, lost={"evicted": 300})
    await watch.east.flows(Flow(LAB, LAB, NOW - 60, BOTH), flows=mark)
    await watch.look()
    assert await watch.listed() == {
        "lost-flows": ["warning: east: its sources of flows miss much"],
        "unmeasured-flows": ["warning: east: bytes of flows are not counted"],
    }


async def test_a_tenant_without_flows_needs_no_engine_and_misses_nothing(
    db: Database, clock: FakeClock, tenant: Scope, tmp_path: Path
) -> None:
    async with flow_hub(db, tmp_path / "flows") as hub:
        east = await cluster(hub, tenant, "east")
        watch = Watch(hub, clock, tenant, east, east, FlowLooks())
        await watch.look()
        assert await watch.listed() == {}
        assert await watch.undecided() == set()
        assert not hub.store.is_open


@pytest.mark.promise("no-false-all-clear")
async def test_while_the_flow_store_is_away_findings_stay_and_it_is_said(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    await watch.edges(passed(web, api, UNTIL_LATELY, reporters=CLIENT | SERVER))
    await watch.look()
    before = await watch.listed()
    assert before
    watch.clock.advance(16 * 60)
    away = ColumnStore("clickhouse://127.0.0.1:1", memory_bytes=MEMORY_BYTES)
    with pytest.raises(Unavailable):
        await watch.look(away)
    await away.close()
    assert await watch.listed() == before
    assert await watch.undecided() == {*OF_FLOWS[:5]}, "what is told of coverage is known without the store"


async def test_what_is_not_made_edges_of_yet_is_not_missed(watch: Watch) -> None:
    web, api = End(watch.east.id, "shop/Deployment/web"), End(watch.west.id, "pay/Deployment/api")
    await watch.edges(passed(web, api, UNTIL_LATELY, reporters=CLIENT | SERVER))
    async with watch.hub.db.write(watch.scope) as c:
        late = "UPDATE flow_hours SET raw_version = raw_version + 1, rolled_at = now() - interval '20 min'"
        await c.execute(text(late))
    await watch.look()
    assert await watch.listed() == {}
    assert await watch.undecided() == {*OF_FLOWS[:5]}
    await watch.hub.roll_up()
    await watch.look()
    assert [*await watch.listed()] == ["vanished-dependencies"]


async def test_ten_thousand_edges_are_a_few_statements_and_findings(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    east, west = watch.east.id, watch.west.id
    hub = End(west, "hub/Deployment/hub")
    many = [End(east, f"team-{number % 200}/Deployment/app-{number}") for number in range(10_000)]
    await watch.edges([EdgeRow(app, app, hour) for app in many for hour in ago(9 * 24, 3)])
    await watch.edges(passed(hub, hub, ago(9 * 24, 3)))
    await watch.edges([EdgeRow(many[0], hub, hour, CLIENT) for hour in ago(9 * 24)])
    await watch.edges([EdgeRow(app, hub, hour, CLIENT) for app in many for hour in ago(3)])
    asked: list[str] = []
    query = watch.hub.store.query

    async def counted(scope: Scope, statement: str, *arguments: Any, **named: Any) -> Any:
        asked.append(statement)
        return await query(scope, statement, *arguments, **named)

    monkeypatch.setattr(watch.hub.store, "query", counted)
    with count_statements() as statements:
        await watch.look()
    assert len(asked) == 6
    assert statements.total <= 20
    found = (await watch.listed())["new-peers"]
    assert len(found) == MOST_DRAFTS + 1
    assert sum("There are more new peers" in each for each in found) == 1
