"""The job that lets entered ranges end, and imports that nobody finishes."""

from datetime import datetime
from typing import Final

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.addresses.ranges import repository, repository_imports, service, service_import
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT

_INTERVAL_S: Final = 10.0


class RangesJob:
    """Ends ranges that have expired, and forgets imports that nobody finished: small reads when there are none."""

    name = "addresses.ranges"
    interval_s = _INTERVAL_S

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenant_ids(c)
        await one_after_another(self._end(system_scope(tenant, "job:ranges"), now) for tenant in tenants)

    async def _end(self, scope: Scope, now: datetime) -> None:
        async with self._db.read(scope) as c:
            lapsed = await repository.lapsed_ranges(c, scope, now)
            forgettable = await repository_imports.forgettable(c, scope, now - service_import.KEPT)
        if lapsed or forgettable:
            async with self._db.write(scope) as c:
                await service.end_lapsed(c, scope, now)
                await service_import.forget_unfinished(c, scope, now)
