"""How entered ranges begin and end: rules, network domains, expiry, rights."""

from datetime import timedelta
from uuid import UUID

import pytest

from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.addresses.ranges import repository, service
from periplus_hub.addresses.ranges.jobs import RangesJob
from periplus_hub.addresses.ranges.model import EnteredRange, RangeUse, Wish
from periplus_hub.fleet.service import create_domain, delete_domain
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from periplus_hub.kit.ids import new_id

from tests.support.clock import FakeClock


async def domain(db: Database, scope: Scope, name: str = "vpc") -> UUID:
    async with db.write(scope) as c:
        return (await create_domain(c, scope, name)).id


async def add(db: Database, scope: Scope, clock: FakeClock, wish: Wish) -> EnteredRange:
    async with db.write(scope) as c:
        return await service.add_range(c, scope, wish, clock.now())


async def in_force(db: Database, scope: Scope) -> list[str]:
    async with db.read(scope) as c:
        return [each.cidr for each in await repository.ranges_in_force(c, scope)]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cidr": "10.0.0.1/8"}, "host_bits"),
        ({"cidr": "0.0.0.0/0"}, "default_route"),
        ({"cidr": "10.0.0.0/7"}, "wider than /8"),
        ({"cidr": "2000::/12"}, "wider than /16"),
        ({"cidr": "10.0.0.0/64"}, "an IPv4 address and a length of IPv6"),
        ({"cidr": "10.0.0.0/16, fd00::/48"}, "is not one range"),
        ({"cidr": "::ffff:10.0.0.0/112"}, "ipv4_mapped"),
        ({"name": "x" * 101}, "the name has 101 characters"),
        ({"note": "two\nlines"}, "holds what cannot be seen"),
        ({"expires_at": timedelta(0)}, "would expire at"),
        ({"expires_at": timedelta(days=4_000)}, "would expire at"),
    ],
)
async def test_what_breaks_a_rule_is_refused_and_changes_nothing(
    db: Database, tenant: Scope, clock: FakeClock, wrong: dict[str, object], told: str
) -> None:
    given: dict[str, object] = {
        "cidr": "10.0.0.0/16",
        "use": RangeUse.VPC,
        "domain_id": await domain(db, tenant),
    } | wrong
    if isinstance(given.get("expires_at"), timedelta):
        given["expires_at"] = clock.now() + given["expires_at"]  # type: ignore[operator]  # just looked at
    with pytest.raises(Invalid) as refused:
        await add(db, tenant, clock, Wish(**given))  # type: ignore[arg-type]  # what a person may send
    assert told in refused.value.message
    assert await in_force(db, tenant) == []


async def test_a_domain_has_a_range_once_and_another_domain_has_it_too(
    db: Database, tenant: Scope, clock: FakeClock
) -> None:
    one, two = await domain(db, tenant, "one"), await domain(db, tenant, "two")
    for home in (one, two):
        await add(db, tenant, clock, Wish(domain_id=home, cidr="10.0.0.0/16", use=RangeUse.VPC))
    with pytest.raises(Conflict):
        await add(db, tenant, clock, Wish(domain_id=one, cidr="10.0.0.0/16", use=RangeUse.OFFICE))
    assert await in_force(db, tenant) == ["10.0.0.0/16", "10.0.0.0/16"]


async def test_a_range_lapses_at_its_time_and_may_be_entered_again(
    db: Database, tenant: Scope, clock: FakeClock
) -> None:
    wish = Wish(
        domain_id=await domain(db, tenant),
        cidr="fd00:1::/48",
        use=RangeUse.PLANNED_POD,
        expires_at=clock.now() + timedelta(hours=1),
    )
    first = await add(db, tenant, clock, wish)
    await RangesJob(db).run(clock.now())
    assert await in_force(db, tenant) == ["fd00:1::/48"]
    clock.advance(3_600)
    await RangesJob(db).run(clock.now())
    assert await in_force(db, tenant) == []
    async with db.read(tenant) as c:
        known = await repository.range_by_id(c, tenant, first.id)
    assert known is not None
    assert (known.ended_at, known.ended_by) == (clock.now(), "job:ranges")
    await add(db, tenant, clock, Wish(domain_id=wish.domain_id, cidr=wish.cidr, use=RangeUse.VPC))
    assert await in_force(db, tenant) == ["fd00:1::/48"]


async def test_ranges_go_with_the_network_domain_they_are_in(db: Database, tenant: Scope, clock: FakeClock) -> None:
    home = await domain(db, tenant)
    made = await add(db, tenant, clock, Wish(domain_id=home, cidr="10.0.0.0/16", use=RangeUse.VPC))
    async with db.write(tenant) as c:
        await delete_domain(c, tenant, home, now=clock.now())
    assert await in_force(db, tenant) == [], "at once"
    await RangesJob(db).run(clock.now())
    async with db.read(tenant) as c:
        known = await repository.range_by_id(c, tenant, made.id)
    assert known is not None
    assert known.ended_at == clock.now(), "and for good"
    with pytest.raises(NotFound):
        await add(db, tenant, clock, Wish(domain_id=home, cidr="10.0.0.0/16", use=RangeUse.VPC))


@pytest.mark.parametrize("what", ["another tenant's", "ended", "unknown"])
async def test_nobody_removes_what_is_not_there(
    db: Database, tenant: Scope, other_tenant: Scope, clock: FakeClock, what: str
) -> None:
    made = await add(db, tenant, clock, Wish(domain_id=await domain(db, tenant), cidr="10.0.0.0/16", use=RangeUse.VPC))
    if what == "ended":
        async with db.write(tenant) as c:
            await service.remove_range(c, tenant, made.id, clock.now())
    scope, asked = (
        (other_tenant if what == "another tenant's" else tenant),
        (new_id() if what == "unknown" else made.id),
    )
    with pytest.raises(Refusal) as refused:
        async with db.write(scope) as c:
            await service.remove_range(c, scope, asked, clock.now())
    assert isinstance(refused.value, Conflict if what == "ended" else NotFound)


async def test_the_service_asks_for_the_right_itself(db: Database, tenant: Scope, clock: FakeClock) -> None:
    wish = Wish(domain_id=await domain(db, tenant), cidr="10.0.0.0/16", use=RangeUse.VPC)
    analyst = role_scope(tenant.tenant_id, "somebody", Role.ANALYST)
    with pytest.raises(Forbidden):
        await add(db, analyst, clock, wish)
