"""Every root field and mutation, run from its documented example: works, is bounded, audited, keeps tenants apart."""

import hashlib
import json
from datetime import datetime
from typing import cast

import pytest
from sqlalchemy import select

from periplus_hub.access.scope import Role, Scope, owned
from periplus_hub.api.schema import build_schema
from periplus_hub.kit.db import Database, count_statements
from periplus_hub.kit.tables import metadata

from tests.support.clock import FakeClock
from tests.support.graphql_examples import EXAMPLES, MUTATIONS, QUERIES, Example
from tests.support.graphql_hub import Answer, Door, door, seed, token_for
from tests.support.hub_db import make_tenant

ROLES = {
    Role.VIEWER: set[str](),
    Role.ANALYST: {"findings:write"},
    Role.OPERATOR: {
        "findings:write",
        "domains:write",
        "overlaps:accept",
        "addresses:reserve",
        "ranges:write",
        "fleet:approve",
        "notifications:test",
    },
    Role.ADMIN: {
        "findings:write",
        "domains:write",
        "overlaps:accept",
        "addresses:reserve",
        "ranges:write",
        "fleet:approve",
        "notifications:test",
        "tokens:write",
    },
}
NEWEST = "{ auditEvents(first: 1) { nodes { before after } } }"
READ_BY_ADMINS = {"apiTokens", "auditEvents", "joinTokens", "sessions"}


def trusting_door(db: Database, clock: FakeClock) -> Door:
    texts = [NEWEST, *(each.text for each in EXAMPLES)]
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return door(db, clock, trusted=digests)


@pytest.fixture
def hub(db: Database, clock: FakeClock) -> Door:
    return trusting_door(db, clock)


NULL_WITHOUT_FLOWS = {"edge"}
"""Queries about one dependency; no cluster here tells flows, so there is none."""


async def run(hub: Door, example: Example, token: str | None, ids: dict[str, str]) -> Answer:
    return await hub.ask(example.text, token, **example.variables(ids))


async def contents(db: Database, scope: Scope) -> dict[str, list[str]]:
    """Every row of the tenant, but for when its tokens were last used."""
    found = {}
    async with db.read(scope) as c:
        for name, table in metadata.tables.items():
            if "tenant_id" in table.c:
                columns = [column for column in table.c if column.name != "last_used_at"]
                found[name] = sorted(map(repr, await c.rows(select(*columns).where(owned(scope, table)))))
    return found


async def audited(db: Database, scope: Scope) -> int:
    return len((await contents(db, scope))["audit_events"])


async def test_queries_answer_and_change_nothing(hub: Door, db: Database, tenant: Scope) -> None:
    fleet, token = await seed(db, tenant), await token_for(db, tenant, Role.ADMIN)
    before = await contents(db, tenant)
    for example in QUERIES:
        data = (await run(hub, example, token, fleet.ids)).good
        assert (data[example.field] is None) is (example.field in NULL_WITHOUT_FLOWS), example.field
    assert await contents(db, tenant) == before


@pytest.mark.promise("changes-are-audited")
async def test_mutations_happen_and_are_audited_once(hub: Door, db: Database) -> None:
    for example in MUTATIONS:
        scope = cast("Scope", await make_tenant(db, example.field))
        fleet, token = await seed(db, scope), await token_for(db, scope, Role.ADMIN)
        before = await audited(db, scope)
        result = (await run(hub, example, token, fleet.ids)).good[example.field]
        assert "remedy" not in result, (example.field, result)
        assert await audited(db, scope) == before + 1, example.field
        (newest,) = (await hub.ask(NEWEST, token)).good["auditEvents"]["nodes"]
        assert newest["before"] != newest["after"], example.field
        assert None in newest.values() or newest["before"].keys() == newest["after"].keys(), example.field


@pytest.mark.promise("strangers-learn-nothing")
async def test_nobody_learns_anything(hub: Door, db: Database, tenant: Scope) -> None:
    fleet = await seed(db, tenant)
    before = await contents(db, tenant)
    for example in EXAMPLES:
        answer = await run(hub, example, None, fleet.ids)
        assert (answer.status, answer.data, answer.codes) == (401, None, ["unauthenticated"]), example.field
    assert await contents(db, tenant) == before


@pytest.mark.promise("tenants-are-apart")
async def test_other_tenants_see_and_change_nothing(
    hub: Door, db: Database, tenant: Scope, other_tenant: Scope
) -> None:
    theirs = await seed(db, tenant)
    await seed(db, other_tenant)
    token = await token_for(db, other_tenant, Role.ADMIN)
    before = await contents(db, tenant)
    for example in (*QUERIES, *MUTATIONS):
        answer = await run(hub, example, token, theirs.ids)
        told = json.dumps([answer.data, [error["message"] for error in answer.errors]])
        asked = json.dumps(example.variables(theirs.ids))
        leaked = {each for each in theirs.uuids if each in told and each not in asked}
        assert leaked == set(), example.field
        if example.variables(theirs.ids):
            result = (answer.data or {}).get(example.field)
            assert result is None or result.get("__typename") == "NotFound", (example.field, result)
    assert await contents(db, tenant) == before


@pytest.mark.promise("roles-hold")
async def test_viewers_read_what_is_not_for_admins_and_change_nothing(hub: Door, db: Database, tenant: Scope) -> None:
    fleet, token = await seed(db, tenant), await token_for(db, tenant, Role.VIEWER)
    before = await contents(db, tenant)
    for example in QUERIES:
        codes = (await run(hub, example, token, fleet.ids)).codes
        assert codes == (["forbidden"] if example.field in READ_BY_ADMINS else []), example.field
    for example in MUTATIONS:
        result = (await run(hub, example, token, fleet.ids)).good[example.field]
        assert (result["__typename"], result["code"]) == ("Forbidden", "forbidden"), example.field
    assert await contents(db, tenant) == before


@pytest.mark.promise("roles-hold")
async def test_every_mutation_is_for_the_roles_it_names_and_no_other(hub: Door, db: Database) -> None:
    """Each says in its description what it needs; what a role may do is spelt out here once more, by hand."""
    described = build_schema()._schema.mutation_type.fields  # type: ignore[union-attr]  # there is one
    for example in MUTATIONS:
        needed = str(described[example.field].description).rpartition("Needs ")[2].rstrip(".")
        for role, may in ROLES.items():
            scope = cast("Scope", await make_tenant(db, f"{example.field}-{role}"))
            fleet, token = await seed(db, scope, clusters=2, objects=0), await token_for(db, scope, role)
            before = await contents(db, scope)
            result = (await run(hub, example, token, fleet.ids)).good[example.field]
            assert (result["__typename"] == "Forbidden") == (needed not in may), (example.field, role, result)
            assert (await contents(db, scope) == before) == (needed not in may), (example.field, role)


@pytest.mark.promise("changes-are-audited")
async def test_the_same_again_is_audited_if_it_changes_anything(hub: Door, db: Database, clock: FakeClock) -> None:
    wrong = []
    for example in MUTATIONS:
        scope = cast("Scope", await make_tenant(db, example.field))
        fleet, token = await seed(db, scope), await token_for(db, scope, Role.ADMIN)
        await run(hub, example, token, fleet.ids)
        before = await contents(db, scope)
        clock.advance(1)
        await run(hub, example, token, fleet.ids)
        after = await contents(db, scope)
        written = len(after.pop("audit_events")) - len(before.pop("audit_events"))
        if written != (after != before):
            wrong.append(f"{example.field}: {written} events")
    assert wrong == []


class TickingClock(FakeClock):
    """As real ones: no two looks at it are the same instant."""

    def now(self) -> datetime:
        self.step(0.000_001)
        return super().now()


@pytest.mark.promise("statements-do-not-grow")
async def test_statements_do_not_grow_with_rows(db: Database, tenant: Scope, other_tenant: Scope) -> None:
    hub = trusting_door(db, TickingClock())
    counts: list[dict[str, int]] = []
    for scope, clusters, objects in ((tenant, 2, 1), (other_tenant, 12, 9)):
        fleet, token = await seed(db, scope, clusters=clusters, objects=objects), await token_for(db, scope, Role.ADMIN)
        for _ in range(2):  # the token's row is read again after its first use
            await hub.ask("{__typename}", token)
        counts.append({})
        for example in QUERIES:
            with count_statements() as counter:
                assert not (await run(hub, example, token, fleet.ids)).errors, example.field
            counts[-1][example.field] = counter.total
    assert counts[0] == counts[1]
    assert max(counts[0].values()) <= 24


OF_NOW = """{
  clusters(first: 50) {
    nodes { knowledge missing { source } liveness overlapGroups(first: 2) { totalCount state } }
  }
  overlapGroups(first: 50) { state nodes { clusterCounts { clusters } clusters(first: 2) { totalCount } } }
  overlapCounts { state }
}"""
"""Fields whose answer depends on the time, of many rows."""


@pytest.mark.promise("statements-do-not-grow")
async def test_all_fields_of_an_operation_share_one_instant(db: Database, tenant: Scope, other_tenant: Scope) -> None:
    """Else each row's field would ask as of an instant of its own, in a statement of its own."""
    hub, counts = trusting_door(db, TickingClock()), []
    for scope, clusters in ((tenant, 2), (other_tenant, 12)):
        await seed(db, scope, clusters=clusters)
        token = await token_for(db, scope, Role.ADMIN)
        for _ in range(2):
            await hub.ask("{__typename}", token)
        with count_statements() as counter:
            answer = await hub.ask(OF_NOW, token)
        assert len(answer.good["clusters"]["nodes"]) == clusters + 1
        counts.append(counter.total)
    assert counts[0] == counts[1]


MOVED_TWICE = """mutation($domain: ID!, $one: ID!, $two: ID!) {
  one: moveClusters(domain: $domain, clusters: [$one]) { ...Members }
  two: moveClusters(domain: $domain, clusters: [$two]) { ...Members }
}
fragment Members on NetworkDomain { clusters { totalCount } }"""


async def test_what_a_mutation_answers_is_read_after_it(hub: Door, db: Database, tenant: Scope) -> None:
    fleet, token = await seed(db, tenant), await token_for(db, tenant, Role.ADMIN)
    ids = fleet.ids
    found = await hub.ask(MOVED_TWICE, token, domain=ids["EmptyDomain"], one=ids["Cluster"], two=ids["Cluster2"])
    assert [found.good[each]["clusters"]["totalCount"] for each in ("one", "two")] == [1, 2]
