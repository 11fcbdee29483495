"""Nodes of which no agent is heard while others of their cluster have one: found, and over when one is heard."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.findings import facts
from periplus_hub.findings.detectors.silent_nodes import SilentNodes
from periplus_hub.fleet.service import revoke
from periplus_hub.inventory.repository_silent_nodes import SILENT_FOR, silent_nodes
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node
from tests.support.clock import START, FakeClock
from tests.support.spokes_door import Door, Member, open_door
from tests.unit.hub.findings.test_detectors import LISTENING, A, B, registration, seen

OLD = START - timedelta(days=1)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def silent(door: Door, scope: Scope) -> dict[Any, str]:
    async with door.db.read(scope) as c:
        return await silent_nodes(c, scope, door.db.clock.now())


async def with_nodes(member: Member, *nodes: dict[str, Any]) -> None:
    await member.send(Spoke(member.registration).snapshot({"nodes": list(nodes)}))


async def test_a_ready_node_without_an_agent_is_found_where_others_have_one(
    door: Door, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    cluster = await door.member(tenant)
    nodes = [
        node(each, name=each, ready=ready, created_at=OLD) for each, ready in (("a", True), ("b", True), ("c", False))
    ]
    await with_nodes(cluster, *nodes)
    clock.advance(SILENT_FOR.total_seconds() + 1)
    assert await silent(door, tenant) == {}, "a cluster without agents misses none"
    of_a = await door.agent(tenant, cluster.registration, "a")
    assert await silent(door, tenant) == {cluster.registration: "b"}
    of_b = await door.agent(tenant, cluster.registration, "b")
    assert await silent(door, tenant) == {}, "one that is not ready tells nothing, and cannot"
    assert await silent(door, other_tenant) == {}
    clock.advance(SILENT_FOR.total_seconds() + 1)
    await of_b.beat()
    assert await silent(door, tenant) == {cluster.registration: "a"}
    await of_a.beat()
    assert await silent(door, tenant) == {}
    clock.advance(SILENT_FOR.total_seconds() + 1)
    async with door.db.write(tenant) as c:
        await revoke(c, tenant, clock, cluster.registration)
    assert await silent(door, tenant) == {}


async def test_a_node_that_has_just_come_has_time(door: Door, tenant: Scope, clock: FakeClock) -> None:
    cluster = await door.member(tenant)
    await door.agent(tenant, cluster.registration, "a")
    await with_nodes(cluster, node("a", name="a", created_at=OLD), node("b", name="b", created_at=START))
    assert await silent(door, tenant) == {}
    clock.advance(SILENT_FOR.total_seconds() + 1)
    assert await silent(door, tenant) == {cluster.registration: "a"}, "the first of both"


def of_nodes(silent_since: dict[Any, str], **listening: Any) -> Any:
    known = {
        facts.REGISTRATIONS: [registration(name="it's prod"), registration(id=B, name="b")],
        facts.LISTENING: LISTENING,
        facts.SILENT_NODES: silent_since,
    }
    return seen(SilentNodes(), known, **listening)


def test_it_is_one_finding_for_each_cluster() -> None:
    (draft,) = of_nodes({A: "node-1"})
    assert (draft.registration_id, draft.evidence) == (A, {"for_example": "node-1"})
    assert """periplus agents list 'it'"'"'s prod'""" in draft.what_to_do
    assert of_nodes({}) == []


def test_while_nobody_is_heard_nothing_is_said() -> None:
    assert of_nodes({A: "node-1"}, now=LISTENING.deaf_at) is None
