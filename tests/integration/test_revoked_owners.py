"""A cluster that left the fleet no longer says who an address is; until then it did."""

from datetime import timedelta

from periplus_hub.access.scope import Scope
from periplus_hub.fleet import service
from periplus_hub.inventory.repository_owners import address_owner
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.clock import FakeClock
from tests.support.spokes_door import open_door


async def test_a_revoked_cluster_owns_addresses_only_until_it_was_revoked(
    db: Database, clock: FakeClock, tenant: Scope
) -> None:
    door = open_door(db)
    try:
        member = await door.member(tenant)
        await member.send(Spoke(member.registration).snapshot({"pods": [pod("a", "10.1.0.1")]}))
        seen = clock.now()
        clock.advance(60)
        async with db.write(tenant) as c:
            await service.revoke(c, tenant, clock, member.registration)
    finally:
        door.intake.close()
    async with db.read(tenant) as c:
        before = await address_owner(c, tenant, "10.1.0.1", None, seen + timedelta(seconds=30))
        after = await address_owner(c, tenant, "10.1.0.1", None, seen + timedelta(seconds=90))
    assert [owner.uid for found in before for owner in found.owners] == ["a"]
    assert after == []
