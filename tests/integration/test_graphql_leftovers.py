"""An operation that was answered is over: no statement of it still runs, and none was broken off."""

from typing import Any

import pytest
from sqlalchemy import text

from periplus_hub.access.scope import Role, Scope
from periplus_hub.kit.db import Database
from periplus_hub.kit.tenancy import NO_TENANT

from tests.support.clock import FakeClock
from tests.support.graphql_hub import door, seed, token_for

FAILS_BESIDE_A_READ = '{clusters(after:"no cursor"){nodes{id} totalCount} overlapCounts{severities{groups}}}'
SESSIONS = text("SELECT pid, state FROM pg_stat_activity WHERE application_name = 'periplus-read' ORDER BY pid")


async def sessions(db: Database) -> list[Any]:
    async with db.write(NO_TENANT) as c:
        return [tuple(row) for row in await c.rows(SESSIONS)]


@pytest.mark.promise("queries-are-bounded")
async def test_a_field_that_fails_costs_no_connection(db: Database, clock: FakeClock, tenant: Scope) -> None:
    await seed(db, tenant)
    hub, token = door(db, clock), await token_for(db, tenant, Role.VIEWER)
    await hub.ask("{clusters{totalCount} networkDomains{totalCount} pools{totalCount} allocations{totalCount}}", token)
    before = await sessions(db)
    for _ in range(20):
        assert (await hub.ask(FAILS_BESIDE_A_READ, token)).codes == ["invalid"]
        assert {state for _, state in await sessions(db)} == {"idle"}
    assert await sessions(db) == before
