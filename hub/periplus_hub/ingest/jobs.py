"""Upkeep of what the door writes: the ledger, accounting, quarantine, and secrets whose time is over."""

from datetime import datetime, timedelta
from typing import Final

from periplus_hub.fleet.repository_enrolment import system_forget_challenges
from periplus_hub.fleet.repository_retention import expired_credentials, system_registrations
from periplus_hub.ingest.config import IngestConfig
from periplus_hub.ingest.repository_retention import records_before
from periplus_hub.kit.db import Database
from periplus_hub.kit.purge import purge
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

HOURLY_S: Final = 3600.0


class RetentionJob:
    """Drops what is older than its keeping time. Safe to cut off: each run starts from what is there."""

    name = "ingest.retention"
    interval_s = HOURLY_S

    def __init__(self, db: Database, config: IngestConfig) -> None:
        self._db = db
        self._ledger = timedelta(days=config.ledger_days)

    async def run(self, now: datetime) -> None:
        """Once."""
        async with self._db.write(NO_TENANT) as c:
            await system_forget_challenges(c, now)
        async with self._db.read(EVERY_TENANT) as c:
            clusters = await system_registrations(c)
        for scope, registration_id in clusters:
            stale = records_before(scope, registration_id, now - self._ledger)
            await purge(self._db, scope, [*stale, expired_credentials(scope, registration_id, now)])
