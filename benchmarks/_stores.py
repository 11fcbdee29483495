"""A PostgreSQL and a flow store of their own: shared by the rows that ask the hub's code without a hub."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from periplus_hub.access.repository import add_tenant
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.embedded_postgres.supervisor import EmbeddedPostgres
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.kit.clock import SystemClock
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.ids import new_id

from benchmarks.hub import empty_folder
from tests.support.hub_db import migrate


class Stores(NamedTuple):
    """Nothing is in them but the schema."""

    db: Database
    """By the hub's role, which sees rows of the tenant that it names."""
    owner: Database
    """By the owner of the tables: for statistics, and for tables of the row's own."""
    columns: ColumnStore


@asynccontextmanager
async def stores(memory_bytes: int = FlowsConfig().flow_store_memory_bytes) -> AsyncIterator[Stores]:
    """They are gone behind the block. The flow store is loaded when it is first asked, and may use so much memory."""
    with empty_folder() as folder:
        postgres = EmbeddedPostgres(folder / "server")
        await postgres.start()
        db, owner = (Database(url, SystemClock()) for url in (postgres.urls.hub, postgres.urls.owner))
        try:
            await migrate(postgres.urls.hub)
            async with flow_store(folder / "flows", memory_bytes) as columns:
                yield Stores(db, owner, columns)
        finally:
            await db.dispose()
            await owner.dispose()
            await postgres.stop()


@asynccontextmanager
async def flow_store(folder: Path, memory_bytes: int) -> AsyncIterator[ColumnStore]:
    """The engine, over what is in this folder. No other process may have it open."""
    store = ColumnStore(f"chdb://{folder}", memory_bytes=memory_bytes)
    try:
        yield store
    finally:
        await store.close()


async def new_tenant(db: Database) -> Scope:
    """Without clusters."""
    scope = system_scope(new_id(), "bench")
    async with db.write(scope) as c:
        await add_tenant(c, scope, "bench")
    return scope
