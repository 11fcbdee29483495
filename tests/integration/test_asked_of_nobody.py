"""Questions narrowed to a cluster or a network domain that is not there: no list is empty because of that."""

from collections.abc import AsyncIterator

import pytest

from periplus_hub.access.scope import Role, Scope, role_scope
from periplus_hub.fleet.service import revoke
from periplus_hub.kit.db import Database

from tests.support.overlap_fleet import Fleet

NOBODY = "01950000-0000-7000-8000-00000000dead"
OF_A_CLUSTER = ("overlapGroups", "findings", "allocations", "pools", "ingestCompleteness")
OF_A_DOMAIN = ("overlapGroups", "clusters")
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


@pytest.mark.promise("no-false-all-clear")
async def test_the_old_id_of_a_cluster_that_joined_again_is_not_told_that_nothing_overlaps(fleet: Fleet) -> None:
    admin = role_scope(fleet.scope.tenant_id, "test", Role.ADMIN)
    old = fleet.registration("a")
    async with fleet.db.write(admin) as c:
        await revoke(c, admin, fleet.db.clock, old)
    await fleet.settle(1)
    answer = await fleet.knock(of_cluster("overlapGroups", old))
    assert answer.codes == ["not-found"]
    assert "revoked" in answer.errors[0]["message"]
    assert (await fleet.knock(of_cluster("findings", old))).errors == [], "what was is still told"
