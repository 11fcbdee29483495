"""A PostgreSQL of one's own: who owns the tables, who works with them, and what the hub says when nothing binds it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy.exc import DBAPIError

from periplus_hub.access.repository import system_tenants
from periplus_hub.api.start_process import start
from periplus_hub.kit import migrate
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

from tests.integration.test_migrations import with_a_next_release
from tests.support.hub_db import PostgresForTests, as_owner, make_tenant
from tests.support.hub_process import config_for, hub

_numbers = itertools.count(1)
CHANGES_ROWS = "op.execute(\"UPDATE tenants SET cost_centre = 'none'\")"
LIFTED = f"""op.execute("ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY")
    {CHANGES_ROWS}
    op.execute("ALTER TABLE tenants FORCE ROW LEVEL SECURITY")"""


@dataclass(frozen=True)
class Own:
    """An empty database as docs/operate has it made; neither role is a superuser."""

    hub: str
    owner: str

    async def ask(self, statement: str) -> Any:
        """One value, as the owner."""
        connection = await asyncpg.connect(self.owner.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture
async def own(postgres: PostgresForTests) -> AsyncIterator[Own]:
    name = f"own_{next(_numbers)}"
    await postgres.admin(f"CREATE ROLE {name}_owner LOGIN")
    await postgres.admin(f"CREATE ROLE {name}_hub LOGIN")
    await postgres.admin(f"CREATE DATABASE {name} OWNER {name}_owner")
    url = postgres.urls(name).hub
    yield Own(*(url.replace("//periplus_hub@", f"//{name}_{role}@") for role in ("hub", "owner")))
    await postgres.drop(url)
    await postgres.admin(f"DROP ROLE {name}_owner, {name}_hub")


async def degraded(database_url: str, folder: Path, **settings: Any) -> dict[str, str]:
    """What a hub there says that is wrong."""
    config = config_for(database_url, folder, **settings)
    async with hub(config) as ready, httpx.AsyncClient(trust_env=False) as http:
        answer = (await http.get(ready["metrics_url"] + "/readyz")).json()
    return {each["name"]: each["detail"] for each in answer["degraded"]}


def lines_with(word: str, capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in "".join(capfd.readouterr()).splitlines() if word in line]


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_hub_works_with_tables_that_another_role_owns(
    own: Own, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await start("migrate", config_for(own.hub, tmp_path, migration_database_url=own.owner))
    assert await degraded(own.hub, tmp_path, log_level="warning") == {}
    assert lines_with("row_security", capfd) == []
    owned = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner <> current_user"
    assert await own.ask(owned) == 0


async def test_a_role_that_may_make_no_tables_is_told_who_may(own: Own, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="permission denied for schema public") as refused:
        await start("migrate", config_for(own.hub, tmp_path))
    assert "PERIPLUS_MIGRATION_DATABASE_URL" in refused.value.remedy
    assert "GRANT CREATE ON SCHEMA public" in refused.value.remedy
    await migrate.upgrade(own.owner, "pg_monitor")
    with pytest.raises(Unavailable, match="permission denied for table") as refused:
        await start("list_tenants", config_for(own.hub, tmp_path))
    assert "periplus hub migrate" in refused.value.remedy


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_migrating_again_gives_back_what_is_missing_and_touches_nothing_else(own: Own) -> None:
    role = await own.ask("SELECT replace(current_user, '_owner', '_hub')")
    rights = "SELECT md5(string_agg(xmin || relname || coalesce(relacl::text, ''), ';' ORDER BY oid)) FROM pg_class"
    await migrate.upgrade(own.owner, role)
    before = await own.ask(rights)
    await migrate.upgrade(own.owner, role)
    assert await own.ask(rights) == before
    await own.ask(f"REVOKE UPDATE ON batches FROM {role}")
    await migrate.upgrade(own.owner, role)
    assert await own.ask(f"SELECT has_table_privilege('{role}', 'batches', 'UPDATE')")
    assert not await own.ask(f"SELECT has_table_privilege('{role}', 'alembic_version', 'UPDATE')")
    assert not await own.ask(f"SELECT has_table_privilege('{role}', 'batches', 'TRUNCATE')")


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_an_owner_that_is_the_hubs_role_too_is_bound_and_warned_of(
    own: Own, clock: Clock, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await start("migrate", config_for(own.owner, tmp_path))
    db = Database(own.owner, clock)
    await make_tenant(db, "acme")
    for whose, names in ((NO_TENANT, []), (EVERY_TENANT, ["acme"])):
        async with db.read(whose) as c:
            assert [each.name for each in await system_tenants(c)] == names
    await db.dispose()
    assert await degraded(own.owner, tmp_path, log_level="warning") == {}
    [said] = lines_with("row_security", capfd)
    assert "row_security_can_be_lifted" in said
    assert "PERIPLUS_MIGRATION_DATABASE_URL" in said


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_hub_whose_role_nothing_binds_says_so(
    database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = await degraded(as_owner(database_url), tmp_path, log_level="warning")
    why = "row-level security does not bind 'periplus' in PERIPLUS_DATABASE_URL: it is superuser or has BYPASSRLS"
    assert found == {"row_security": why}
    [said] = lines_with("row_security", capfd)
    assert "row_security_not_in_force" in said
    assert "docs/operate" in said


@pytest.mark.promise("the-database-checks-tenants-too")
async def test_a_migration_that_would_not_see_the_rows_it_changes_fails(
    own: Own, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = await own.ask("SELECT replace(current_user, '_owner', '_hub')")
    await migrate.upgrade(own.owner, role)
    db = Database(own.hub, clock)
    await make_tenant(db, "acme")
    await db.dispose()
    blind = await asyncio.to_thread(with_a_next_release, tmp_path / "blind", CHANGES_ROWS)
    lifted = await asyncio.to_thread(with_a_next_release, tmp_path / "lifted", LIFTED)
    monkeypatch.setattr(migrate, "migrations_folder", lambda: blind)
    with pytest.raises(DBAPIError, match="would be affected by row-level security"):
        await migrate.upgrade(own.owner, role)
    monkeypatch.setattr(migrate, "migrations_folder", lambda: lifted)
    await migrate.upgrade(own.owner, role)
    assert await own.ask("SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname = 'tenants'")
