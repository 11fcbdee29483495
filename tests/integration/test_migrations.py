import asyncio
import importlib
import shutil
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from periplus_hub.kit import migrate
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal

from tests.support.clock import FakeClock
from tests.support.hub_db import all_tables, as_owner
from tests.support.hub_db import migrate as migrated


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(as_owner(url).replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def differences(db: Database) -> list[object]:
    compare = importlib.import_module("alembic.autogenerate").compare_metadata
    context = importlib.import_module("alembic.migration").MigrationContext

    def difference(connection: Connection) -> list[object]:
        found = context.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare(found, all_tables().metadata))

    async with db._readers.connect() as connection:
        return await connection.run_sync(difference)


async def test_an_empty_database_gets_exactly_the_tables_of_the_code(empty_database_url: str, clock: FakeClock) -> None:
    await migrated(empty_database_url)
    db = Database(empty_database_url, clock)
    try:
        await migrate.check_schema(db)
        assert await differences(db) == []
    finally:
        await db.dispose()


NEXT_RELEASE = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("cost_centre", sa.Text, server_default="unknown", nullable=False))
    {more}
"""


def with_a_next_release(folder: Path, more: str = "") -> Path:
    """The migrations of this release and one more."""
    copy = folder / "migrations"
    shutil.copytree(migrate.migrations_folder(), copy)
    before = migrate.known_revisions()[-1]
    revision = f"expand_{len(migrate.known_revisions()) + 1:04d}"
    text = NEXT_RELEASE.format(revision=revision, before=before, more=more or "pass")
    (copy / "versions" / f"{revision}_cost_centre.py").write_text(text)
    return copy


@pytest.mark.promise("schemas-are-checked")
async def test_rows_survive_an_upgrade(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrated(empty_database_url)
    await run(empty_database_url, "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'kept')")
    await migrated(empty_database_url)
    following = await asyncio.to_thread(with_a_next_release, tmp_path)
    monkeypatch.setattr(migrate, "migrations_folder", lambda: following)
    await migrated(empty_database_url)
    kept = "SELECT count(*) = 1 FROM tenants WHERE name = 'kept' AND cost_centre = 'unknown'"
    await run(empty_database_url, f"DO $$ BEGIN ASSERT ({kept}); END $$")


@pytest.mark.promise("schemas-are-checked")
async def test_an_upgrade_that_fails_half_way_leaves_everything_as_it_was(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrated(empty_database_url)
    before = migrate.known_revisions()[-1]
    following = await asyncio.to_thread(with_a_next_release, tmp_path, 'op.execute("SELECT 1 / 0")')
    monkeypatch.setattr(migrate, "migrations_folder", lambda: following)
    with pytest.raises(DBAPIError, match="division by zero"):
        await migrated(empty_database_url)
    column = "SELECT count(*) = 0 FROM information_schema.columns WHERE column_name = 'cost_centre'"
    await run(empty_database_url, f"DO $$ BEGIN ASSERT ({column}); END $$")
    await run(empty_database_url, f"DO $$ BEGIN ASSERT (SELECT version_num = '{before}' FROM alembic_version); END $$")


def test_revisions_are_one_line_named_expand_or_contract_and_numbered() -> None:
    config = importlib.import_module("alembic.config").Config()
    folder = str(migrate.migrations_folder())
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("prepend_sys_path", folder)
    scripts = importlib.import_module("alembic.script").ScriptDirectory.from_config(config)
    walked = [script.revision for script in scripts.walk_revisions()][::-1]
    assert len(scripts.get_heads()) == 1
    assert walked == migrate.known_revisions()
    assert [int(name.rpartition("_")[2]) for name in walked] == list(range(1, len(walked) + 1))
    files = sorted(path.stem for path in (migrate.migrations_folder() / "versions").glob("*.py"))
    assert all(file.startswith(("expand_", "contract_")) for file in files)
    assert len(files) == len(walked)


@pytest.mark.promise("schemas-are-checked")
async def test_a_database_without_a_schema_is_refused(empty_database_url: str, clock: FakeClock) -> None:
    db = Database(empty_database_url, clock)
    with pytest.raises(Refusal, match="has no schema") as refused:
        await migrate.check_schema(db)
    assert "periplus hub migrate" in refused.value.remedy
    await db.dispose()


@pytest.mark.promise("schemas-are-checked")
@pytest.mark.parametrize("revision", ["expand_0099", "contract_0002", "somebody-elses"])
async def test_a_newer_schema_is_refused_by_start_and_migration(db: Database, database_url: str, revision: str) -> None:
    await run(database_url, f"UPDATE alembic_version SET version_num = '{revision}'")
    with pytest.raises(Refusal, match=f"schema is {revision}, and this hub knows"):
        await migrate.check_schema(db)
    with pytest.raises(Refusal, match=f"schema is {revision}"):
        await migrated(database_url)


async def test_one_expansion_ahead_is_the_middle_of_an_upgrade(db: Database, database_url: str) -> None:
    ahead = f"expand_{len(migrate.known_revisions()) + 1:04d}"
    await run(database_url, f"UPDATE alembic_version SET version_num = '{ahead}'")
    await migrate.check_schema(db)


async def test_an_older_schema_than_the_floor_is_refused(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "FLOOR", 7)
    with pytest.raises(Refusal, match="needs at least 0007"):
        await migrate.check_schema(db)


async def test_a_migration_waits_for_the_one_that_runs(db: Database, database_url: str) -> None:
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(migrate, "_PATIENCE_S", 0.3)
    async with db.advisory_lock("periplus.migrate") as held:
        assert held is not None
        with pytest.raises(Refusal, match="another process has been migrating"):
            await migrated(database_url)
    monkeypatch.undo()
    await migrated(database_url)


@pytest.mark.promise("schemas-are-checked")
async def test_a_lock_that_somebody_holds_ends_the_migration_without_half_of_it(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migrate._SETTINGS, "lock_timeout", "100ms")
    await run(empty_database_url, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    holder = await asyncpg.connect(as_owner(empty_database_url).replace("+asyncpg", ""))
    async with holder.transaction():
        await holder.execute("LOCK TABLE alembic_version IN SHARE MODE")
        with pytest.raises(Refusal, match="waited too long"):
            await migrated(empty_database_url)
    assert await holder.fetchval("SELECT to_regclass('tenants')") is None
    await holder.close()
    await migrated(empty_database_url)


@pytest.mark.promise("schemas-are-checked")
async def test_a_hub_one_revision_behind_goes_on_during_an_upgrade(db: Database, database_url: str) -> None:
    ahead = f"expand_{len(migrate.known_revisions()) + 1:04d}"
    await run(database_url, f"UPDATE alembic_version SET version_num = '{ahead}'")
    await migrated(database_url)
    await migrate.check_schema(db)
    await run(database_url, f"DO $$ BEGIN ASSERT (SELECT version_num = '{ahead}' FROM alembic_version); END $$")


@pytest.mark.promise("schemas-are-checked")
async def test_a_server_that_is_too_old_is_named(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "OLDEST_POSTGRES", 99)
    for refused in (migrated(database_url), migrate.check_schema(db)):
        with pytest.raises(Refusal, match="needs 99 or newer"):
            await refused
