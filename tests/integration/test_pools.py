"""Pools: the latest sample, whole numbers of any size, unknown kept apart from zero."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from periplus_hub.addresses import repository
from periplus_hub.addresses.model import AllocationFilter, AllocationKind
from periplus_hub.kit.page import PageAsk

from tests.support.overlap_fleet import Fleet, pool


@pytest.fixture
async def fleet(db: Any, tenant: Any) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    yield opened
    opened.door.intake.close()


async def pools(fleet: Fleet) -> list[Any]:
    async with fleet.db.read() as c:
        found = await repository.pools_by_registrations(c, fleet.scope, [fleet.registration("a")])
        listed = (await repository.list_pools(c, fleet.scope, PageAsk())).nodes
    assert list(listed) == found[fleet.registration("a")]
    return list(listed)


async def test_a_sample_replaces_the_one_before(fleet: Fleet) -> None:
    await fleet.cluster("a")
    await fleet.send("a", {"pools": [pool("old"), pool("kept", used="0")]})
    await fleet.send("a", {"pools": [pool("kept", used="7", capacity="254")]})
    (found,) = await pools(fleet)
    assert (found.name, found.used, found.capacity, found.free, found.cidrs) == ("kept", 7, 254, None, ("10.0.0.0/16",))


async def test_counts_of_ipv6_are_exact_and_bad_pools_are_set_aside(fleet: Fleet) -> None:
    await fleet.cluster("a")
    wide = pool("wide", family=6, cidrs=["fd00::/8"], capacity=str(2**120), largest_free_block="9")
    bad = [pool("float", used="1.5"), pool("negative", free="-1"), pool("family", family=5), wide]
    answer = await fleet.send("a", {"pools": [wide, *bad, pool("host", cidrs=["10.0.0.1/8"])]})
    (found,) = await pools(fleet)
    assert (found.capacity, found.largest_free_block) == (2**120, 9)
    assert answer.rejected == {"bad_count": 2, "bad_family": 1, "duplicate_pool": 1, "cidr-host-bits": 1}


async def test_allocations_are_listed_with_filters(fleet: Fleet) -> None:
    a = await fleet.cluster("a", ("pod", "10.1.0.0/16"), ("node", "10.9.0.1/32"), ("pod", "fd00::/64"))
    await fleet.cluster("b", ("service", "10.1.0.0/24"))

    async def found(**filters: Any) -> list[str]:
        async with fleet.db.read() as c:
            page = await repository.list_allocations(c, fleet.scope, PageAsk(), AllocationFilter(**filters))
        return [each.cidr for each in page.nodes]

    assert await found() == ["10.1.0.0/16", "10.1.0.0/24", "10.9.0.1/32", "fd00::/64"]
    assert await found(registration_ids=(a,), family=4) == ["10.1.0.0/16", "10.9.0.1/32"]
    assert await found(kinds=(AllocationKind.SERVICE,)) == ["10.1.0.0/24"]
    assert await found(within="10.1.0.128/25") == ["10.1.0.0/16", "10.1.0.0/24"]
