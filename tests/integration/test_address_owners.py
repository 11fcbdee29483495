"""Whose an address was, when things are less simple: shared roles, both families, addresses that change."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.inventory.model import Owner
from periplus_hub.inventory.repository_owners import address_owner, address_owners
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, gone, node, pod, service
from tests.support.clock import START
from tests.support.spokes_door import Door, Member, open_door

MINUTE = timedelta(minutes=1)
NOBODY: list[str] = []


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


@pytest.fixture
async def member(door: Door, tenant: Scope) -> Member:
    return await door.member(tenant)


async def owners(door: Door, scope: Scope, ip: str, at: datetime) -> list[Owner]:
    async with door.db.read(scope) as c:
        return [owner for found in await address_owner(c, scope, ip, None, at) for owner in found.owners]


async def uids(door: Door, scope: Scope, ip: str, at: datetime) -> list[str]:
    return [owner.uid for owner in await owners(door, scope, ip, at)]


async def test_a_node_with_one_address_in_two_roles_is_one_owner(door: Door, tenant: Scope, member: Member) -> None:
    both = node("n1", "InternalIP=192.0.2.7", "ExternalIP=192.0.2.7")
    await member.send(Spoke(member.registration).snapshot({"nodes": [both]}))
    assert await uids(door, tenant, "192.0.2.7", START) == ["n1"]


async def test_a_role_that_came_later_does_not_shorten_the_ownership(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"services": [service("s", external_ips=["192.0.2.8"])]}))
    spoke.at = START + MINUTE
    balanced = service("s", external_ips=["192.0.2.8"], load_balancer_ips=["192.0.2.8"], at=spoke.at)
    await member.send(spoke.delta({"services": [balanced]}))
    (owner,) = await owners(door, tenant, "192.0.2.8", spoke.at)
    assert (owner.uid, owner.valid_from) == ("s", START)


async def test_both_addresses_of_a_pod_are_its_own_when_asked_together(
    door: Door, tenant: Scope, member: Member
) -> None:
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a", "10.1.0.1", ipv6="fd00::1")]}))
    async with door.db.read(tenant) as c:
        found = await address_owners(c, tenant, ["10.1.0.1", "fd00::1"], None, START)
    assert {ip: [owner.uid for each in said for owner in each.owners] for ip, said in found.items()} == {
        "10.1.0.1": ["a"],
        "fd00::1": ["a"],
    }


async def test_an_address_that_many_have_takes_no_owner_from_another(
    door: Door, tenant: Scope, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("periplus_hub.inventory.repository_owners.MAX_OWNERS", 2)
    shared = [pod(uid, "10.1.0.1") for uid in ("a", "b", "c")]
    await member.send(Spoke(member.registration).snapshot({"pods": [*shared, pod("d", "10.1.0.2")]}))
    async with door.db.read(tenant) as c:
        found = await address_owners(c, tenant, ["10.1.0.1", "10.1.0.2"], None, START)
    assert {ip: [owner.uid for each in said for owner in each.owners] for ip, said in found.items()} == {
        "10.1.0.1": ["a", "b"],
        "10.1.0.2": ["d"],
    }


@pytest.mark.promise("owners-are-not-guessed")
@pytest.mark.parametrize("as_snapshot", [False, True])
async def test_a_pod_that_changed_its_address_had_each_in_its_time(
    door: Door, tenant: Scope, member: Member, *, as_snapshot: bool
) -> None:
    spoke, later = Spoke(member.registration), START + MINUTE
    work = {"workload_kind": "DaemonSet", "workload_name": "agent"}
    await member.send(spoke.snapshot({"nodes": [node("node-1")], "pods": [pod("a", "10.1.0.1", **work)]}))
    spoke.at = later
    moved = {"pods": [pod("a", "10.1.0.9", later, started_at=START, **work)]}
    moved |= {"nodes": [node("node-1", at=later)]} if as_snapshot else {}
    await member.send(spoke.snapshot(moved) if as_snapshot else spoke.delta(moved))
    (before,) = await owners(door, tenant, "10.1.0.1", later - timedelta(seconds=1))
    assert (before.kind, before.uid, before.valid_from, before.valid_to) == ("pod", "a", START, later)
    assert (before.workload_name, before.name, before.rule) == ("agent", "pod-a", "pod-address")
    assert await uids(door, tenant, "10.1.0.9", later - timedelta(seconds=1)) == NOBODY
    assert await uids(door, tenant, "10.1.0.1", later) == NOBODY
    (after,) = await owners(door, tenant, "10.1.0.9", later)
    assert (after.uid, after.valid_from, after.valid_to) == ("a", later, None)


async def test_an_address_a_pod_left_and_took_again_is_known_for_every_time(
    door: Door, tenant: Scope, member: Member
) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")]}))
    for minutes, ip in enumerate(("10.1.0.2", "10.1.0.1", "10.1.0.2"), start=1):
        spoke.at = START + minutes * MINUTE
        await member.send(spoke.delta({"pods": [pod("a", ip, spoke.at)]}))
    at = [START + minutes * MINUTE for minutes in range(4)]
    assert [await uids(door, tenant, "10.1.0.1", each) for each in at] == [["a"], NOBODY, ["a"], NOBODY]
    assert [await uids(door, tenant, "10.1.0.2", each) for each in at] == [NOBODY, ["a"], NOBODY, ["a"]]


@pytest.mark.promise("owners-are-not-guessed")
async def test_a_pod_that_waited_for_its_address_had_it_only_from_then_on(
    door: Door, tenant: Scope, member: Member
) -> None:
    spoke, later = Spoke(member.registration), START + MINUTE
    waiting = pod("new", None, phase="Pending", started_at=START)
    await member.send(spoke.snapshot({"pods": [pod("old", "10.1.0.1"), waiting]}))
    spoke.at = later
    await member.send(spoke.delta({"pods": [gone("old", later), pod("new", "10.1.0.1", later, started_at=START)]}))
    assert await uids(door, tenant, "10.1.0.1", later - timedelta(seconds=1)) == ["old"]
    (owner,) = await owners(door, tenant, "10.1.0.1", later)
    assert (owner.uid, owner.valid_from) == ("new", later)


async def test_a_pod_that_ended_and_lost_its_address_had_it_until_its_end(
    door: Door, tenant: Scope, member: Member
) -> None:
    spoke, end = Spoke(member.registration), START + MINUTE
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")]}))
    spoke.at = end + MINUTE
    await member.send(spoke.delta({"pods": [pod("a", None, spoke.at, phase="Succeeded", ended_at=end)]}))
    assert await uids(door, tenant, "10.1.0.1", end - timedelta(seconds=1)) == ["a"]
    assert await uids(door, tenant, "10.1.0.1", end) == NOBODY


async def test_a_change_of_anything_else_leaves_the_time_alone(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")]}))
    spoke.at = START + MINUTE
    await member.send(spoke.delta({"pods": [pod("a", "10.1.0.1", spoke.at, labels=["app=till"])]}))
    (owner,) = await owners(door, tenant, "10.1.0.1", spoke.at)
    assert owner.valid_from == START


async def test_a_host_network_pod_never_owned_its_nodes_addresses(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "192.0.2.1", host_network=True)]}))
    spoke.at = START + MINUTE
    await member.send(spoke.delta({"pods": [pod("a", "192.0.2.2", spoke.at, host_network=True)]}))
    assert await uids(door, tenant, "192.0.2.1", START) == NOBODY


async def test_services_that_publish_a_nodes_address_stand_beside_the_node(
    door: Door, tenant: Scope, member: Member
) -> None:
    published = {"type": "LoadBalancer", "load_balancer_ips": ["192.0.2.1", "192.0.2.2"]}
    nodes = [node("n1", "InternalIP=192.0.2.1"), node("n2", "InternalIP=192.0.2.2")]
    services = [service("traefik", "10.43.0.8", **published), service("broker", "10.43.0.9", **published)]
    await member.send(Spoke(member.registration).snapshot({"nodes": nodes, "services": services}))
    (owner,) = await owners(door, tenant, "192.0.2.2", START)
    assert (owner.kind, owner.uid, owner.rule) == ("node", "n2", "node-address")
    assert [(each.uid, each.role) for each in owner.services] == [
        ("broker", "LoadBalancer"),
        ("traefik", "LoadBalancer"),
    ]


async def test_node_ports_are_named_beside_nodes_that_are_there(door: Door, tenant: Scope, member: Member) -> None:
    spoke, later = Spoke(member.registration), START + MINUTE
    services = [
        service("plain", "10.43.0.7"),
        service("open", "10.43.0.8", type="NodePort", ports=["http|TCP|80|8080|30080|"], created_at=START),
        service("unnamed", "10.43.0.9", type="NodePort", ports=["|TCP|81|web||", "|TCP|82|82|30082|"]),
    ]
    await member.send(spoke.snapshot({"nodes": [node("n1", "InternalIP=192.0.2.1")], "services": services}))
    spoke.at = later
    late = service("late", "10.43.0.6", at=later, ports=["|TCP|1|1|30001|"], created_at=later)
    await member.send(spoke.delta({"services": [late]}))
    listening = {}
    for at in (START, later):
        (owner,) = await owners(door, tenant, "192.0.2.1", at)
        listening[at] = [(each.uid, each.role) for each in owner.services]
    assert listening[START] == [("open", "NodePort"), ("unnamed", "NodePort")]
    assert listening[later] == [("late", "NodePort"), ("open", "NodePort"), ("unnamed", "NodePort")]
    spoke.at = later + MINUTE
    await member.send(spoke.delta({"nodes": [gone("n1", spoke.at)]}))
    (owner,) = await owners(door, tenant, "192.0.2.1", later)
    assert owner.services == ()
