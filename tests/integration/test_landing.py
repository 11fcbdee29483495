"""Where a cluster lands that joins: as its token says, where it was before, or in a domain of its own."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.fleet import service
from periplus_hub.fleet.repository import registrations_by_ids
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Forbidden, NotFound
from periplus_hub.kit.ids import new_id

from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


async def _domain_of(door: Door, scope: Scope, member: Member) -> UUID:
    async with door.db.read(scope) as c:
        return (await registrations_by_ids(c, scope, [member.registration]))[member.registration].domain_id


async def _moved_and_revoked(door: Door, tenant: Scope) -> tuple[Member, UUID]:
    member = await door.member(tenant, "prod-1")
    async with door.db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
        await service.move_clusters(c, tenant, vpc, [member.registration], now=door.db.clock.now())
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, door.db.clock, member.registration)
    return member, vpc


async def test_a_token_names_the_domain(door: Door, tenant: Scope) -> None:
    async with door.db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
    member = Member(door, "prod-1")
    await member.enrol(await door.join_token(tenant, domain_id=vpc, auto_approve=True))
    assert await _domain_of(door, tenant, member) == vpc
    async with door.db.read(tenant) as c:
        assert len(await registrations_by_ids(c, tenant, [member.registration])) == 1


async def test_a_domain_that_is_no_more_takes_nobody_in(door: Door, tenant: Scope) -> None:
    async with door.db.write(tenant) as c:
        vpc = (await service.create_domain(c, tenant, "vpc")).id
    token = await door.join_token(tenant, domain_id=vpc)
    async with door.db.write(tenant) as c:
        await service.delete_domain(c, tenant, vpc, now=door.db.clock.now())
    with pytest.raises(RefusedByHubError) as refused:
        await Member(door, "prod-1").enrol(token)
    assert "a network domain that is no more" in refused.value.problem.detail
    assert "join-token create" in refused.value.problem.remedy


async def test_only_who_may_change_domains_and_only_known_ones(door: Door, tenant: Scope) -> None:
    with pytest.raises(NotFound):
        await door.join_token(tenant, domain_id=new_id())
    viewer = role_scope(tenant.tenant_id, "token:x", Role.VIEWER)
    with pytest.raises(Forbidden):
        await door.join_token(viewer, domain_id=new_id())


async def test_a_cluster_that_joins_again_keeps_its_domain_and_is_told(door: Door, tenant: Scope) -> None:
    _, vpc = await _moved_and_revoked(door, tenant)
    again = Member(door, "prod-1")
    answer = await again.enrol(await door.join_token(tenant))
    assert await _domain_of(door, tenant, again) == vpc
    assert answer.notice == "it is in network domain 'vpc' again, as before it was revoked"


async def test_another_cluster_of_the_name_does_not_and_is_told(door: Door, tenant: Scope) -> None:
    _, vpc = await _moved_and_revoked(door, tenant)
    other = Member(door, "prod-1", cluster_uid="another")
    answer = await other.enrol(await door.join_token(tenant))
    assert await _domain_of(door, tenant, other) != vpc
    assert "'periplus domains move vpc prod-1'" in answer.notice


async def test_a_domain_that_ended_meanwhile_is_told(door: Door, tenant: Scope) -> None:
    _, vpc = await _moved_and_revoked(door, tenant)
    async with door.db.write(tenant) as c:
        await service.delete_domain(c, tenant, vpc, now=door.db.clock.now())
    again = Member(door, "prod-1")
    assert "'vpc', which is no more" in (await again.enrol(await door.join_token(tenant))).notice


async def test_one_that_had_only_its_own_domain_hears_nothing(door: Door, tenant: Scope) -> None:
    first = await door.member(tenant, "prod-1")
    async with door.db.write(tenant) as c:
        await service.revoke(c, tenant, door.db.clock, first.registration)
    again = Member(door, "prod-1")
    assert (await again.enrol(await door.join_token(tenant))).notice == ""
