"""Clusters with one kube-system uid: through the doors they are told apart by their nodes, and compared."""

from collections.abc import AsyncIterator

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, node
from tests.support.clock import FakeClock
from tests.support.graphql_hub import door as people_door
from tests.support.graphql_hub import token_for
from tests.support.spokes_door import Door, Member, open_door

DETECTORS = ("duplicate-identity", "copied-cluster")
DAY_S = 24 * 3600


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db, appliers=(IpamApplier(IpamConfig()),))
    yield opened
    opened.intake.close()


async def found(door: Door, scope: Scope) -> list[str]:
    async with door.db.read(scope) as c:
        drafts = await drafts_by_detector(c, scope, door.db.clock.now(), FactLoader())
    return [draft.title for detector in DETECTORS for draft in drafts[detector] or ()]


async def has_nodes(member: Member, clock: FakeClock, **addresses: str) -> None:
    """What its spoke tells now."""
    spoke = Spoke(member.registration)
    spoke.at = clock.now()
    nodes = [node(uid, f"InternalIP={address}", at=spoke.at) for uid, address in addresses.items()]
    await member.send(spoke.snapshot({"nodes": nodes}))


async def test_a_copy_is_found_from_the_moment_it_joins(
    door: Door, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    original = await door.member(tenant, "w01", cluster_uid="one", machines=("n1=192.0.2.1",))
    assert await found(door, tenant) == []
    copy = await door.member(tenant, "w02", cluster_uid="one", machines=("m1=198.51.100.1",))
    assert await found(door, tenant) == ["2 clusters have one kube-system uid: w01, w02"]
    await has_nodes(original, clock, n1="192.0.2.1")
    await has_nodes(copy, clock, m1="198.51.100.1", n1="198.51.100.2")
    assert await found(door, tenant) == ["2 clusters have one kube-system uid: w01, w02"]
    assert await found(door, other_tenant) == []


async def test_what_was_not_known_is_known_as_soon_as_nodes_are(door: Door, tenant: Scope, clock: FakeClock) -> None:
    first = await door.member(tenant, "prod", cluster_uid="one", machines=("n1=192.0.2.1",))
    await has_nodes(first, clock, n1="192.0.2.1")
    second = await door.member(tenant, "prod-dev", cluster_uid="one")
    assert await found(door, tenant) == ["It is not known whether these are one cluster: prod, prod-dev"]
    await has_nodes(second, clock, n1="192.0.2.1")
    assert await found(door, tenant) == ["2 registrations are one cluster: prod, prod-dev"]


async def test_a_cluster_that_has_only_new_nodes_since_its_spoke_fell_silent_is_no_copy(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    silent = await door.member(tenant, "prod", cluster_uid="one")
    await has_nodes(silent, clock, n1="192.0.2.1")
    clock.advance(2 * DAY_S)
    again = await door.member(tenant, "prod-2", cluster_uid="one", machines=("n7=192.0.2.7",))
    await has_nodes(again, clock, n7="192.0.2.7")
    assert await found(door, tenant) == ["It is not known whether these are one cluster: prod, prod-2"]


async def test_neither_of_two_copies_waits_or_is_left_out(door: Door, tenant: Scope, clock: FakeClock) -> None:
    """Two clusters like any other two: neither is left out of what the lists and reports know."""
    for name, machine in (("w01", "n1=192.0.2.1"), ("w02", "m1=198.51.100.1")):
        member = await door.member(tenant, name, cluster_uid="one", machines=(machine,))
        await has_nodes(member, clock, **dict([machine.split("=")]))
    query = "{ clusters { nodes { name state counts { nodes } duplicate { name } } } }"
    answer = await people_door(door.db, clock).ask(query, await token_for(door.db, tenant, Role.VIEWER))
    assert answer.good["clusters"]["nodes"] == [
        {"name": name, "state": "ACTIVE", "counts": {"nodes": 1}, "duplicate": None} for name in ("w01", "w02")
    ]
