"""Network domains over time: what a cluster leaves behind when it moves or is revoked."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from periplus_hub.access.scope import Role, Scope, owned
from periplus_hub.access.tables import audit_events
from periplus_hub.fleet import service
from periplus_hub.fleet.model import Mode
from periplus_hub.fleet.repository import connections, registrations_by_ids
from periplus_hub.fleet.tables import allocation_changes
from periplus_hub.inventory.repository_owners import address_owner
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import NotFound

from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import door as people_door
from tests.support.graphql_hub import token_for
from tests.support.spokes_door import Door, Member, open_door

LIST = "{ networkDomains(first: 10) { nodes { id name clusters { nodes { name } } } } }"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def domain_of(db: Database, scope: Scope, cluster: UUID) -> UUID:
    async with db.read(scope) as c:
        return (await registrations_by_ids(c, scope, [cluster]))[cluster].domain_id


async def listed(db: Database, clock: FakeClock, scope: Scope) -> dict[str, list[str]]:
    answer = await people_door(db, clock).ask(LIST, await token_for(db, scope, Role.VIEWER))
    nodes = answer.good["networkDomains"]["nodes"]
    return {node["name"]: [cluster["name"] for cluster in node["clusters"]["nodes"]] for node in nodes}


async def owners(db: Database, scope: Scope, domain: UUID, at: datetime) -> list[str]:
    async with db.read(scope) as c:
        found = await address_owner(c, scope, "10.1.0.1", domain, at)
    return [owner.uid for each in found for owner in each.owners]


async def move(db: Database, scope: Scope, clock: FakeClock, target: UUID | None, member: Member) -> UUID:
    async with db.write(scope) as c:
        mine, now = [member.registration], clock.now()
        if target is None:
            (moved,) = await service.isolate_clusters(c, scope, mine, now=now)
        else:
            (moved,) = await service.move_clusters(c, scope, target, mine, now=now)
    return moved.domain_id


@pytest.mark.promise("owners-are-not-guessed")
async def test_an_address_is_asked_for_in_the_domain_its_cluster_was_in_then(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db, member = door.db, await door.member(tenant)
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a", "10.1.0.1")]}))
    first = await domain_of(db, tenant, member.registration)
    async with db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
    domains, moments = [first], []
    for target in (vpc, None):
        clock.advance(3600)
        moments.append(clock.now())
        domains.append(await move(db, tenant, clock, target, member))
    times = [START, moments[0] - SECOND, moments[0], moments[1] - SECOND, moments[1]]
    held = [[number for number, each in enumerate(domains) if await owners(db, tenant, each, at)] for at in times]
    assert held == [[0], [0], [1], [1], [2]]


async def test_an_owner_in_a_domain_that_ended_still_names_it(door: Door, tenant: Scope, clock: FakeClock) -> None:
    db, member = door.db, await door.member(tenant)
    await member.send(Spoke(member.registration).snapshot({"pods": [pod("a", "10.1.0.1")]}))
    async with db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
    clock.advance(60)
    await move(db, tenant, clock, vpc, member)
    query = (
        'query($at: DateTime) { addressOwner(ip: "10.1.0.1", at: $at) { ... on AddressOwned {'
        " owner { networkDomain { name endedAt } } } } }"
    )
    token = await token_for(db, tenant, Role.VIEWER)
    answer = await people_door(db, clock).ask(query, token, at=START.isoformat())
    domain = answer.good["addressOwner"]["owner"]["networkDomain"]
    assert (domain["name"], datetime.fromisoformat(domain["endedAt"])) == ("prod-1", clock.now())


async def test_a_cluster_that_enrols_again_gets_a_domain_of_its_name(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db, old = door.db, await door.member(tenant)
    async with db.write(tenant) as c:
        await service.revoke(c, tenant, clock, old.registration)
    assert await listed(db, clock, tenant) == {}
    new = await door.member(tenant)
    assert await listed(db, clock, tenant) == {"prod-1": ["prod-1"]}
    assert await domain_of(db, tenant, new.registration) != await domain_of(db, tenant, old.registration)


async def test_a_domain_that_ended_is_not_changed_and_its_connections_are_gone(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db, member, other = door.db, await door.member(tenant), await door.member(tenant, "prod-2")
    pair = (await domain_of(db, tenant, member.registration), await domain_of(db, tenant, other.registration))
    async with db.write(tenant) as c:
        await service.connect(c, tenant, pair, Mode.NAT, now=clock.now())
        await service.revoke(c, tenant, clock, member.registration)
    async with db.write(tenant) as c:
        assert await connections(c, tenant) == []
        with pytest.raises(NotFound):
            await service.change_domain(c, tenant, pair[0], name="else")


async def test_two_live_registrations_of_one_cluster_name_each_other_until_one_is_revoked(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db = door.db
    first = await door.member(tenant, cluster_uid="one", machines=("n1=192.0.2.1",))
    for name in ("again", "and-again"):
        await Member(door, name, cluster_uid="one", machines=("n1=192.0.2.1",)).enrol(await door.join_token(tenant))
        clock.advance(1)
    query, token = "{ clusters { nodes { name duplicate { name } } } }", await token_for(db, tenant, Role.VIEWER)

    async def twins() -> dict[str, str | None]:
        nodes = (await people_door(db, clock).ask(query, token)).good["clusters"]["nodes"]
        return {node["name"]: node["duplicate"] and node["duplicate"]["name"] for node in nodes}

    assert await twins() == {"prod-1": "again", "again": "prod-1", "and-again": "prod-1"}
    async with db.write(tenant) as c:
        await service.revoke(c, tenant, clock, first.registration)
    assert await twins() == {"prod-1": None, "again": "and-again", "and-again": "again"}


async def test_copies_name_each_other_and_whether_they_are_told_apart(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    for name, machines in (("prod-1", ("n1=192.0.2.1",)), ("copy", ("m1=198.51.100.1",)), ("blind", ())):
        await door.member(tenant, name, cluster_uid="one", machines=machines)
    again = Member(door, "again", cluster_uid="one", machines=("n1=192.0.2.1",))
    await again.enrol(await door.join_token(tenant))
    gone = await door.member(tenant, "gone", cluster_uid="one", machines=("g1=203.0.113.1",))
    await door.member(tenant, "another", machines=("n1=192.0.2.1",))
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, clock, gone.registration)
    query = "{ clusters { nodes { name copies { isToldApart cluster { name } } } } }"
    answer = await people_door(door.db, clock).ask(query, await token_for(door.db, tenant, Role.VIEWER))
    found = {
        node["name"]: {each["cluster"]["name"]: each["isToldApart"] for each in node["copies"]}
        for node in answer.good["clusters"]["nodes"]
    }
    assert found == {
        "prod-1": {"copy": True, "blind": False},
        "copy": {"prod-1": True, "blind": False, "again": True},
        "blind": {"prod-1": False, "copy": False, "again": False},
        "again": {"copy": True, "blind": False},
        "gone": {},
        "another": {},
    }


async def test_a_domain_with_only_revoked_clusters_can_be_deleted(door: Door, tenant: Scope, clock: FakeClock) -> None:
    db, member = door.db, await door.member(tenant)
    async with db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
    await move(db, tenant, clock, vpc, member)
    async with db.write(tenant) as c:
        await service.revoke(c, tenant, clock, member.registration)
    assert await listed(db, clock, tenant) == {"vpc": []}
    async with db.write(tenant) as c:
        await service.delete_domain(c, tenant, vpc, now=clock.now())
    assert await listed(db, clock, tenant) == {}
    async with db.write(tenant) as c:
        await service.create_domain(c, tenant, "vpc")
    query = "{ clusters { nodes { name networkDomain { name endedAt } } } }"
    answer = await people_door(db, clock).ask(query, await token_for(db, tenant, Role.VIEWER))
    (cluster,) = answer.good["clusters"]["nodes"]
    assert cluster["networkDomain"]["name"] == "vpc"
    assert cluster["networkDomain"]["endedAt"] is not None


async def test_a_cluster_gets_its_own_domain_back_and_who_has_one_keeps_it(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db, members = door.db, [await door.member(tenant, name) for name in ("prod-1", "prod-2", "prod-3")]
    ids, clock_now = [member.registration for member in members], clock.now()
    alone = await domain_of(db, tenant, ids[2])
    async with db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
        await service.move_clusters(c, tenant, vpc, ids[:2], now=clock_now)
        await service.isolate_clusters(c, tenant, [ids[0], ids[2], ids[0]], now=clock_now)
    assert await listed(db, clock, tenant) == {"prod-1": ["prod-1"], "prod-3": ["prod-3"], "vpc": ["prod-2"]}
    assert await domain_of(db, tenant, ids[2]) == alone, "its connections stay too"


async def test_who_shares_the_domain_that_came_with_it_gets_another(
    door: Door, tenant: Scope, clock: FakeClock
) -> None:
    db, host, guest = door.db, await door.member(tenant), await door.member(tenant, "prod-2")
    shared = await domain_of(db, tenant, host.registration)
    await move(db, tenant, clock, shared, guest)
    await move(db, tenant, clock, None, host)
    domains = await listed(db, clock, tenant)
    assert domains.pop("prod-1") == ["prod-2"]
    ((name, clusters),) = domains.items()
    assert (name.startswith("prod-1 ("), clusters) == (True, ["prod-1"])


async def test_saying_again_what_is_so_is_no_change(door: Door, db: Database, tenant: Scope, clock: FakeClock) -> None:
    one, other = await door.member(tenant, "one"), await door.member(tenant, "other")
    pair = (await domain_of(db, tenant, one.registration), await domain_of(db, tenant, other.registration))
    seen = []
    for _ in range(2):
        async with db.write(tenant) as c:
            await service.connect(c, tenant, pair, Mode.NAT, "the old link", now=clock.now())
        await move(db, tenant, clock, pair[0], one)
        await move(db, tenant, clock, None, one)
        async with db.read(tenant) as c:
            told = await c.rows(select(audit_events.c.action).where(owned(tenant, audit_events)))
            revision = await c.scalar(select(func.max(allocation_changes.c.revision)))
        seen.append(([row.action for row in told], revision))
    assert seen[0] == seen[1]
    async with db.write(tenant) as c:
        await service.connect(c, tenant, pair, Mode.NAT, "the new link", now=clock.now())
    async with db.read(tenant) as c:
        assert [each.note for each in await connections(c, tenant)] == ["the new link"]
