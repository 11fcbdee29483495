"""Whatever changes which addresses collide gives the register a new revision: nobody reads old groups as current."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from periplus_hub.addresses.overlaps.jobs import OverlapsJob
from periplus_hub.addresses.overlaps.model import RegisterStatus, Severity
from periplus_hub.addresses.overlaps.repository_register import register_status
from periplus_hub.api.app import make_retention
from periplus_hub.api.config import HubConfig
from periplus_hub.fleet import service
from periplus_hub.fleet.model import Mode
from periplus_hub.kit.db import Database, WriteConnection

from tests.support.clock import START
from tests.support.overlap_fleet import Fleet
from tests.support.spokes_door import Member

POD = ("pod", "10.244.0.0/16")
Change = Callable[[Fleet, WriteConnection], Awaitable[Any]]


@pytest.fixture
async def fleet(db: Database, tenant: Any) -> AsyncIterator[Fleet]:
    """Two isolated clusters with one pod range, taken in."""
    opened = Fleet.open(db, tenant)
    await opened.cluster("a", POD)
    await opened.cluster("b", POD)
    await opened.settle()
    yield opened
    opened.door.intake.close()


async def status(fleet: Fleet) -> RegisterStatus:
    async with fleet.db.read(fleet.scope) as c:
        return await register_status(c, fleet.scope)


async def severities(fleet: Fleet) -> list[Severity]:
    return [group.severity for group in await fleet.groups()]


async def follows(fleet: Fleet, change: Change) -> None:
    """The change is one transaction, after which the stored groups are known to be old until the leader's next look."""
    before = await status(fleet)
    assert before.current
    async with fleet.db.write(fleet.scope) as c:
        await change(fleet, c)
    after = await status(fleet)
    assert not after.current
    assert after.latest > before.latest
    assert await fleet.settle() == after.latest
    assert (await status(fleet)).current


async def move(fleet: Fleet, c: WriteConnection) -> None:
    home = await fleet.domain_of(c, fleet.registration("a"))
    await service.move_clusters(c, fleet.scope, home, [fleet.registration("b")], now=START)


async def isolate(fleet: Fleet, c: WriteConnection) -> None:
    await service.isolate_clusters(c, fleet.scope, [fleet.registration("b")], now=START)


async def revoke(fleet: Fleet, c: WriteConnection) -> None:
    await service.revoke(c, fleet.scope, fleet.db.clock, fleet.registration("b"))


async def connect(fleet: Fleet, c: WriteConnection) -> None:
    pair = (await fleet.domain_of(c, fleet.registration("a")), await fleet.domain_of(c, fleet.registration("b")))
    await service.connect(c, fleet.scope, pair, Mode.FLAT, now=START)


async def disconnect(fleet: Fleet, c: WriteConnection) -> None:
    pair = (await fleet.domain_of(c, fleet.registration("a")), await fleet.domain_of(c, fleet.registration("b")))
    await service.disconnect(c, fleet.scope, pair, now=START)


async def test_a_move_and_the_way_back(fleet: Fleet) -> None:
    await follows(fleet, move)
    assert await severities(fleet) == [Severity.CONFLICT]
    await follows(fleet, isolate)
    assert await severities(fleet) == [Severity.LATENT]


async def test_a_connection_and_its_end(fleet: Fleet) -> None:
    await follows(fleet, connect)
    assert await severities(fleet) == [Severity.CONFLICT]
    await follows(fleet, disconnect)
    assert await severities(fleet) == [Severity.LATENT]


async def test_a_revocation_and_the_deletion_long_after(fleet: Fleet) -> None:
    await follows(fleet, revoke)
    assert await severities(fleet) == []
    await make_retention(fleet.db, HubConfig()).run(START + timedelta(days=36))
    await fleet.settle()
    assert (await status(fleet)).current
    assert await severities(fleet) == []
    await fleet.cluster("c", POD)
    await fleet.settle()
    assert await severities(fleet) == [Severity.LATENT]


async def test_an_approval_by_a_person_and_one_by_a_join_token(fleet: Fleet) -> None:
    waiting = Member(fleet.door, "c")
    before = (await status(fleet)).latest
    await waiting.enrol(await fleet.door.join_token(fleet.scope))
    assert (await status(fleet)).latest == before, "who waits for approval is nowhere"

    async def approve(_: Fleet, c: WriteConnection) -> None:
        await service.approve(c, fleet.scope, fleet.db.clock, waiting.registration)

    await follows(fleet, approve)
    before = (await status(fleet)).latest
    async with fleet.db.write(fleet.scope) as c:
        await approve(fleet, c)
    assert (await status(fleet)).latest == before, "approving twice changes nothing"
    await fleet.door.member(fleet.scope, "d")
    assert (await status(fleet)).latest > before


async def test_another_replica_that_leads_afterwards_sees_it_too(fleet: Fleet) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await move(fleet, c)
    revision = await OverlapsJob(fleet.db).refresh(fleet.scope.tenant_id, START)
    assert revision == (await status(fleet)).latest
    assert await severities(fleet) == [Severity.CONFLICT]
    assert await fleet.settle() == revision, "who led before finds out"
