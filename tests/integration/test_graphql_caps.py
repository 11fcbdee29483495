"""Lists that may be long are paged or capped, and say how long they are."""

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.fleet import service
from periplus_hub.inventory.graphql_owners import MAX_CANDIDATES
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import door, seed, token_for

OWNER = (
    '{ addressOwner(ip: "10.244.0.1") { ... on AddressAmbiguous { candidateCount reason candidates { uid'
    " cluster { id } } } } }"
)
MEMBERS = (
    "query($after: String) { networkDomains { nodes { name clusters(first: 2, after: $after) {"
    " nodes { name } totalCount pageInfo { hasNextPage endCursor } } } } }"
)


@pytest.mark.promise("owners-are-not-guessed")
async def test_candidates_of_an_address_are_capped_and_counted(
    db: Database, clock: FakeClock, tenant: Scope, other_tenant: Scope
) -> None:
    many = MAX_CANDIDATES + 7
    await seed(db, tenant, clusters=many, objects=1)
    await seed(db, other_tenant, clusters=2, objects=1)
    for scope, total in ((tenant, many), (other_tenant, 2)):
        found = (await door(db, clock).ask(OWNER, await token_for(db, scope, Role.VIEWER))).good["addressOwner"]
        shown = {each["cluster"]["id"] for each in found["candidates"]}
        assert (found["candidateCount"], len(shown)) == (total, min(total, MAX_CANDIDATES))


async def test_the_clusters_of_a_domain_are_pages_without_revoked_ones(
    db: Database, clock: FakeClock, tenant: Scope
) -> None:
    fleet = await seed(db, tenant, clusters=4, objects=1)
    async with db.write(tenant) as c:
        await service.move_clusters(c, tenant, fleet.domains[0], fleet.clusters, now=clock.now())
        await service.revoke(c, tenant, clock, fleet.clusters[1])
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    names: list[str] = []
    after = None
    while True:
        nodes = (await hub.ask(MEMBERS, token, after=after)).good["networkDomains"]["nodes"]
        page = next(each["clusters"] for each in nodes if each["name"] == "domain-000")
        names += [each["name"] for each in page["nodes"]]
        assert page["totalCount"] == 4
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == ["cluster-000", "cluster-002", "cluster-003", "pending"]
