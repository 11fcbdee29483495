"""What the database itself shows of whose rows, to statements that forget to ask for a tenant's only."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress

import asyncpg
import pytest
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError

from periplus_hub.access.scope import Scope
from periplus_hub.inventory.tables import pods
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database, DatabaseLimits, ReadConnection
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT, Whose

from tests.support.any_row import insertion, tenant_column
from tests.support.hub_db import all_tables, as_owner

OF_NO_TENANT = {"hub_identity", "challenges", "alembic_version", "flow_ring", "flow_loaders"}
WHO_IS_IT = {"tenants", "api_tokens", "sessions", "registrations", "agents", "join_tokens", "credentials"}
"""What may be read of every tenant, to find out whose a credential is."""
NEVER_CHANGED = {"audit_events"}
REFUSED = "violates row-level security policy|permission denied"


def tables() -> Sequence[Table]:
    return [table for table in all_tables().metadata.sorted_tables if table.name not in OF_NO_TENANT]


@pytest.fixture
async def one_row_each(database_url: str, db: Database, tenant: Scope, other_tenant: Scope) -> Database:
    """Every table holds one row of either tenant."""
    owner = await asyncpg.connect(as_owner(database_url).replace("+asyncpg", ""))
    await owner.execute("SET session_replication_role = replica")
    checks = await owner.fetch(
        "SELECT conrelid::regclass::text AS place, conname FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    )
    for check in checks:
        await owner.execute(f"ALTER TABLE {check['place']} DROP CONSTRAINT {check['conname']}")
    for table in tables():
        for scope in (tenant, other_tenant) if table.name != "tenants" else ():
            await owner.execute(insertion(table, scope.tenant_id))
    await owner.close()
    return db


async def seen(db: Database, whose: Whose) -> dict[str, list[object]]:
    """Of every table, the tenants whose rows a statement without any condition finds."""
    found = {}
    async with db.read(whose) as c:
        for table in tables():
            found[table.name] = [row[0] for row in await c.rows(select(table.c[tenant_column(table)]))]
    return found


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_every_table_of_the_schema_has_the_policy_and_no_other(database_url: str) -> None:
    owner = await asyncpg.connect(as_owner(database_url).replace("+asyncpg", ""))
    places = await owner.fetch(
        "SELECT relname, relrowsecurity AND relforcerowsecurity AS forced FROM pg_class"
        " WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    policies = await owner.fetch("SELECT * FROM pg_policies WHERE schemaname = 'public'")
    await owner.close()
    assert {each["relname"] for each in places if not each["forced"]} == OF_NO_TENANT
    own = {each["tablename"]: each for each in policies if each["policyname"] == "own_tenant"}
    assert own.keys() == {table.name for table in tables()}
    for table in tables():
        policy = own[table.name]
        assert (policy["cmd"], policy["roles"], policy["permissive"]) == ("ALL", ["public"], "PERMISSIVE")
        assert policy["qual"].startswith(f"({tenant_column(table)} = ( SELECT")
        assert "periplus.tenant" in policy["qual"]
        assert policy["with_check"] is None, "the same holds for what is written"
    others = {(each["tablename"], each["cmd"]) for each in policies if each["policyname"] != "own_tenant"}
    assert others == {(name, "SELECT") for name in WHO_IS_IT}


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_the_hubs_role_is_bound_and_owns_nothing(db: Database) -> None:
    async with db.read(NO_TENANT) as c:
        row = await c.one_or_none(text("SELECT * FROM pg_roles WHERE rolname = current_user"))
        owned = await c.scalar(text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"))
    assert row is not None
    assert not any((row.rolsuper, row.rolbypassrls, row.rolcreaterole, row.rolcreatedb, row.rolreplication))
    assert owned == 0


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_statement_without_a_scope_sees_nothing(one_row_each: Database) -> None:
    assert await seen(one_row_each, NO_TENANT) == {table.name: [] for table in tables()}


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_session_that_was_told_nothing_sees_and_writes_nothing(one_row_each: Database, tenant: Scope) -> None:
    session = await one_row_each.connector.connect()
    for table in tables():
        assert await session.fetchval(f"SELECT count(*) FROM {table.name}") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=REFUSED):
            await session.execute(insertion(table, tenant.tenant_id))
    await session.close()


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_scope_sees_its_own_rows_whatever_is_asked(
    one_row_each: Database, tenant: Scope, other_tenant: Scope
) -> None:
    for scope in (tenant, other_tenant):
        assert await seen(one_row_each, scope) == {table.name: [scope.tenant_id] for table in tables()}


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_whoever_looks_up_who_somebody_is_sees_that_of_every_tenant_and_nothing_else(
    one_row_each: Database, tenant: Scope, other_tenant: Scope
) -> None:
    both = {tenant.tenant_id, other_tenant.tenant_id}
    found = await seen(one_row_each, EVERY_TENANT)
    assert {name: set(ids) for name, ids in found.items()} == {
        table.name: both if table.name in WHO_IS_IT else set() for table in tables()
    }


@pytest.mark.promise("the-database-checks-tenants-too")
@pytest.mark.parametrize("whose", [NO_TENANT, EVERY_TENANT])
async def test_without_a_scope_nothing_is_written(one_row_each: Database, tenant: Scope, whose: Whose) -> None:
    for table in tables():
        with pytest.raises(DBAPIError, match=REFUSED):
            async with one_row_each.write(whose) as c:
                await c.execute(text(insertion(table, tenant.tenant_id).replace(":", "\\:")))
    await changes_nothing(one_row_each, whose)
    assert all(await seen(one_row_each, tenant))


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_scope_writes_no_row_of_another_tenant(
    one_row_each: Database, tenant: Scope, other_tenant: Scope
) -> None:
    for table in tables():
        with pytest.raises(DBAPIError, match=REFUSED):
            async with one_row_each.write(other_tenant) as c:
                await c.execute(text(insertion(table, tenant.tenant_id).replace(":", "\\:")))
        if table.name in NEVER_CHANGED:
            continue
        with pytest.raises(DBAPIError, match=REFUSED):  # nor gives one away
            async with one_row_each.write(other_tenant) as c:
                await c.execute(text(f"UPDATE {table.name} SET {tenant_column(table)} = '{tenant.tenant_id}'"))
    async with one_row_each.write(other_tenant) as c:
        for table in reversed(tables()):
            if table.name not in NEVER_CHANGED | {"tenants"}:
                assert (await c.execute(table.delete())).rowcount == 1, table.name
    assert await seen(one_row_each, tenant) == {table.name: [tenant.tenant_id] for table in tables()}


async def changes_nothing(db: Database, whose: Whose) -> None:
    async with db.write(whose) as c:
        for table in tables():
            if table.name not in NEVER_CHANGED:
                column = tenant_column(table)
                assert (await c.execute(text(f"UPDATE {table.name} SET {column} = {column}"))).rowcount == 0
                assert (await c.execute(table.delete())).rowcount == 0


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_connection_that_goes_from_tenant_to_tenant_shows_each_its_own(
    database_url: str, clock: Clock, one_row_each: Database, tenant: Scope, other_tenant: Scope
) -> None:
    one = Database(database_url, clock, DatabaseLimits(readers=1, writers=1))
    sessions: set[object] = set()

    async def shown(opened: Callable[[Whose], AbstractAsyncContextManager[ReadConnection]], whose: Whose) -> object:
        found = None
        with suppress(LookupError):
            async with opened(whose) as c:
                found = [row[0] for row in await c.rows(select(pods.c.tenant_id))]
                sessions.add(await c.scalar(text("SELECT pg_backend_pid()")))
                raise LookupError  # what a session was told outlives a unit that is rolled back
        return found

    turns = (tenant, other_tenant, NO_TENANT, other_tenant, tenant, tenant)
    own = {tenant: [tenant.tenant_id], other_tenant: [other_tenant.tenant_id], NO_TENANT: []}
    for opened in (one.read, one.write):
        assert [await shown(opened, whose) for whose in turns] == [own[whose] for whose in turns]
    assert len(sessions) == len((one.read, one.write)), "each always the same connection"
    await one.dispose()


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_the_policy_is_one_check_of_a_statement_and_not_of_each_row(db: Database, tenant: Scope) -> None:
    query = select(pods.c.name).where(pods.c.tenant_id == tenant.tenant_id, pods.c.uid == "a")
    literal = query.compile(compile_kwargs={"literal_binds": True}, dialect=db._readers.dialect)
    async with db.read(tenant) as c:
        plan = await c.scalar(text(f"EXPLAIN (FORMAT JSON) {str(literal).replace(':', chr(92) + ':')}"))
    written = json.dumps(plan)
    assert '"One-Time Filter"' in written
    assert "Filter" not in written.replace('"One-Time Filter"', ""), "no row is looked at for the policy"
    assert "Seq Scan" not in written
