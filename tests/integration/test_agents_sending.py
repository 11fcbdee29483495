"""Agents of the nodes of a cluster: what they may send, and whose it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from periplus_contract import tables
from periplus_contract.outcomes import Outcome
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import service
from periplus_hub.fleet.jobs import ClusterRule, RetentionJob
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.fleet.repository_retention import silent_agents
from periplus_hub.fleet.tables import agents
from periplus_hub.ingest.repository_retention import records_before
from periplus_hub.ingest.tables import batches, beats
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.completeness import completeness
from tests.support.node_flows import CONNECTIONS, Connections, audited, flows, refusal, rows_of
from tests.support.spokes_door import Door, RefusedByHubError, open_door


@pytest.fixture(autouse=True)
def known_to_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.TABLES, Kind.FLOWS, (CONNECTIONS,))


@pytest.fixture
def kept() -> Connections:
    return Connections()


@pytest.fixture
async def door(db: Database, kept: Connections) -> AsyncIterator[Door]:
    opened = open_door(db, appliers=(kept,))
    yield opened
    opened.intake.close()


async def test_what_an_agent_sends_is_its_clusters(door: Door, tenant: Scope, kept: Connections) -> None:
    cluster, other = await door.member(tenant), await door.member(tenant, "prod-2")
    agent = await door.agent(tenant, cluster.registration)
    answer = await agent.send(flows(Spoke(agent.registration), "10.0.0.1"))
    assert (answer.result, answer.settled_through, answer.wants_snapshot) == ("accepted", 1, False)
    assert kept.rows == [(cluster.registration, agent.registration, "10.0.0.1")]
    assert (await cluster.send(flows(Spoke(cluster.registration), "10.0.0.2"))).result == "accepted"
    assert kept.rows[1:] == [(cluster.registration, None, "10.0.0.2")]
    assert await completeness(door.db, tenant, other.registration) == []


async def test_agents_number_their_batches_each_for_itself(door: Door, tenant: Scope, kept: Connections) -> None:
    cluster = await door.member(tenant)
    members = [await door.agent(tenant, cluster.registration, f"node-{number}") for number in range(4)]
    batches_of_all = [
        flows(Spoke(member.registration), f"of {number}", node=member.name)
        for number, member in enumerate((*members, cluster))
    ]
    sent = list(zip((*members, cluster), batches_of_all, strict=True))
    answers = await asyncio.gather(*(member.send(batch) for member, batch in sent))
    assert {answer.result for answer in answers} == {"accepted"}
    assert {(await member.send(batch)).result for member, batch in sent} == {"duplicate"}
    assert sorted(to for _, _, to in kept.rows) == [f"of {number}" for number in range(5)]


async def test_the_accounts_of_a_cluster_are_the_sum_of_all_who_send_for_it(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    members = [await door.agent(tenant, cluster.registration, f"node-{number}") for number in range(6)]
    hours = [int(START.timestamp()) // 3600 * 3600 - 3600 * number for number in range(2)]
    sent = []
    for number, member in enumerate(members):
        ordered = hours if number % 2 else hours[::-1]
        outcomes = tuple(
            Outcome(hour_start_s=hour, kind=Kind.FLOWS, collected=3, dropped={"late": 1}) for hour in ordered
        )
        sent.append(member.send(flows(Spoke(member.registration, outcomes=outcomes), "a", None, node=member.name)))
    await asyncio.gather(*sent)
    found = await completeness(door.db, tenant, cluster.registration)
    told = [(each.collected, each.settled, each.rejected, each.dropped) for each in found]
    assert told == [(18, 12, 6, {"late": 6}), (18, 0, 0, {"late": 6})]


@pytest.mark.promise("agents-tell-of-their-node")
@pytest.mark.parametrize("kind", [Kind.INVENTORY, Kind.IPAM])
async def test_an_agent_tells_nothing_of_the_whole_cluster(door: Door, tenant: Scope, kind: Kind) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration)
    spoke = Spoke(agent.registration)
    sealed = spoke.snapshot({"pods": [pod("a")]}) if kind is Kind.INVENTORY else spoke.ipam({"pools": []})
    with pytest.raises(RefusedByHubError) as refused:
        await agent.send(sealed)
    assert refused.value.slug == "not-of-agents"
    assert kind.value in refused.value.problem.detail
    (attempt,) = await audited(door, tenant, "spoke:agent:refuse")
    assert attempt.object_id == str(agent.registration)
    assert (await agent.send(flows(spoke, "10.0.0.1"))).result == "accepted", "the next one goes on"


@pytest.mark.promise("agents-tell-of-their-node")
async def test_an_agent_speaks_for_no_other(door: Door, tenant: Scope, kept: Connections) -> None:
    cluster, other = await door.member(tenant), await door.member(tenant, "prod-2")
    agent = await door.agent(tenant, cluster.registration, "node-1")
    neighbour = await door.agent(tenant, cluster.registration, "node-2")
    for claimed in (cluster.registration, other.registration, neighbour.registration):
        assert await refusal(agent.send(flows(Spoke(claimed), "10.0.0.1"))) == "wrong-identity"
    assert kept.rows == []


@pytest.mark.promise("agents-tell-of-their-node")
async def test_an_agent_tells_of_its_own_node(door: Door, tenant: Scope, kept: Connections) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration, "node-1")
    spoke = Spoke(agent.registration)
    for node in ("node-2", ""):
        assert await refusal(agent.send(flows(spoke, "10.0.0.1", node=node))) == "not-of-agents"
    assert kept.rows == []
    assert (await cluster.send(flows(Spoke(cluster.registration), "10.0.0.1", node=""))).result == "accepted"


async def test_a_heartbeat_of_an_agent_says_nothing_of_the_spoke(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration)
    clock.advance(30)
    answer = await agent.beat(last_seq=3, queued_batches=0, queued_bytes=7)
    assert (answer.wants_snapshot, answer.newest_epoch) == (False, "")
    (row,) = await rows_of(door, tenant, agents)
    assert (row.heard_at, row.queued_bytes) == (clock.now(), 7)
    async with door.db.read(tenant) as c:
        (registration,) = await all_registrations(c, tenant)
    assert registration.last_seen_at is None


async def test_outcomes_of_agents_heartbeats_are_booked_once_each(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    members = [await door.agent(tenant, cluster.registration, node) for node in ("node-1", "node-2")]
    hour = int(START.timestamp()) // 3600 * 3600
    for member in (*members, *members):
        await member.beat(outcomes=(Outcome(hour_start_s=hour, kind=Kind.FLOWS, collected=5),))
    assert [each.collected for each in await completeness(door.db, tenant, cluster.registration)] == [10]


async def test_a_silent_agent_is_forgotten_and_what_it_sent_stays(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    gone, there = [await door.agent(tenant, cluster.registration, node) for node in ("node-1", "node-2")]
    for member in (gone, there):
        await member.send(flows(Spoke(member.registration), "a", node=member.name))
        await member.beat()
    clock.advance(3 * 86_400)
    await there.renew()
    await there.beat(monotonic_us=2)
    clock.advance(5 * 86_400)
    rules = [ClusterRule(7, silent_agents), ClusterRule(35, records_before)]
    await RetentionJob(door.db, rules, []).run(clock.now())
    assert [row.id for row in await rows_of(door, tenant, agents)] == [there.registration]
    assert [row.sender_id for row in await rows_of(door, tenant, beats)] == [there.registration]
    assert len(await rows_of(door, tenant, batches)) == 2
    assert await refusal(gone.renew()) == "proof-refused"
    again = await gone.enrol(await door.agents_token(tenant, cluster.registration))
    assert again.registration != str(gone)


async def test_nothing_is_left_of_the_agents_of_a_forgotten_cluster(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration)
    await agent.send(flows(Spoke(agent.registration), "a", None))
    await agent.beat()
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, clock, cluster.registration)
    clock.advance(36 * 86_400)
    await RetentionJob(door.db, [ClusterRule(35, records_before)], []).run(clock.now())
    for table in (agents, batches, beats):
        assert await rows_of(door, tenant, table) == []


async def test_a_contact_of_a_spoke_and_its_agents_is_noted_in_one_go(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration)
    spoke = Spoke(cluster.registration)
    clock.advance(10)
    await asyncio.gather(
        cluster.send(spoke.snapshot({"pods": [pod("a")]})), agent.send(flows(Spoke(agent.registration), "a"))
    )
    async with door.db.read(tenant) as c:
        heard = await c.scalar(select(func.max(agents.c.heard_at)))
        (registration,) = await all_registrations(c, tenant)
    assert heard == registration.last_seen_at == START + timedelta(seconds=10)
