"""What the audit trail says of a change: from where, what was before, and what after."""

from typing import Any

import httpx
import pytest

from periplus_hub.access.scope import Role, Scope
from periplus_hub.api.http_middleware import Observed
from periplus_hub.kit.db import Database

from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door, door, seed, token_for

TRAIL = "{ auditEvents(first: 100) { nodes { actor action address objectId before after detail } } }"
MOVE = """mutation($domain: ID!, $clusters: [ID!]!) {
  moveClusters(domain: $domain, clusters: $clusters) { __typename }
}"""
FROM = "203.0.113.7"


@pytest.fixture
def hub(db: Database, clock: FakeClock) -> Door:
    """The API listener, dialled from one address."""
    app = door(db, clock).app
    around = Observed(app, "api", clock, 1_000_000)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=around, client=(FROM, 5000)), base_url="http://hub")
    return Door(app, http)


async def trail(hub: Door, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await hub.ask(TRAIL, token)).good["auditEvents"]["nodes"]
    return found


@pytest.mark.promise("changes-are-audited")
async def test_a_change_says_from_where_and_what_was_before_and_after(hub: Door, db: Database, tenant: Scope) -> None:
    fleet, token = await seed(db, tenant), await token_for(db, tenant, Role.ADMIN)
    cluster, left, entered = (fleet.ids[name] for name in ("Cluster", "NetworkDomain", "EmptyDomain"))
    answer = await hub.ask(MOVE, token, domain=entered, clusters=[cluster])
    assert answer.errors == []
    (event, *_) = await trail(hub, token)
    assert (event["action"], event["address"], event["objectId"]) == ("fleet:domain:move", FROM, entered)
    assert (event["before"], event["after"]) == ({cluster: left}, {cluster: entered})


async def test_what_the_hub_does_by_itself_comes_from_nowhere(hub: Door, db: Database, tenant: Scope) -> None:
    token = await token_for(db, tenant, Role.ADMIN)
    assert [event["address"] for event in await trail(hub, token)] == [""]
