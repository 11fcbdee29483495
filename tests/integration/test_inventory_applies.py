"""Snapshots and deltas through the door, judged by what people can read afterwards."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import Scope
from periplus_hub.inventory import tables
from periplus_hub.inventory.model import InventoryFilter
from periplus_hub.inventory.repository import counts_by_registration
from periplus_hub.inventory.repository_owners import address_owner
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, gone, node, pod, service, upsert
from tests.support.clock import START
from tests.support.listed import PodRow, listed_pods
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door

EVERYTHING = InventoryFilter(include_gone=True)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


@pytest.fixture
async def member(door: Door, tenant: Scope) -> Member:
    return await door.member(tenant)


async def pods(door: Door, scope: Scope, only: InventoryFilter = EVERYTHING) -> dict[str, PodRow]:
    async with door.db.read(scope) as c:
        return {each.uid: each for each in await listed_pods(c, scope, only)}


async def counted(door: Door, scope: Scope, member: Member) -> tuple[int | None, ...]:
    async with door.db.read(scope) as c:
        counts = (await counts_by_registration(c, scope, [member.registration]))[member.registration]
    return counts.nodes, counts.pods, counts.services


async def owners(door: Door, scope: Scope, ip: str, at: datetime) -> list[tuple[str, str]]:
    async with door.db.read(scope) as c:
        return [
            (owner.kind, owner.uid) for found in await address_owner(c, scope, ip, None, at) for owner in found.owners
        ]


async def test_a_first_snapshot_is_there_whole(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    answer = await member.send(
        spoke.snapshot({"nodes": [node("n1", "InternalIP=10.0.0.1")], "pods": [pod("a", "10.1.0.1"), pod("b", None)]})
    )
    assert (answer.result, answer.settled_through, answer.rejected) == ("accepted", 1, {})
    found = await pods(door, tenant)
    assert (found["a"].ipv4, found["b"].ipv4, found["a"].label_texts) == ("10.1.0.1", None, ["app=shop"])
    assert await counted(door, tenant, member) == (1, 2, 0)


@pytest.mark.promise("inventory-ends-equal")
async def test_a_later_snapshot_ends_what_it_does_not_name(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")], "nodes": [node("n1")]}))
    spoke.at = START + timedelta(minutes=5)
    await member.send(spoke.snapshot({"pods": [pod("b", "10.1.0.2"), pod("c", "10.1.0.1")]}))
    found = await pods(door, tenant)
    assert {uid: each.valid_to for uid, each in found.items()} == {"a": spoke.at, "b": None, "c": None}
    assert await counted(door, tenant, member) == (0, 2, 0)


async def test_a_snapshot_in_parts_closes_with_its_last(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a"), pod("b"), pod("z")]}))
    await member.send(spoke.snapshot({"pods": [pod("a")]}, part=1, parts=2))
    assert (await counted(door, tenant, member))[1] == 3
    await member.send(spoke.snapshot({"pods": [pod("c")], "services": [service("s", "10.96.0.1")]}, part=2, parts=2))
    found = await pods(door, tenant, InventoryFilter())
    assert sorted(found) == ["a", "c"]
    assert await counted(door, tenant, member) == (0, 2, 1)


async def test_a_first_snapshot_in_parts(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}, part=1, parts=2))
    async with door.db.read(tenant) as c:
        part = await counts_by_registration(c, tenant, [member.registration])
    assert part == {}, "a part is not how many there are"
    await member.send(spoke.snapshot({"pods": [pod("b")]}, part=2, parts=2))
    assert (await counted(door, tenant, member))[1] == 2
    assert sorted(await pods(door, tenant, InventoryFilter())) == ["a", "b"]


async def test_a_delta_may_only_delete(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]}))
    await member.send(spoke.delta({"pods": [gone("a", ended_at=START)]}))
    await member.send(spoke.delta({"pods": []}))
    assert sorted(await pods(door, tenant, InventoryFilter())) == ["b"]


async def test_deltas_change_what_they_name(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1"), pod("b", "10.1.0.2")]}))
    later = START + timedelta(minutes=1)
    spoke.at = later
    await member.send(spoke.delta({"pods": [pod("c", "10.1.0.3", later), gone("a", later, ended_at=START)]}))
    found = await pods(door, tenant)
    assert {uid: each.valid_to for uid, each in found.items()} == {"a": START, "b": None, "c": None}
    assert (await counted(door, tenant, member))[1] == 2


@pytest.mark.promise("inventory-ends-equal")
async def test_a_delta_out_of_its_chain_asks_for_a_snapshot_and_leaves_no_trace(
    door: Door, tenant: Scope, member: Member
) -> None:
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a")]}))
    spoke.delta({"pods": [pod("lost")]})
    with pytest.raises(RefusedByHubError) as refused:
        await member.send(spoke.delta({"pods": [pod("c")]}))
    assert refused.value.slug == "inventory-gap"
    answer = await member.send(spoke.snapshot({"pods": [pod("d")]}))
    assert answer.settled_through == 1
    assert sorted(await pods(door, tenant, InventoryFilter())) == ["d"]


@pytest.mark.promise("owners-are-not-guessed")
async def test_who_had_an_address_at_a_time(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    first = {"nodes": [node("n1", "InternalIP=10.0.0.1", "Hostname=n1")], "pods": [pod("a", "10.1.0.1")]}
    await member.send(spoke.snapshot({**first, "services": [service("s", "10.96.0.1"), service("headless", "None")]}))
    later = START + timedelta(minutes=9)
    spoke.at = later
    moved = {
        "nodes": [node("n1", "InternalIP=10.0.0.9", at=later)],
        "pods": [gone("a", later), pod("b", "10.1.0.1", later)],
    }
    await member.send(spoke.delta({**moved, "services": [service("s", "10.96.0.1", at=later)]}))
    assert await owners(door, tenant, "10.0.0.1", START) == [("node", "n1")]
    assert await owners(door, tenant, "10.0.0.1", later) == []
    assert await owners(door, tenant, "10.0.0.9", later) == [("node", "n1")]
    assert await owners(door, tenant, "10.1.0.1", START) == [("pod", "a")]
    assert await owners(door, tenant, "10.1.0.1", later) == [("pod", "b")]
    assert await owners(door, tenant, "10.96.0.1", later) == [("service", "s")]


@pytest.mark.promise("the-rest-goes-on")
async def test_rows_that_break_the_contract_are_set_aside_and_the_others_stay(
    door: Door, tenant: Scope, member: Member
) -> None:
    bad = [
        pod("bad-ip", "10.1.0.300"),
        pod("zeros", "10.01.0.3"),
        pod("bad6", None, ipv6="fd00:::1"),
        pod("nul", None, name="a\0b"),
        pod("long", None, name="x" * 5000),
        {**pod("op"), "op": "replace"},
        pod("good6", None, ipv6="fd00::1"),
        pod("twice", "10.1.0.1"),
        pod("twice", "10.1.0.2"),
    ]
    answer = await member.send(Spoke(member.registration).snapshot({"pods": bad}))
    assert answer.rejected == {
        "bad_address": 3,
        "bad_text": 1,
        "text_too_long": 1,
        "bad_op": 1,
        "duplicate_uid": 1,
    }
    found = await pods(door, tenant)
    assert {uid: each.ipv4 or each.ipv6 for uid, each in found.items()} == {"good6": "fd00::1", "twice": "10.1.0.2"}


async def test_what_a_spoke_does_not_know_now_stays_as_it_was_known(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    owned = {"workload_kind": "Deployment", "workload_name": "web"}
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1", **owned), pod("b", "10.1.0.2", **owned)]}))
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")]}, covers=("sources",)))
    found = await pods(door, tenant)
    assert [(each.uid, each.workload_name, each.valid_to) for each in found.values()] == [
        ("a", "web", None),
        ("b", "web", None),
    ]
    assert await counted(door, tenant, member) == (0, 2, 0)
    await member.send(spoke.snapshot({"pods": [pod("a", "10.1.0.1")]}, covers=("pods",), part=1, parts=2))
    await member.send(spoke.snapshot({"nodes": []}, covers=("pods",), part=2, parts=2))
    assert (await pods(door, tenant))["b"].valid_to is not None


async def test_workloads_end_kind_by_kind(door: Door, tenant: Scope, member: Member) -> None:
    spoke = Spoke(member.registration)
    rows = [upsert(kind, namespace="shop", name=kind.lower(), kind=kind) for kind in ("Deployment", "CronJob", "Job")]
    await member.send(spoke.snapshot({"workloads": rows}))
    await member.send(spoke.snapshot({}, covers=("workloads/CronJob", "workloads/Job", "workloads/New", "sources")))
    async with door.db.read(tenant) as c:
        assert [row.uid for row in await c.rows(select(tables.workloads.c.uid))] == ["Deployment"]
