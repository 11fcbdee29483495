"""Retention of clusters that left the fleet."""

from datetime import datetime, timedelta
from typing import Final

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import system_scope
from periplus_hub.fleet import repository_retention as repository
from periplus_hub.kit.db import Database
from periplus_hub.kit.purge import purge
from periplus_hub.kit.tenancy import EVERY_TENANT

HOURLY_S: Final = 3600.0


class FleetRetentionJob:
    """Drops everything of registrations that were revoked long enough ago, and what else of the fleet is over."""

    name = "fleet.retention"
    interval_s = HOURLY_S

    def __init__(self, db: Database, days: int) -> None:
        self._db = db
        self._keep = timedelta(days=days)

    async def run(self, now: datetime) -> None:
        """Once. A registration goes after all that names it, so that a run that was cut off is taken up again."""
        async with self._db.read(EVERY_TENANT) as c:
            left = await repository.system_registrations(c, revoked_before=now - self._keep)
            tenants = await system_tenant_ids(c)
        for scope, registration_id in left:
            await purge(self._db, scope, repository.everything_of(scope, registration_id))
            await purge(self._db, scope, [repository.the_registration(scope, registration_id)])
        for tenant in tenants:
            scope = system_scope(tenant, "job:retention")
            await purge(self._db, scope, repository.leftovers(scope, now - self._keep))
