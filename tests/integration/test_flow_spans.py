"""Spans: hours that are added up ahead, so that a question about the last day reads less, and answers the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, cast

import pytest
from sqlalchemy import update

from periplus_hub.access.scope import Role, Scope
from periplus_hub.dependencies.model import EdgeFilter
from periplus_hub.dependencies.tables_edges import looked_at
from periplus_hub.flows import repository_blocks, repository_days, repository_rollup, repository_spans
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.jobs import FlowDaysJob, FlowRetentionJob, FlowSpansJob
from periplus_hub.flows.model import Span
from periplus_hub.flows.repository_partitions import clear, rows_of
from periplus_hub.flows.tables import hours as hours_table
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.graphql_hub import Door, door, token_for

AT, HOUR, DAY = seconds(START), 3_600, 86_400
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
LONG = FlowsConfig()
SHORT = FlowsConfig(flow_raw_days=1, flow_hourly_days=2, flow_daily_days=40)
EDGE = """{
  edges {
    source { namespace kind name rules } destination { namespace kind name rules } verdict ports { protocol port }
    bytesTx bytesRx packetsTx packetsRx connectionsOpened failures retransmits rttUs isPartUnmeasured sampling
    firstSeen lastSeen state silentSince onlySeenBy
  } edgeCount unresolvedCount unorderedCount coverage { ratio waitingSince wholeDaysUntil }
}"""
ASKED = f"""query($since: DateTime, $until: DateTime) {{
  workloads: dependencies(first: 200, since: $since, until: $until) {EDGE}
  namespaces: dependencies(
    first: 200, since: $since, until: $until, level: NAMESPACE, filter: {{port: 443, verdicts: [FORWARDED]}}
  ) {EDGE}
  clusters: dependencies(first: 200, since: $since, until: $until, level: CLUSTER, filter: {{states: [ACTIVE, NEW]}})
    {EDGE}
  dependencyMap(since: $since, until: $until, filter: {{crossCluster: true}}) {{
    nodes {{ ids states bytesSent bytesReceived bytesWithin failures }}
    edges {{ sources destinations states firstSeen lastSeen sums {{ bytesTx arePartUnmeasured rttUs }} }}
  }}
  clusterLinks(since: $since, until: $until, by: ZONE) {{ linkCount unresolved {{ sums {{ bytesTx }} }} }}
}}"""
_EDGES = """
    INSERT INTO edges_next
    WITH {clusters:Array(UUID)} AS ids, cityHash64(number, {salt:UInt64}) AS luck, cityHash64(luck, 1) AS many
    SELECT toDateTime({hour:UInt32}, 'UTC'), ids[number % 3 + 1], concat('team-', toString(number % 2)),
      ['Deployment', 'ambiguous', 'external'][number % 3 + 1], concat('w', toString(number % 5)),
      ids[luck % 3 + 1], 'shop', 'Deployment', concat('w', toString(luck % 4)), 'r', concat('z', toString(many % 2)),
      'r', '', [80, 443, 5432][number % 3 + 1], 6, number % 6, ['own-pod', 'told'][luck % 2 + 1], 'domain-pod',
      many % 1000003, many % 7, many % 11, luck % 5, luck % 3, luck % 2, many % 2, 0, luck % 4, many % 999, many % 5,
      luck % 9, bitAnd(many, 4095), bitAnd(luck, 4095), many % 1000, 0, luck % 8, 1 + many % 60,
      [1, 1, 8][many % 3 + 1],
      toDateTime({hour:UInt32} + 60 * (luck % 30), 'UTC'), toDateTime({hour:UInt32} + 1860 + 60 * (many % 30), 'UTC')
    FROM numbers({edges:UInt64})
"""


@pytest.fixture
async def hub(db: Database, flow_store: str) -> AsyncIterator[FlowHub]:
    async with flow_hub(db, flow_store) as opened:
        yield opened


class Fleet:
    """Clusters whose edges are made here, and somebody who asks about them with spans and without."""

    def __init__(self, hub: FlowHub, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hub, self.scope, self.patch = hub, scope, monkeypatch
        self.clock = cast("FakeClock", hub.db.clock)
        self.spans = FlowSpansJob(hub.db, hub.store)
        self.clusters: list[str] = []
        self.read: list[int] = []
        self.door: Door | None = None
        self.token = ""

    async def begin(self) -> None:
        """Each cluster told a minute a while ago and of late, so that some edges are judged silent."""
        for name in ("east", "west", "south"):
            member = await self.hub.door.member(self.scope, name)
            spoke = Spoke(member.registration)
            for at in (self.now - 8 * DAY, self.now - 300):
                await member.send(seal_flows(spoke, [Flow(WEB, API, at, BOTH, measures=bytes_of(1))]))
            self.clusters.append(str(member.registration))
        await self.hub.settle()
        self.token = await token_for(self.hub.db, self.scope, Role.VIEWER)
        plain = ColumnStore.query

        async def query(store: ColumnStore, whose: Any, statement: str, *given: Any, **named: Any) -> Any:
            self.read.append(statement.count("FROM edges_spans WHERE"))
            return await plain(store, whose, statement, *given, **named)

        self.patch.setattr(ColumnStore, "query", query)

    @property
    def now(self) -> int:
        return seconds(self.clock.now())

    @property
    def hour(self) -> int:
        return self.now // HOUR * HOUR

    async def make(self, hour: int, salt: int, edges: int) -> None:
        """The hour's edges are these from now on, whatever they were."""
        given = {"clusters": self.clusters, "hour": hour, "salt": salt, "edges": edges}
        await clear(self.scope, self.hub.store, "edges_next", lane="rollup")
        await self.hub.store.command(self.scope, _EDGES, given, lane="rollup")
        count = await rows_of(self.scope, self.hub.store, "edges_next", lane="rollup")
        async with self.hub.db.write(self.scope) as c:
            await repository_blocks.touch(c, self.scope, [hour], raw=True)
            dirty = {each.hour: each for each in await repository_blocks.dirty_hours(c, self.scope, 0)}
        await repository_rollup.replace_edges(self.scope, self.hub.store, hour, count)
        async with self.hub.db.write(self.scope) as c:
            await repository_blocks.note_rolled(c, self.scope, dirty[hour], count)

    async def add_up(self) -> None:
        await self.spans.run(self.clock.now())

    async def usable(self) -> tuple[Span, ...]:
        async with self.hub.db.read(self.scope) as c:
            return await repository_spans.usable_spans(c, self.scope)

    async def ask(self, config: FlowsConfig, since: int | None, until: int | None) -> Any:
        given = {"since": since, "until": until}
        times = {
            name: None if at is None else datetime.fromtimestamp(at, UTC).isoformat() for name, at in given.items()
        }
        asking = door(self.hub.db, self.clock, columns=self.hub.store, settings=config)
        return (await asking.ask(ASKED, self.token, **times)).good

    async def ask_both(self, config: FlowsConfig = LONG, since: int | None = None, until: int | None = None) -> int:
        """The same answer with spans as without; returns how many spans its statements read."""
        self.read.clear()
        found = await self.ask(config, since, until)
        read = sum(self.read)

        answer = repository_days.days_answer

        async def without_spans(*given: Any) -> Any:
            return replace(await answer(*given), spans=())

        with self.patch.context() as without:
            without.setattr(repository_days, "days_answer", without_spans)
            self.read.clear()
            assert await self.ask(config, since, until) == found
            assert sum(self.read) == 0
        return read

    async def stored(self) -> set[int]:
        rows = await self.hub.rows(self.scope, "SELECT DISTINCT toUnixTimestamp(hour) AS at FROM edges_spans")
        return {row["at"] for row in rows}

    async def drop(self, place: int) -> None:
        await self.hub.store.command(self.scope, f"ALTER TABLE edges_spans DROP PARTITION {place}", lane="days")


@pytest.fixture
async def fleet(hub: FlowHub, tenant: Scope, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    clock.advance(20 * DAY + 40 * 60)
    found = Fleet(hub, tenant, monkeypatch)
    await found.begin()
    return found


async def test_answers_are_the_same_with_spans_and_without(fleet: Fleet) -> None:
    """Of random edges, of which random hours become others, come late, or are not kept any more."""
    luck = Random(1)
    ages = [0, 1, 23, 24, 25, 8 * 24 - 1, *luck.sample(range(2, 9 * 24), 8)]
    for age in dict.fromkeys(ages):
        await fleet.make(fleet.hour - age * HOUR, luck.randrange(1_000), luck.randrange(1, 40))
    await FlowDaysJob(fleet.hub.db, fleet.hub.store).run(fleet.clock.now())
    await fleet.add_up()
    assert await fleet.ask_both() > 0
    await fleet.ask_both(LONG, fleet.hour - luck.randrange(2, 5) * DAY)
    await fleet.make(fleet.hour - luck.randrange(1, 24) * HOUR, luck.randrange(1_000), luck.randrange(40))
    assert await fleet.ask_both() > 0, "the week before is as it was"
    fleet.clock.advance(luck.randrange(60, 90) * 60)
    await FlowRetentionJob(fleet.hub.db, fleet.hub.store, SHORT).run(fleet.clock.now())
    await fleet.add_up()
    assert await fleet.ask_both(SHORT) > 0


async def test_a_question_about_the_last_day_reads_two_spans_and_the_hour_that_goes_on(fleet: Fleet) -> None:
    for ago in (0, 1, 5, 23, 24, 30, 8 * 24 - 1):
        await fleet.make(fleet.hour - ago * HOUR, ago, 5)
    await fleet.add_up()
    assert {
        ((fleet.hour - each.first) // HOUR, (fleet.hour - each.until) // HOUR) for each in await fleet.usable()
    } == {
        (24, 0),
        (192, 24),
        (23, 0),
        (191, 23),
    }
    day_ago = datetime.fromtimestamp(fleet.now - DAY, UTC)
    tables, given = looked_at(EdgeFilter(since=day_ago, until=fleet.clock.now(), spans=await fleet.usable()))
    assert len(tables) == 2
    assert given["first_0"] == fleet.hour
    assert "first_1" not in given
    assert given["span_rows"] == sum(each.rows for each in await fleet.usable() if (fleet.hour - each.first) % DAY == 0)
    fleet.clock.advance(HOUR)
    assert await fleet.ask_both() > 0, "what was made ahead is asked when the hour has turned"
    await fleet.add_up()
    assert await fleet.ask_both() > 0


async def test_a_span_of_which_an_hour_became_another_is_not_asked_until_it_is_made_again(fleet: Fleet) -> None:
    await fleet.make(fleet.hour - 3 * HOUR, 1, 9)
    await fleet.make(fleet.hour - 30 * HOUR, 1, 9)
    await fleet.add_up()
    before = await fleet.usable()
    assert len(before) == 4
    await fleet.make(fleet.hour - 3 * HOUR, 2, 9)
    assert {each.place for each in await fleet.usable()} == {each.place for each in before if each.until < fleet.hour}
    await fleet.ask_both()
    await fleet.add_up()
    again = await fleet.usable()
    assert len(again) == 4
    assert len({each.place for each in (*before, *again)}) == 6, "what was made is never changed"
    assert await fleet.ask_both() > 0
    assert {each.place for each in before} <= await fleet.stored(), "a question may be on its way"
    await fleet.add_up()
    assert await fleet.stored() == {each.place for each in again}


async def test_an_hour_that_lost_edges_for_good_is_another_one(fleet: Fleet) -> None:
    await fleet.make(fleet.hour - 3 * HOUR, 1, 9)
    await fleet.add_up()
    assert len(await fleet.usable()) > 0
    async with fleet.hub.db.write(fleet.scope) as c:
        lost = update(hours_table).where(hours_table.c.tenant_id == fleet.scope.tenant_id)
        await c.execute(lost.values(raw_lost=True))
    hour = fleet.hour - 3 * HOUR
    await fleet.hub.store.command(fleet.scope, f"ALTER TABLE edges_hourly DROP PARTITION {hour}", lane="days")
    await fleet.hub.roll_up()
    assert await fleet.ask_both() == 0


async def test_a_span_that_the_store_lost_is_not_missed(fleet: Fleet) -> None:
    """As where a damaged part was set aside, or an older backup of the store was put in place."""
    await fleet.make(fleet.hour - 3 * HOUR, 1, 9)
    await fleet.make(fleet.hour - 30 * HOUR, 1, 9)
    await fleet.add_up()
    assert await fleet.ask_both() > 0
    for span in await fleet.usable():
        await fleet.drop(span.place)
    assert await fleet.ask_both() > 0, "it was tried"
    await fleet.add_up()
    assert len(await fleet.stored()) == 4


async def test_a_tenant_without_edges_has_no_spans(fleet: Fleet) -> None:
    fleet.clock.advance(30 * DAY)
    await fleet.add_up()
    assert await fleet.usable() == ()
