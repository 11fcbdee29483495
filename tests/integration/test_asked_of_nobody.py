"""Questions narrowed to a cluster or a network domain that is not there: no list is empty because of that."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import update

from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.findings.jobs import FindingsJob
from periplus_hub.fleet.service import revoke
from periplus_hub.fleet.tables import registrations
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.overlap_fleet import Fleet

NOBODY = "01950000-0000-7000-8000-00000000dead"
OF_A_CLUSTER = ("overlapGroups", "findings", "allocations", "pools", "ingestCompleteness")
OF_A_DOMAIN = ("overlapGroups", "clusters")
LATER = '{{ ingestCompleteness(cluster: "Cluster:{}", since: "2030-01-01T00:00:00Z") {{ totalCount }} }}'
OPEN = '{{ findings(cluster: "Cluster:{}", states: [OPEN]) {{ totalCount }} }}'
POD = ("pod", "10.244.0.0/16")


@pytest.fixture
async def fleet(db: Database, tenant: Scope) -> AsyncIterator[Fleet]:
    opened = Fleet.open(db, tenant)
    await opened.cluster("a", POD)
    await opened.cluster("b", POD)
    await opened.settle()
    yield opened
    opened.door.intake.close()


def of_cluster(field: str, cluster: object) -> str:
    return f'{{ {field}(cluster: "Cluster:{cluster}") {{ totalCount }} }}'


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("field", OF_A_CLUSTER)
async def test_a_cluster_that_is_not_there_has_not_none(fleet: Fleet, field: str) -> None:
    assert (await fleet.knock(of_cluster(field, fleet.registration("a")))).errors == []
    answer = await fleet.knock(of_cluster(field, NOBODY))
    assert answer.codes == ["not-found"]
    assert NOBODY in answer.errors[0]["message"]


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("field", OF_A_DOMAIN)
async def test_a_domain_that_is_not_there_has_not_none(fleet: Fleet, field: str) -> None:
    answer = await fleet.knock(f'{{ {field}(domain: "NetworkDomain:{NOBODY}") {{ totalCount }} }}')
    assert answer.codes == ["not-found"]
    assert NOBODY in answer.errors[0]["message"]


def admin_of(fleet: Fleet) -> Scope:
    return role_scope(fleet.scope.tenant_id, "test", Role.ADMIN)


async def revoked(fleet: Fleet) -> UUID:
    old = fleet.registration("a")
    async with fleet.db.write(admin_of(fleet)) as c:
        await revoke(c, admin_of(fleet), fleet.db.clock, old)
    await fleet.settle(1)
    return old


@pytest.mark.promise("no-false-all-clear")
@pytest.mark.parametrize("field", OF_A_CLUSTER)
async def test_of_the_old_id_of_a_cluster_that_joined_again_is_not_told_that_there_is_none(
    fleet: Fleet, field: str
) -> None:
    old = await revoked(fleet)
    answer = await fleet.knock(of_cluster(field, old))
    if field == "ingestCompleteness":
        assert answer.good[field]["totalCount"] > 0, "what was is still told"
        answer = await fleet.knock(LATER.format(old))
    assert answer.codes == ["not-found"]
    assert f"{old} is revoked" in answer.errors[0]["message"]


@pytest.mark.promise("no-false-all-clear")
async def test_what_a_revoked_cluster_had_is_told_and_that_it_has_none_is_not(fleet: Fleet, clock: FakeClock) -> None:
    async with fleet.db.write(fleet.scope) as c:
        await c.execute(update(registrations).values(clock_skew_ms=3_600_000))
    await FindingsJob(fleet.db).run(clock.now())
    old = await revoked(fleet)
    await FindingsJob(fleet.db).run(clock.now())
    assert (await fleet.ask(of_cluster("findings", old)))["findings"]["totalCount"] > 0
    assert (await fleet.knock(OPEN.format(old))).codes == ["not-found"]
