"""Two spokes with one key are found through the door, and one that starts again is not."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.config import IpamConfig
from periplus_hub.addresses.ipam.service_intake import IpamApplier
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.findings.service_detect import drafts_by_detector
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.db import Database

from tests.support.batches import EPOCH, Spoke, pod
from tests.support.clock import FakeClock
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door

LATER = UUID(int=EPOCH.int + 1)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db, appliers=(IpamApplier(IpamConfig()),))
    yield opened
    opened.intake.close()


async def found(door: Door, scope: Scope) -> list[str]:
    async with door.db.read(scope) as c:
        drafts = (await drafts_by_detector(c, scope, door.db.clock.now(), FactLoader()))["shared-identity"]
    return [str(draft.registration_id) for draft in drafts]


async def made(clock: FakeClock, member: Member, spoke: Spoke) -> None:
    """A minute goes by; a batch is made now and sent now."""
    clock.advance(60)
    spoke.at = clock.now()
    await member.send(spoke.snapshot({"pods": [pod("a")]}))


async def test_a_copy_of_a_state_folder_is_found_and_the_finding_ends_with_it(
    door: Door, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await made(clock, member, spoke)
    copy = Spoke(member.registration, seq=1)
    await made(clock, member, spoke)
    copy.at = clock.now()
    with pytest.raises(RefusedByHubError, match="batch-conflict"):
        await member.send(copy.snapshot({"pods": [pod("b")]}))
    copy = copy.new_epoch(LATER)
    for _ in range(3):
        await made(clock, member, copy)
        await made(clock, member, spoke)
    assert await found(door, tenant) == [str(member.registration)]
    assert await found(door, other_tenant) == []
    await FindingsJob(door.db).run(clock.now())
    for _ in range(16):
        await made(clock, member, copy)
    assert await found(door, tenant) == []


async def test_a_spoke_that_starts_again_with_a_backlog_is_no_finding(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    before, after = Spoke(member.registration), Spoke(member.registration).new_epoch(LATER)
    await made(clock, member, before)
    held = []
    for _ in range(5):
        clock.advance(60)
        before.at = clock.now()
        held.append(before.ipam({"pools": []}))
    for batch in held:
        await made(clock, member, after)
        clock.advance(1)
        await member.send(batch)
    assert await found(door, tenant) == []
