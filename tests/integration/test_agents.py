"""Agents of the nodes of a cluster: how they join, and how they end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from periplus_contract import tables
from periplus_contract.tables import Kind
from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.fleet import model, service, service_agents
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.fleet.tables import agents, credentials
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Conflict, Forbidden, Invalid, NotFound

from tests.support.batches import Spoke
from tests.support.clock import FakeClock
from tests.support.node_flows import CONNECTIONS, OTHER_EPOCH, Connections, audited, flows, refusal, rows_of
from tests.support.small_order import keys_of_small_order
from tests.support.spokes_door import Door, Member, NodeMember, RefusedByHubError, open_door


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


async def test_an_agent_joins_by_the_token_of_its_cluster_and_waits_for_nobody(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    agent = NodeMember(door, "node-1")
    answer = await agent.enrol(await door.agents_token(tenant, cluster.registration))
    assert (answer.state, answer.cluster_name) == ("active", "prod-1")
    assert answer.registration != str(cluster.registration)
    await agent.renew()
    (made,) = await audited(door, tenant, "spoke:agent:enrol")
    assert made.after["node"] == "node-1"
    assert made.object_id == answer.registration


async def test_one_token_is_for_every_node(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    members = [NodeMember(door, f"node-{number}") for number in range(8)]
    answers = await asyncio.gather(*(member.enrol(token) for member in members))
    assert len({answer.registration for answer in answers}) == 8


async def test_a_cluster_with_agents_is_still_one_cluster(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    for node in ("node-1", "node-2"):
        await door.agent(tenant, cluster.registration, node)
    async with door.db.read(tenant) as c:
        assert [each.id for each in await all_registrations(c, tenant)] == [cluster.registration]


@pytest.mark.promise("revoked-is-out")
async def test_revoking_a_cluster_revokes_its_agents(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    agent = await door.agent(tenant, cluster.registration)
    await agent.beat()
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, clock, cluster.registration)
    assert await refusal(agent.send(flows(Spoke(agent.registration), "a"))) == "revoked"
    assert await refusal(agent.beat()) == "revoked"
    assert await refusal(agent.renew()) in {"revoked", "proof-refused"}
    assert await refusal(NodeMember(door, "node-9").enrol(token)) == "revoked"
    assert await rows_of(door, tenant, credentials) == []


@pytest.mark.promise("revoked-is-out")
async def test_a_revoked_agent_is_out_and_its_key_does_not_come_back(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    cluster = await door.member(tenant)
    agent, neighbour = [await door.agent(tenant, cluster.registration, node) for node in ("node-1", "node-2")]
    await agent.beat()
    async with door.db.write(tenant) as c:
        assert await service_agents.revoke_agent(c, tenant, clock, agent.registration) == cluster.registration
        await service_agents.revoke_agent(c, tenant, clock, agent.registration)
    assert await refusal(agent.send(flows(Spoke(agent.registration), "a"))) == "revoked"
    assert await refusal(agent.renew()) in {"revoked", "proof-refused"}
    assert await refusal(agent.enrol(await door.agents_token(tenant, cluster.registration))) == "revoked"
    assert (await neighbour.send(flows(Spoke(neighbour.registration), "a", node="node-2"))).result == "accepted"
    assert len(await audited(door, tenant, "fleet:agent:revoke")) == 1


@pytest.mark.promise("identity-is-proven")
async def test_the_token_ends_and_can_be_withdrawn(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration, lifetime_days=2)
    clock.advance(2 * 86_400 - 1)
    await NodeMember(door, "node-1").enrol(token)
    clock.advance(2)
    assert await refusal(NodeMember(door, "node-2").enrol(token)) == "proof-refused"
    async with door.db.write(tenant) as c:
        new = await service_agents.create_agents_token(c, tenant, clock, cluster.registration)
        await service.withdraw_join_token(c, tenant, new.token.id)
    assert await refusal(NodeMember(door, "node-2").enrol(new.text)) == "proof-refused"


@pytest.mark.promise("identity-is-proven")
async def test_tokens_of_agents_and_of_spokes_are_not_good_for_each_other(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    of_agents, of_spoke = await door.agents_token(tenant, cluster.registration), await door.join_token(tenant)
    assert await refusal(Member(door, "prod-9").enrol(of_agents)) == "proof-refused"
    assert await refusal(NodeMember(door, "node-1").enrol(of_spoke)) == "proof-refused"
    assert await refusal(NodeMember(door, "node-1").enrol(of_agents + "x")) == "proof-refused"
    assert (await Member(door, "prod-9").enrol(of_spoke)).state == "pending", "it is still unused"


async def test_a_lost_answer_may_be_asked_for_again(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    agent = NodeMember(door, "node-1")
    assert await agent.enrol(token) == await agent.enrol(token)
    assert await refusal(agent.enrol(token, node_name="node-2")) == "proof-refused", "a key is one node's"


@pytest.mark.promise("agents-tell-of-their-node")
async def test_a_node_whose_agent_is_heard_has_no_room_for_another(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    first = await door.agent(tenant, cluster.registration, "node-1")
    clock.advance(60)
    with pytest.raises(RefusedByHubError, match="heard 60 s ago") as refused:
        await NodeMember(door, "node-1").enrol(token)
    assert (refused.value.slug, refused.value.retry_after) == ("node-has-agent", "31")
    await first.beat()
    clock.advance(31)
    assert await refusal(NodeMember(door, "node-1").enrol(token)) == "node-has-agent", "it was heard again"
    assert (await first.send(flows(Spoke(first.registration), "a"))).result == "accepted"


async def test_an_agent_that_lost_its_state_follows_the_one_it_was(
    door: Door, tenant: Scope, clock: FakeClock, kept: Connections
) -> None:
    cluster = await door.member(tenant)
    lives = []
    for _ in range(3):
        agent = await door.agent(tenant, cluster.registration, "node-1")
        await agent.send(flows(Spoke(agent.registration), "a"))
        lives.append(agent)
        clock.advance(91)
    rows = sorted(await rows_of(door, tenant, agents), key=lambda row: row.earlier)
    assert [(row.id, row.end_reason, row.earlier) for row in rows] == [
        (lives[0].registration, "superseded", 0),
        (lives[1].registration, "superseded", 1),
        (lives[2].registration, None, 2),
    ]
    assert await refusal(lives[0].send(flows(Spoke(lives[0].registration, OTHER_EPOCH), "b"))) == "revoked"
    assert await refusal(lives[0].renew()) in {"revoked", "proof-refused"}
    assert (await lives[2].send(flows(Spoke(lives[2].registration, OTHER_EPOCH), "b"))).result == "accepted"
    assert [cluster for cluster, _, _ in kept.rows] == [cluster.registration] * 4


async def test_two_agents_of_one_node_race_for_one_place(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    ended = await asyncio.gather(*(NodeMember(door, "node-1").enrol(token) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in ended) == 1


async def test_a_cluster_has_so_many_agents_and_no_more(
    door: Door, tenant: Scope, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_agents, "MAX_AGENTS", 3)
    cluster, other = await door.member(tenant), await door.member(tenant, "prod-2")
    token = await door.agents_token(tenant, cluster.registration)
    for number in range(3):
        await NodeMember(door, f"node-{number}").enrol(token)
    assert await refusal(NodeMember(door, "node-3").enrol(token)) == "too-many-agents"
    assert len(await audited(door, tenant, "spoke:agent:refuse")) == 1
    await door.agent(tenant, other.registration)
    clock.advance(91)
    await NodeMember(door, "node-0").enrol(token)
    clock.advance(model.AGENTS_COUNT_FOR.total_seconds() + 1)
    await NodeMember(door, "node-3").enrol(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"node_name": ""},
        {"node_name": "Node"},
        {"node_name": "node_1"},
        {"node_name": "-node"},
        {"node_name": "node\n"},
        {"node_name": "n" * 254},
        {"public_key": "AAAA"},
        {"public_key": keys_of_small_order()[0]},
        {"spoke_version": "v" * 257},
        {"contract": "one"},
    ],
)
async def test_what_cannot_be_an_agent_is_malformed(door: Door, tenant: Scope, changes: dict[str, str]) -> None:
    cluster = await door.member(tenant)
    token = await door.agents_token(tenant, cluster.registration)
    assert await refusal(NodeMember(door, "node-1").enrol(token, **changes)) == "malformed-message"


async def test_a_node_may_be_called_like_an_id(door: Door, tenant: Scope) -> None:
    cluster = await door.member(tenant)
    await door.agent(tenant, cluster.registration, "0192d7a0-1111-7222-8333-444455556666.example")


async def test_agents_join_active_clusters_of_the_tenant_only(
    door: Door, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    pending = Member(door, "pending")
    await pending.enrol(await door.join_token(tenant))
    with pytest.raises(Conflict, match="is pending"):
        await door.agents_token(tenant, pending.registration)
    active = await door.member(tenant)
    with pytest.raises(NotFound):
        await door.agents_token(other_tenant, active.registration)
    agent = await door.agent(tenant, active.registration)
    with pytest.raises(NotFound):
        async with door.db.write(other_tenant) as c:
            await service_agents.revoke_agent(c, other_tenant, clock, agent.registration)
    with pytest.raises(Invalid, match="367 days"):
        await door.agents_token(tenant, active.registration, lifetime_days=367)


async def test_making_tokens_and_ending_agents_takes_the_right_to_approve(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    cluster = await door.member(tenant)
    agent = await door.agent(tenant, cluster.registration)
    viewer = role_scope(tenant.tenant_id, "token:reader", Role.VIEWER)
    with pytest.raises(Forbidden):
        await door.agents_token(viewer, cluster.registration)
    with pytest.raises(Forbidden):
        async with door.db.write(viewer) as c:
            await service_agents.revoke_agent(c, viewer, clock, agent.registration)
