"""Retention of identities: how long the hub can still say who an address was."""

from datetime import datetime, timedelta
from typing import Final

from periplus_hub.fleet.repository_retention import system_registrations
from periplus_hub.inventory.repository_retention import identities_before
from periplus_hub.kit.db import Database
from periplus_hub.kit.purge import purge
from periplus_hub.kit.tenancy import EVERY_TENANT

HOURLY_S: Final = 3600.0


class IdentityRetentionJob:
    """Drops pods and claims that ended longer ago than identities are kept."""

    name = "inventory.retention"
    interval_s = HOURLY_S

    def __init__(self, db: Database, days: int) -> None:
        self._db = db
        self._keep = timedelta(days=days)

    async def run(self, now: datetime) -> None:
        """Once."""
        async with self._db.read(EVERY_TENANT) as c:
            clusters = await system_registrations(c)
        for scope, registration_id in clusters:
            await purge(self._db, scope, identities_before(scope, registration_id, now - self._keep))
