"""Who was refused is in the audit trail, of the tenant it concerns, in few rows however often they knock."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from periplus_hub.access import service_refusal_trail
from periplus_hub.access.model import DEFAULT_TENANT, RefusedAttempt
from periplus_hub.access.scope import Role, Scope, owned, system_scope
from periplus_hub.access.service import Authenticator, source_address
from periplus_hub.access.service_refusal_trail import HOUR_S, MOST_KEPT, MOST_WRITTEN, RefusalTrail
from periplus_hub.access.service_tenants import ensure_default_tenant, make_admin_token
from periplus_hub.access.tables import audit_events
from periplus_hub.api.graphql_app import GraphQLApp
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable

from tests.support.batches import Spoke, pod
from tests.support.clock import FakeClock
from tests.support.graphql_hub import Door as GraphQLDoor
from tests.support.graphql_hub import token_for
from tests.support.spokes_door import Door, Member, RefusedByHubError, open_door

KNOCK = RefusedAttempt("spoke:proof:refuse", "wrong signature")
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    opened = open_door(db)
    yield opened
    opened.intake.close()


@pytest.fixture
async def operators(db: Database) -> Scope:
    """Whoever runs the hub."""
    return system_scope(await ensure_default_tenant(db), "test")


async def refused(db: Database, scope: Scope) -> list[dict[str, Any]]:
    """The refusals in a tenant's trail."""
    async with db.read(scope) as c:
        rows = await c.rows(select(audit_events).where(owned(scope, audit_events)).order_by(audit_events.c.id))
    return [dict(row._mapping) for row in rows if row.action.endswith(":refuse")]


async def said(db: Database, scope: Scope) -> list[tuple[str, str, str]]:
    return sorted((each["action"], each["object_kind"], each["detail"]["reason"]) for each in await refused(db, scope))


async def no(work: Any) -> None:
    with pytest.raises(RefusedByHubError):
        await work


def knock(refusals: RefusalTrail, address: str, times: int = 1, what: RefusedAttempt = KNOCK) -> None:
    before = source_address.set(address)
    for _ in range(times):
        refusals.note(what)
    source_address.reset(before)


@pytest.mark.promise("refusals-are-audited")
async def test_join_tokens_proofs_credentials_and_foreign_registrations(
    door: Door, db: Database, tenant: Scope, other_tenant: Scope, operators: Scope
) -> None:
    token = await door.join_token(tenant, auto_approve=True)
    member = Member(door, "prod-1")
    await member.enrol(token)
    await member.renew()
    await no(Member(door, "thief").enrol(token))
    await no(Member(door, "guess").enrol(token[:-4] + "AAAA"))
    await no(Member(door, "guess").enrol("ppj_AbCd1234." + "x" * 43))
    thief = Member(door, "thief")
    thief.enrolled = member.enrolled
    await no(thief.renew())
    member.credential, kept = member.credential[:-4] + "AAAA", member.credential
    await no(member.send(Spoke(member.registration).snapshot({"pods": [pod("a")]})))
    member.credential = kept
    await no(member.send(Spoke(UUID(UNKNOWN)).snapshot({"pods": [pod("a")]})))
    await door.refusals.write()
    assert await said(db, tenant) == [
        ("spoke:credential:refuse", "Cluster", "wrong secret"),
        ("spoke:join-token:refuse", "JoinToken", "used by another key"),
        ("spoke:join-token:refuse", "JoinToken", "wrong secret"),
        ("spoke:proof:refuse", "Cluster", "wrong signature"),
        ("spoke:registration:refuse", "Cluster", "a batch of another registration"),
    ]
    assert await said(db, operators) == [("spoke:join-token:refuse", "Tenant", "unknown join token")]
    assert await said(db, other_tenant) == []
    text = json.dumps([each["detail"] for each in await refused(db, tenant)])
    assert token.partition(".")[2] not in text


@pytest.mark.promise("refusals-are-audited")
async def test_api_tokens(db: Database, other_tenant: Scope, operators: Scope) -> None:
    refusals = RefusalTrail(db)
    authenticator = Authenticator(db, refusals.note)
    token = await make_admin_token(db, tenant=DEFAULT_TENANT)
    await make_admin_token(db, tenant=DEFAULT_TENANT)  # revokes the first
    newest = await make_admin_token(db, "second", tenant=DEFAULT_TENANT)
    for presented in (token, newest + "x", "ppt_AbCd1234_" + "x" * 43, "no token at all"):
        assert await authenticator.authenticate(presented) is None
    assert await authenticator.authenticate(newest) is not None
    await refusals.write()
    assert await said(db, operators) == [
        ("access:api-token:refuse", "ApiToken", "revoked token"),
        ("access:api-token:refuse", "ApiToken", "wrong secret"),
        ("access:api-token:refuse", "Tenant", "no token of ours"),
        ("access:api-token:refuse", "Tenant", "unknown token"),
    ]
    assert await said(db, other_tenant) == []


@pytest.mark.promise("refusals-are-audited")
async def test_what_a_role_may_not_do(db: Database, tenant: Scope, other_tenant: Scope, clock: FakeClock) -> None:
    refusals = RefusalTrail(db)
    door = GraphQLDoor(GraphQLApp(db, clock, Authenticator(db, refusals.note)))
    viewer = await token_for(db, tenant, Role.VIEWER)
    for _ in range(3):
        answer = await door.ask("{ apiTokens { totalCount } }", viewer)
        assert answer.codes == ["forbidden"]
    change = 'mutation { createNetworkDomain(input: {name: "vpc"}) { __typename } }'
    assert (await door.ask(change, viewer)).good["createNetworkDomain"] == {"__typename": "Forbidden"}
    assert (await door.ask("{ clusters { totalCount } }", viewer)).good, "what it may do is no refusal"
    await refusals.write()
    assert await said(db, tenant) == [
        ("access:permission:refuse", "ApiToken", "viewer lacks domains:write"),
        ("access:permission:refuse", "ApiToken", "viewer lacks tokens:write"),
    ]
    assert {each["actor"] for each in await refused(db, tenant)} == {"token:test-viewer"}
    assert sorted(each["detail"]["times"] for each in await refused(db, tenant)) == [1, 3]
    assert await said(db, other_tenant) == []


async def test_who_goes_on_is_written_at_once_and_again_when_the_hour_is_over(
    db: Database, tenant: Scope, clock: FakeClock
) -> None:
    refusals, what = RefusalTrail(db), replace(KNOCK, tenant_id=tenant.tenant_id)
    knock(refusals, "192.0.2.1", 500, what)
    await refusals.write()
    for _ in range(5):
        clock.advance(60)
        knock(refusals, "192.0.2.1", 3, what)
        await refusals.write()
    (first,) = await refused(db, tenant)
    assert (first["address"], first["actor"], first["detail"]["times"]) == ("192.0.2.1", "stranger", 500)
    clock.advance(HOUR_S)
    await refusals.write()
    assert [each["detail"]["times"] for each in await refused(db, tenant)] == [500, 15]
    await refusals.write()
    assert len(await refused(db, tenant)) == 2


@pytest.mark.promise("refusals-are-audited")
async def test_however_many_addresses_knock_the_rows_are_few_and_all_are_counted(
    db: Database, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    refusals = RefusalTrail(db)
    for number in range(MOST_KEPT + 500):
        knock(refusals, f"192.0.{number // 250}.{number % 250}", 2, replace(KNOCK, tenant_id=tenant.tenant_id))
    knock(refusals, "198.51.100.1", 1, replace(KNOCK, tenant_id=other_tenant.tenant_id))
    assert len(refusals._counts) <= MOST_KEPT + 2
    await refusals.write()
    assert len(await refused(db, tenant)) == MOST_WRITTEN
    clock.advance(HOUR_S)
    await refusals.write()
    events = await refused(db, tenant)
    assert len(events) == MOST_WRITTEN + 1
    assert (events[-1]["address"], events[-1]["detail"]["reason"]) == ("", "of several addresses")
    assert sum(each["detail"]["times"] for each in events) == 2 * (MOST_KEPT + 500)
    assert sum(each["detail"]["times"] for each in await refused(db, other_tenant)) == 1


async def test_what_cannot_be_written_is_kept(db: Database, tenant: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = RefusalTrail(db)
    knock(refusals, "192.0.2.1", 7, replace(KNOCK, tenant_id=tenant.tenant_id))

    async def away(*_: object, **__: object) -> None:
        knock(refusals, "192.0.2.1", 1, replace(KNOCK, tenant_id=tenant.tenant_id))
        message = "the database cannot be reached"
        raise Unavailable(message)

    with monkeypatch.context() as patch:
        patch.setattr(service_refusal_trail, "audit", away)
        await refusals._try_to_write()
    assert await refused(db, tenant) == []
    await refusals.write(is_last=True)
    assert [each["detail"]["times"] for each in await refused(db, tenant)] == [8]
