"""The job that keeps every tenant's overlap register."""

from datetime import datetime
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.addresses.overlaps.service_register import Publish, RegisterKeeper
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT


class OverlapsJob:
    """Refreshes the stored groups; costs two small reads per tenant when nothing changed."""

    name = "addresses.overlaps"

    def __init__(self, db: Database, publish: Publish | None = None, interval_s: float = 1.0) -> None:
        self.interval_s = interval_s
        self._db = db
        self._publish = publish
        self._keepers: dict[UUID, RegisterKeeper] = {}

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenant_ids(c)
        await one_after_another(self.refresh(tenant, now) for tenant in tenants)

    async def refresh(self, tenant: UUID, now: datetime) -> int:
        """One tenant, at once: for whoever just committed an ipam batch. Returns the revision included."""
        keeper = self._keepers.setdefault(tenant, RegisterKeeper(self._db, tenant, self._publish))
        return await keeper.refresh(now)
