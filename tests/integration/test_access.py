import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from periplus_hub.access import repository, service, service_tenants
from periplus_hub.access.recent_rows import CACHE_S
from periplus_hub.access.scope import Permission, Role, Scope, owned, role_scope
from periplus_hub.access.service import Authenticator
from periplus_hub.access.tables import api_tokens, audit_events
from periplus_hub.kit.db import Database, WriteConnection, count_statements
from periplus_hub.kit.errors import Forbidden, Invalid, NotFound

from tests.support.clock import FakeClock

DAY: Final = timedelta(days=1)


async def make(db: Database, scope: Scope, role: Role = Role.VIEWER, *, lifetime: timedelta | None = None) -> str:
    async with db.write(scope) as c:
        _, text = await service.create_token(c, scope, "ci", role, lifetime=lifetime, now=db.clock.now())
    return text


async def events(db: Database, scope: Scope) -> list[str]:
    async with db.read(scope) as c:
        rows = await c.rows(select(audit_events.c.action).where(owned(scope, audit_events)))
    return [row.action for row in rows]


@pytest.mark.parametrize("role", Role)
async def test_a_token_is_its_tenants_and_has_its_roles_rights(db: Database, tenant: Scope, role: Role) -> None:
    text = await make(db, tenant, role)
    found = await Authenticator(db).authenticate(text)
    assert found == role_scope(tenant.tenant_id, "token:ci", role)


@pytest.mark.promise("secrets-are-not-shown")
async def test_only_a_hash_of_the_secret_is_kept(db: Database, tenant: Scope) -> None:
    text = await make(db, tenant)
    secret = text[len("ppt_12345678_") :]
    async with db.read(tenant) as c:
        row = await c.one_or_none(select(api_tokens))
    assert secret not in str(row)
    assert text.startswith(f"{row.prefix}_")


@pytest.mark.promise("strangers-learn-nothing")
@pytest.mark.parametrize("damage", ["", "ppt_", "x", "secret", "prefix", "ppt_abcdefgh_", "é", "case"])
async def test_anything_but_the_token_is_nobody(db: Database, tenant: Scope, damage: str) -> None:
    text = await make(db, tenant)
    presented = {
        "secret": text[:-1] + ("A" if text[-1] != "A" else "B"),
        "prefix": "ppt_" + "A" * 8 + text[12:],
        "é": text + "é",
        "case": text.upper(),
    }.get(damage, damage)
    assert await Authenticator(db).authenticate(presented) is None


async def test_a_token_ends_at_its_time(db: Database, tenant: Scope, clock: FakeClock) -> None:
    text = await make(db, tenant, lifetime=DAY)
    authenticator = Authenticator(db)
    clock.advance(DAY.total_seconds() - 1)
    assert await authenticator.authenticate(text) is not None
    clock.advance(1)
    assert await authenticator.authenticate(text) is None


@pytest.mark.promise("revoked-is-out")
async def test_a_revoked_token_is_refused_within_five_seconds(db: Database, tenant: Scope, clock: FakeClock) -> None:
    text = await make(db, tenant)
    authenticator = Authenticator(db)
    await authenticator.authenticate(text)
    assert await authenticator.authenticate(text) is not None
    async with db.write(tenant) as c:
        [token] = await repository.tokens(c, tenant)
        await service.revoke_token(c, tenant, token.id, now=clock.now())
    clock.advance(CACHE_S)
    assert await authenticator.authenticate(text) is None


@pytest.mark.promise("tenants-are-apart")
async def test_the_tokens_of_another_tenant_cannot_be_seen_or_revoked(
    db: Database, tenant: Scope, other_tenant: Scope, clock: FakeClock
) -> None:
    text = await make(db, tenant)
    async with db.read(tenant) as c:
        [token] = await repository.tokens(c, tenant)
        assert await repository.tokens(c, other_tenant) == []

    async def revoke(c: WriteConnection) -> None:
        await service.revoke_token(c, other_tenant, token.id, now=clock.now())

    with pytest.raises(NotFound):
        await db.retrying_write(tenant, revoke)
    assert await Authenticator(db).authenticate(text) is not None
    assert await events(db, other_tenant) == []


@pytest.mark.promise("changes-are-audited")
async def test_changes_of_tokens_are_audited_once(db: Database, tenant: Scope, clock: FakeClock) -> None:
    await make(db, tenant)
    async with db.write(tenant) as c:
        [token] = await repository.tokens(c, tenant)
        await service.revoke_token(c, tenant, token.id, now=clock.now())
        await service.revoke_token(c, tenant, token.id, now=clock.now())
    assert await events(db, tenant) == ["access:api-token:create", "access:api-token:revoke"]


@pytest.mark.promise("changes-are-audited")
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_events SET actor = 'nobody'", "DELETE FROM audit_events", "TRUNCATE audit_events"],
)
async def test_what_was_audited_stays(db: Database, tenant: Scope, statement: str) -> None:
    await make(db, tenant)
    before = await events(db, tenant)
    with pytest.raises(DBAPIError, match=r"only ever added|permission denied"):
        async with db.write(tenant) as c:
            await c.execute(text(statement))
    assert await events(db, tenant) == before == ["access:api-token:create"]


@pytest.mark.promise("changes-are-audited")
async def test_an_audit_event_dies_with_the_change_it_describes(db: Database, tenant: Scope) -> None:
    async def change(c: WriteConnection) -> None:
        await service.create_token(c, tenant, "never", Role.ADMIN, now=db.clock.now())
        raise LookupError

    with pytest.raises(LookupError):
        await db.retrying_write(tenant, change)
    assert await events(db, tenant) == []
    async with db.read(tenant) as c:
        assert await repository.tokens(c, tenant) == []


@pytest.mark.promise("roles-hold")
@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST, Role.OPERATOR])
async def test_only_admins_manage_tokens(db: Database, tenant: Scope, role: Role) -> None:
    scope = role_scope(tenant.tenant_id, "token:small", role)

    async def create(c: WriteConnection) -> None:
        await service.create_token(c, scope, "x", Role.VIEWER, now=db.clock.now())

    with pytest.raises(Forbidden, match=f"is {role.value}") as refused:
        await db.retrying_write(tenant, create)
    assert "admin" in refused.value.remedy
    assert await events(db, tenant) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b"])
async def test_a_token_needs_a_name_for_people(db: Database, tenant: Scope, name: str) -> None:
    async def create(c: WriteConnection) -> None:
        await service.create_token(c, tenant, name, Role.VIEWER, now=db.clock.now())

    with pytest.raises(Invalid, match="the token's name"):
        await db.retrying_write(tenant, create)


async def test_a_new_admin_token_replaces_the_one_of_the_same_name(db: Database, clock: FakeClock) -> None:
    await service_tenants.ensure_default_tenant(db)
    first = await service_tenants.make_admin_token(db, "file")
    other = await service_tenants.make_admin_token(db, "somebody-else")
    second = await service_tenants.make_admin_token(db, "file")
    authenticator = Authenticator(db)
    assert await authenticator.authenticate(first) is None
    found = await authenticator.authenticate(second)
    assert found is not None
    assert found.allows(Permission.TOKENS_WRITE)
    assert await authenticator.authenticate(other) is not None


async def test_the_default_tenant_is_made_once(db: Database) -> None:
    assert await service_tenants.ensure_default_tenant(db) == await service_tenants.ensure_default_tenant(db)


async def test_asking_with_a_cached_token_costs_no_statement(db: Database, tenant: Scope) -> None:
    text = await make(db, tenant)
    authenticator = Authenticator(db)
    await authenticator.authenticate(text)
    with count_statements() as counter:
        await authenticator.authenticate(text)
    assert counter.total == 0
    await authenticator.uses.write()
    async with db.read(tenant) as c:
        [token] = await repository.tokens(c, tenant)
    assert token.last_used_at == db.clock.now()


@pytest.mark.promise("strangers-learn-nothing")
async def test_a_token_nobody_has_is_looked_up_once_in_five_seconds(db: Database, clock: FakeClock) -> None:
    authenticator, made_up = Authenticator(db), f"ppt_{'A' * 8}_{'b' * 43}"
    with count_statements() as counter:
        for after_s in (0, CACHE_S):
            clock.advance(after_s)
            for _ in range(20):
                assert await authenticator.authenticate(made_up) is None
    assert counter.total == 2


async def test_strangers_leave_connections_to_those_who_are_known(db: Database, tenant: Scope) -> None:
    authenticator, token = Authenticator(db), await make(db, tenant)
    await authenticator.authenticate(token)
    async with db.write(tenant) as c:
        await c.execute(text("LOCK TABLE api_tokens"))
        made_up = [f"ppt_{number:08}_{'b' * 43}" for number in range(5 * db.limits.readers)]
        strangers = [asyncio.create_task(authenticator.authenticate(each)) for each in made_up]
        while not await c.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass
        async with db.read(tenant) as reader:
            assert await reader.scalar(text("SELECT 1")) == 1
        assert await authenticator.authenticate(token) is not None
    assert set(await asyncio.gather(*strangers)) == {None}


async def test_asking_goes_on_while_the_database_takes_no_writes(db: Database, tenant: Scope) -> None:
    text = await make(db, tenant)
    async with asyncio.timeout(60), AsyncExitStack() as writers:
        for _ in range(db.limits.writers):
            await writers.enter_async_context(db.write(tenant))
        assert await Authenticator(db).authenticate(text) is not None
