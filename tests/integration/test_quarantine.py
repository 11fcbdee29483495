"""What the hub sets aside is shown to whoever may look, and to nobody else."""

from collections.abc import AsyncIterator

import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.kit.db import Database

from tests.support.batches import Spoke, pod
from tests.support.clock import START, FakeClock
from tests.support.graphql_hub import Answer, token_for
from tests.support.graphql_hub import door as people_door
from tests.support.spokes_door import Door, open_door

ASK = (
    "query($cluster: ID!, $after: String) { cluster(id: $cluster) { quarantine(first: 2, after: $after) {"
    " nodes { at kind section reason rows sample seq } totalCount pageInfo { hasNextPage endCursor } } } }"
)


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db, IngestConfig(settle_after_s=0, quarantine_rows=3))
    yield opened
    opened.intake.close()


@pytest.mark.promise("the-rest-goes-on")
@pytest.mark.promise("tenants-are-apart")
async def test_rows_that_break_the_contract_are_shown_with_reason_count_and_sample(
    door: Door, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    member = await door.member(tenant)
    spoke = Spoke(member.registration)
    await member.send(spoke.snapshot({"pods": [pod("a"), pod("b", "10.1.0.300"), pod("c", "nonsense")]}))
    for _ in range(4):
        await member.send(spoke.snapshot({"pods": [pod("a"), pod("d", "10.1.0.300")]}))
    cluster, people = f"Cluster:{member.registration}", people_door(door.db, clock)

    async def ask(scope: Scope, after: str | None = None) -> Answer:
        return await people.ask(ASK, await token_for(door.db, scope, Role.VIEWER), cluster=cluster, after=after)

    first = (await ask(tenant)).good["cluster"]["quarantine"]
    assert first["totalCount"] == 3, "the newest are kept"
    assert [(each["kind"], each["section"], each["reason"], each["rows"]) for each in first["nodes"]] == [
        ("inventory", "pods", "bad_address", "1")
    ] * 2
    assert first["nodes"][0]["at"] == START.isoformat().replace("+00:00", "Z")
    assert "10.1.0.300" in first["nodes"][0]["sample"]
    rest = (await ask(tenant, first["pageInfo"]["endCursor"])).good["cluster"]["quarantine"]
    assert [int(each["seq"]) for each in (*first["nodes"], *rest["nodes"])] == [5, 4, 3]
    assert (await ask(other_tenant)).good["cluster"] is None
