"""Where there is room: kept with the register, about active clusters only, a few rows to read whatever the fleet."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from periplus_hub.addresses.free.repository import free_space
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING
from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.fleet.service import revoke

from tests.support.batches import START, upsert
from tests.support.overlap_fleet import Fleet, joined

POD = ("pod", "10.244.0.0/16")
ROOM = "{ overlapGroups { nodes { cidr freeRanges } } }"


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    """Two clusters collide; a third uses the lowest range of their size."""
    opened = Fleet.open(db, tenant)
    await opened.cluster("a", POD)
    await opened.cluster("b", POD)
    await opened.cluster("c", ("node", "10.0.3.7/32"))
    await opened.settle()
    yield opened
    opened.door.intake.close()


async def room(fleet: Fleet) -> list[str]:
    (group,) = (await fleet.ask(ROOM))["overlapGroups"]["nodes"]
    found: list[str] = group["freeRanges"]
    return found


async def test_a_range_somebody_touches_is_not_proposed(fleet: Fleet) -> None:
    assert await room(fleet) == ["10.1.0.0/16"]
    await fleet.report("b", POD, ("pod", "10.1.9.0/24"))
    await fleet.settle(60)
    assert await room(fleet) == ["10.2.0.0/16"]


@pytest.mark.promise("no-false-all-clear")
async def test_clusters_that_may_use_it_all_the_same_are_named_with_it(fleet: Fleet) -> None:
    asked = "{ overlapGroups(ifAllJoined: %s) { nodes { freeRanges freeRangesNotKnownOf { names count } } } }"
    member, spoke = fleet.members["b"]
    sources = [upsert(each, state="ok", objects=1) for each in FEEDING]
    for whole, unsure in ((False, ["a", "b", "c"]), (True, ["a", "c"])):
        if whole:
            await member.send(spoke.snapshot({"sources": sources}))
        for joined_all in ("false", "true"):
            (group,) = (await fleet.ask(asked % joined_all))["overlapGroups"]["nodes"]
            assert group == {
                "freeRanges": ["10.1.0.0/16"],
                "freeRangesNotKnownOf": {"names": unsure, "count": len(unsure)},
            }


async def test_what_a_revoked_cluster_used_is_free(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await revoke(c, fleet.scope, fleet.db.clock, fleet.registration("c"))
    await fleet.settle(60)
    assert await room(fleet) == ["10.0.0.0/16"]
    async with fleet.db.read(fleet.scope) as c:
        (group,) = (await joined(c, fleet.scope)).groups
    assert [found.cidr for found in group.explanation.suggestions] == ["10.0.0.0/16"]


async def test_a_full_private_space_is_said_to_be_full(fleet: Fleet) -> None:
    spaces = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    await fleet.report("c", *(("pod", cidr) for cidr in spaces))
    await fleet.settle(60)
    async with fleet.db.read(fleet.scope) as c:
        groups = (await joined(c, fleet.scope)).groups
    suggested = {(found.cidr, found.within) for group in groups for found in group.explanation.suggestions}
    assert suggested == {(None, ", ".join(spaces))}


@pytest.mark.promise("tenants-are-apart")
async def test_another_leader_and_another_tenant_have_their_own(fleet: Fleet, other_tenant: Any) -> None:
    taken_over = OverlapsJob(fleet.db)
    await fleet.report("c")
    await taken_over.refresh(fleet.scope.tenant_id, START)
    assert await room(fleet) == ["10.0.0.0/16"]
    async with fleet.db.read(fleet.scope) as c:
        assert (await free_space(c, other_tenant)).first(4, 16) is None
