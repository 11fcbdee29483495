"""Which databases a hub starts on, and what it says of those that it does not."""

from pathlib import Path

import httpx
import pytest

from periplus_hub.api.start_process import Action, start
from periplus_hub.kit.errors import Refusal

from tests.support.hub_db import PostgresForTests, as_owner, migrate
from tests.support.hub_process import config_for, hub

EVERY_ACTION: tuple[Action, ...] = ("serve", "work", "migrate", "admin_token", "list_tenants")


async def hub_id(database_url: str, folder: Path) -> str:
    async with hub(config_for(database_url, folder)) as urls, httpx.AsyncClient(trust_env=False) as http:
        return str((await http.get(urls["spokes_url"] + "/v1/contract")).json()["hub_id"])


async def test_a_backup_of_a_hub_nobody_ever_asked_is_the_same_hub_when_restored(
    postgres: PostgresForTests, empty_database_url: str, tmp_path: Path
) -> None:
    await migrate(empty_database_url)
    backup = await postgres.copy(empty_database_url)
    try:
        assert await hub_id(backup, tmp_path) == await hub_id(empty_database_url, tmp_path)
    finally:
        await postgres.drop(backup)


async def test_two_databases_are_two_hubs(postgres: PostgresForTests, tmp_path: Path) -> None:
    urls = [await postgres.empty() for _ in range(2)]
    for url in urls:
        await migrate(url)
    found = [await hub_id(url, tmp_path) for url in urls]
    for url in urls:
        await postgres.drop(url)
    assert len(set(found)) == len(urls)


@pytest.mark.parametrize("action", EVERY_ACTION)
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_every_letter_is_refused(
    postgres: PostgresForTests, tmp_path: Path, action: Action, encoding: str
) -> None:
    url = await postgres.empty(f"ENCODING '{encoding}' LOCALE 'C'")
    try:
        with pytest.raises(Refusal, match=f"server_encoding is {encoding}, and must be UTF8") as refused:
            await start(action, config_for(url, tmp_path))
        assert "ENCODING 'UTF8'" in refused.value.remedy
    finally:
        await postgres.drop(url)


@pytest.mark.promise("schemas-are-checked")
@pytest.mark.parametrize("action", EVERY_ACTION)
@pytest.mark.parametrize(
    "edited",
    [
        ("ALTER TABLE pods DROP COLUMN node", "pods.node is not there"),
        ("ALTER TABLE pods ALTER COLUMN node TYPE integer USING 1", "pods.node is another column"),
        ("ALTER TABLE pods ADD COLUMN flavour text NOT NULL", "pods.flavour is required there"),
        ("DROP TABLE audit_events CASCADE", "audit_events.* is not there"),
        ("DROP INDEX ix_registrations_tenant_id_cluster_uid", "ix_registrations_tenant_id_cluster_uid is not there"),
    ],
)
async def test_tables_of_another_build_are_refused_and_named(
    postgres: PostgresForTests, database_url: str, tmp_path: Path, action: Action, edited: tuple[str, str]
) -> None:
    edit, said = edited
    await postgres.run(as_owner(database_url), edit)
    with pytest.raises(Refusal, match=f"another build of schema expand_0001: .*{said}") as refused:
        await start(action, config_for(database_url, tmp_path))
    assert "new database or data folder" in refused.value.remedy


@pytest.mark.parametrize("action", [action for action in EVERY_ACTION if action != "migrate"])
async def test_a_database_without_a_hub_is_refused(
    postgres: PostgresForTests, database_url: str, tmp_path: Path, action: Action
) -> None:
    await postgres.run(as_owner(database_url), "DELETE FROM hub_identity")
    with pytest.raises(Refusal, match="does not know the hub's id"):
        await start(action, config_for(database_url, tmp_path))
