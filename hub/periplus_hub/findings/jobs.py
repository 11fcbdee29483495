"""The job that runs every detector over every tenant."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.addresses import repository_groups
from periplus_hub.addresses.model import GroupFilter, Severity
from periplus_hub.addresses.repository_groups import GroupAsk
from periplus_hub.addresses.rows import group_of
from periplus_hub.addresses.service import explain_groups, worst_hit
from periplus_hub.findings import detectors
from periplus_hub.findings.model import FindingDraft
from periplus_hub.findings.service import TOPIC, reconcile
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.inventory.repository import sources_by_registration
from periplus_hub.kit.db import Database, ReadConnection

Publish = Callable[[UUID, str, Mapping[str, Any]], None]
_HURTS: Final = GroupFilter(severities=(Severity.CONFLICT, Severity.BLOCKS_FEDERATION))


def _tell_nobody(_tenant: UUID, _topic: str, _payload: Mapping[str, Any]) -> None:
    """Without subscribers."""


class FindingsJob:
    """Looks, then reconciles one detector per transaction, then tells subscribers."""

    name = "findings.detect"

    def __init__(self, db: Database, publish: Publish | None = None, interval_s: float = 15.0) -> None:
        self.interval_s = interval_s
        self._db = db
        self._publish = publish or _tell_nobody

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read() as c:
            tenants = await system_tenant_ids(c)
        for tenant in tenants:
            await self.detect(tenant, now)

    async def detect(self, tenant: UUID, now: datetime) -> None:
        """One tenant."""
        scope = system_scope(tenant, "job:findings")
        async with self._db.read() as c:
            seen = await look(c, scope, now)
        for detector, drafts in seen.items():
            async with self._db.write() as w:
                changed = await reconcile(w, scope, detector, drafts, now)
            for finding in changed:
                self._publish(tenant, TOPIC, {"id": str(finding.id), "state": finding.state.value})


async def look(c: ReadConnection, scope: Scope, now: datetime) -> dict[str, Iterable[FindingDraft]]:
    """What every detector says of the tenant now."""
    registrations = await all_registrations(c, scope)
    sources = await sources_by_registration(c, scope, [registration.id for registration in registrations])
    return {
        detectors.OVERLAPS: await _overlaps(c, scope, now),
        detectors.STALE_CLUSTERS: detectors.stale_clusters(registrations, now),
        detectors.UNREADABLE_SOURCES: detectors.unreadable_sources(registrations, sources),
        detectors.DUPLICATE_IDENTITY: detectors.duplicate_identity(registrations),
        detectors.CLOCK_SKEW: detectors.clock_skew(registrations),
    }


async def _overlaps(c: ReadConnection, scope: Scope, now: datetime) -> Iterable[FindingDraft]:
    asked, nobody = GroupAsk(_HURTS, now), (None,)
    page = (await repository_groups.groups(c, scope, nobody, detectors.MAX_OVERLAPS, None, asked))[None]
    groups = [group_of(row) for row in page.rows]
    explanations = await explain_groups(c, scope, groups, suggest=False)
    total = (await repository_groups.group_total(c, scope, nobody, asked))[None]
    affected = await worst_hit(c, scope, groups, now)
    return detectors.overlaps(groups, explanations, affected, unlisted=total - len(groups))
