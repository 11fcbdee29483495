"""The job of findings: look at every tenant."""

from datetime import datetime
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import system_scope
from periplus_hub.findings.repository import record_round
from periplus_hub.findings.service import TOPIC, Publish, reconcile, tell_nobody
from periplus_hub.findings.service_detect import drafts_by_detector, round_of
from periplus_hub.findings.service_facts import FactLoader
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT


class FindingsJob:
    """Looks, then reconciles one detector per transaction, then tells subscribers."""

    name = "findings.detect"

    def __init__(self, db: Database, publish: Publish | None = None, loader: FactLoader | None = None) -> None:
        """`loader` is given the looks at flows; without them nothing is known of flows."""
        self.interval_s = 15.0
        self._db = db
        self._publish = publish or tell_nobody
        self._loader = loader or FactLoader()

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenant_ids(c)
        await one_after_another(self.detect(tenant, now) for tenant in tenants)

    async def detect(self, tenant: UUID, now: datetime) -> None:
        """One tenant. What a detector cannot know now stays as it stands: neither opened nor resolved."""
        scope = system_scope(tenant, "job:findings")
        async with self._db.read(scope) as c:
            seen = await drafts_by_detector(c, scope, now, self._loader)
        for detector, drafts in seen.items():
            if drafts is None:
                continue
            async with self._db.write(scope) as w:
                changed = await reconcile(w, scope, detector, drafts, now)
            for finding in changed:
                self._publish(tenant, TOPIC, {"id": str(finding.id), "state": finding.state.value})
        async with self._db.write(scope) as w:
            await record_round(w, scope, round_of(seen, now))
