"""Backups of a PostgreSQL and a ClickHouse server of one's own; and what is refused before anything is changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from periplus_hub.access.scope import Scope
from periplus_hub.api.backup_process import back_up, restore
from periplus_hub.api.config import HubConfig
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Refusal

from tests.support.batches import Spoke
from tests.support.clickhouse_http import server
from tests.support.clock import START, FakeClock
from tests.support.flow_hub import BOTH, Flow, FlowHub, Peer, bytes_of, flow_hub, seal_flows, seconds
from tests.support.hub_db import PostgresForTests, as_owner

AT = seconds(START)
WEB, API = Peer(workload="shop/Deployment/web"), Peer(workload="shop/Deployment/api")
ROWS = "SELECT sum(bytes_tx) AS tx FROM flows"


@dataclass
class Own:
    """Stores with something in them, and a folder."""

    hub: FlowHub
    store_url: str
    database_url: str
    folder: Path

    @property
    def copy(self) -> Path:
        return self.folder / "copy"

    def config(self, database_url: str = "", **changes: Any) -> HubConfig:
        url = database_url or self.database_url
        given: dict[str, Any] = {
            "database_url": url,
            "migration_database_url": as_owner(url),
            "data_dir": self.folder / "data",
            "flow_store_url": self.store_url,
            "flow_store_backup": "Disk('backups', '{name}')",
        }
        return HubConfig.model_validate(given | changes)

    async def drop_flows(self, tenant: Scope) -> None:
        await self.hub.store.apart(
            tenant, lambda client, database: client.command(f"DROP DATABASE {database} SYNC"), lane="backup"
        )


@pytest.fixture
async def own(db: Database, database_url: str, tenant: Scope, tmp_path: Path) -> AsyncIterator[Own]:
    with server(tmp_path / "served") as running:
        async with flow_hub(db, running.url) as hub:
            member = await hub.door.member(tenant)
            flow = Flow(WEB, API, AT, BOTH, measures=bytes_of(5))
            await member.send(seal_flows(Spoke(member.registration), [flow]))
            await hub.settle()
            yield Own(hub, running.url, database_url, tmp_path)


async def refused(work: Any) -> Refusal:
    with pytest.raises(Refusal) as found:
        await work
    assert found.value.remedy
    return found.value


async def test_they_are_restored_as_they_were(
    own: Own, postgres: PostgresForTests, tenant: Scope, clock: FakeClock
) -> None:
    manifest = await back_up(own.config(), own.copy)
    assert (manifest.flows, manifest.tenants, manifest.flow_schema) == ("server", (tenant.tenant_id,), 1)
    taken = await refused(back_up(own.config(), own.copy))
    assert "is there already" in taken.message
    full = await refused(restore(own.config(), own.copy))
    assert full.message == "the database is not empty"
    url = await postgres.empty()
    with_flows = await refused(restore(own.config(url), own.copy))
    assert "the flow store is not empty: it has the database periplus_" in with_flows.message
    await own.drop_flows(tenant)
    assert await restore(own.config(url), own.copy) == manifest
    db = Database(url, clock)
    async with flow_hub(db, own.store_url) as hub:
        await hub.settle()
        assert await hub.rows(tenant, ROWS) == [{"tx": 5}]
    await db.dispose()


async def test_what_can_be_known_before_is_refused_before(own: Own, postgres: PostgresForTests) -> None:
    nowhere = await refused(back_up(own.config(flow_store_backup=None), own.copy))
    assert "PERIPLUS_FLOW_STORE_BACKUP" in nowhere.remedy
    cluster = await refused(back_up(own.config(flow_store_cluster="all"), own.copy))
    assert "--without-flows" in cluster.remedy
    blind = await refused(back_up(own.config(backup_database_url=own.database_url), own.copy))
    assert "pg_dump failed" in blind.message
    assert "PERIPLUS_BACKUP_DATABASE_URL" in blind.remedy
    assert [path.name for path in own.folder.iterdir() if "copy" in path.name] == []
    manifest = await back_up(own.config(), own.copy, with_flows=False)
    assert (manifest.flows, manifest.tenants) == ("left-out", ())


async def test_flows_of_a_server_are_not_restored_into_an_engine(own: Own, postgres: PostgresForTests) -> None:
    await back_up(own.config(), own.copy)
    url = await postgres.empty()
    engine = own.config(url, flow_store_url=f"chdb://{own.folder}/engine")
    other = await refused(restore(engine, own.copy))
    assert "are at a ClickHouse server, and the flow store is embedded" in other.message
    unsaid = await refused(restore(own.config(url, flow_store_backup=None), own.copy))
    assert "PERIPLUS_FLOW_STORE_BACKUP" in unsaid.remedy
    assert (await restore(engine, own.copy, with_flows=False)).flows == "left-out"
