"""The loader of every process that takes batches: what it accepted goes to the flow store by itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_contract.tables import Kind
from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import system_scope
from periplus_hub.flows import repository_blocks, repository_inbox
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.service_intake import FlowsApplier
from periplus_hub.flows.service_loader import Loader
from periplus_hub.ingest.model import Committed
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database
from periplus_hub.kit.errors import Unavailable
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

LEASE_S: Final = 60.0
LOOK_S: Final = 10.0
"""How often all tenants are looked at, and the lease is renewed."""


class FlowLoadJob:
    """Takes to the flow store what this process accepted, and what processes that died had accepted.

    It looks at tenants from whom something came, and now and then at all.
    """

    name = "flows.load"

    def __init__(self, db: Database, store: ColumnStore, applier: FlowsApplier, config: FlowsConfig) -> None:
        self.interval_s = 1.0
        self._db = db
        self._store = store
        self._applier = applier
        self._loader = Loader(db, store, applier.owner)
        self._most_bytes = config.flow_inbox_bytes
        self._came_from: set[UUID] = set()
        self._looked_at_s = float("-inf")
        self._owners: Sequence[UUID] = ()
        self.trouble: str | None = None
        """Why rows wait in the inbox, in words; None while they do not."""

    async def heard(self, committed: Committed) -> None:
        """A listener of the door: its tenant has something to load."""
        if committed.kind == Kind.FLOWS.value:
            self._came_from.add(committed.tenant_id)

    def degraded(self) -> dict[str, str]:
        """For `/readyz`."""
        return {} if self.trouble is None else {"flows": self.trouble}

    async def run(self, now: datetime) -> None:
        """What came since the last run."""
        del now
        clock_s = self._db.clock.monotonic_s()
        looks_at_all = clock_s - self._looked_at_s >= LOOK_S
        if not looks_at_all and not self._came_from:
            return
        try:
            if looks_at_all:
                await self._take_over()
                self._looked_at_s = clock_s
                self._came_from = await self._everybody()
            await self._load()
        except Unavailable as error:
            self.trouble = error.message
            raise
        self.trouble = None

    async def _load(self) -> None:
        tenants, self._came_from = self._came_from, set()
        try:
            scopes = [system_scope(tenant, "job:flows") for tenant in sorted(tenants)]
            await one_after_another(self._loader.load(scope, self._owners) for scope in scopes)
        except BaseException:
            self._came_from |= tenants
            raise

    async def _everybody(self) -> set[UUID]:
        async with self._db.read(EVERY_TENANT) as c:
            return set(await system_tenant_ids(c))

    async def _take_over(self) -> None:
        store = self._store.claim()
        async with self._db.read(NO_TENANT) as c:
            self._applier.is_full = await repository_inbox.system_inbox_bytes(c) > self._most_bytes
            rivals = await repository_blocks.system_rivals(c, store)
        if rivals:
            raise Unavailable(
                "another hub of this database loads flows into another store",
                "Several hubs need one ClickHouse server: set PERIPLUS_FLOW_STORE_URL in all of them.",
            )
        async with self._db.write(NO_TENANT) as c:
            await repository_blocks.system_renew(c, self._applier.owner, store, LEASE_S)
            self._owners = await repository_blocks.system_inherit(c, self._applier.owner, store)
