"""The job that runs every detector over every tenant."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.addresses import repository_groups
from periplus_hub.addresses.knowledge import known
from periplus_hub.addresses.model import GroupFilter, Severity
from periplus_hub.addresses.repository_groups import GroupAsk
from periplus_hub.addresses.repository_knowledge import evidence_by_registration
from periplus_hub.addresses.repository_register import register_status
from periplus_hub.addresses.rows import group_of
from periplus_hub.addresses.service import explain_groups, worst_hit
from periplus_hub.findings import detectors
from periplus_hub.findings.listening import Listening
from periplus_hub.findings.model import FindingDraft
from periplus_hub.findings.repository import resolved_before
from periplus_hub.findings.service import TOPIC, Publish, reconcile, tell_nobody
from periplus_hub.fleet.model import Registration, State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.ingest.kinds import NEVER_FOLDED
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.ingest.repository_recent_batches import recent_batches
from periplus_hub.kit.db import Database, ReadConnection
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.purge import purge
from periplus_hub.kit.windows import Window

Drafts = dict[str, list[FindingDraft]]
"""What each detector says; one that is missing does not know."""
_LATELY: Final = timedelta(minutes=15)
_HURTS: Final = GroupFilter(severities=(Severity.CONFLICT, Severity.BLOCKS_FEDERATION))


class FindingsJob:
    """Looks, then reconciles one detector per transaction, then tells subscribers."""

    name = "findings.detect"

    def __init__(self, db: Database, publish: Publish | None = None, interval_s: float = 15.0) -> None:
        self.interval_s = interval_s
        self._db = db
        self._publish = publish or tell_nobody
        self._listening: dict[UUID, Listening] = {}

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read() as c:
            tenants = await system_tenant_ids(c)
        await one_after_another(self.detect(tenant, now) for tenant in tenants)

    async def detect(self, tenant: UUID, now: datetime) -> None:
        """One tenant."""
        scope = system_scope(tenant, "job:findings")
        async with self._db.read() as c:
            seen = await look(c, scope, now)
        self._drop_what_silence_does_not_prove(tenant, seen, now)
        for detector, drafts in seen.items():
            async with self._db.write() as w:
                changed = await reconcile(w, scope, detector, drafts, now)
            for finding in changed:
                self._publish(tenant, TOPIC, {"id": str(finding.id), "state": finding.state.value})

    def _drop_what_silence_does_not_prove(self, tenant: UUID, seen: Drafts, now: datetime) -> None:
        """What a detector does not know now stays as it stands: neither opened nor resolved."""
        nobody = bool(seen[detectors.SILENT_FLEET])
        heard = Listening.next_round(self._listening.get(tenant), now, heard_nobody=nobody)
        self._listening[tenant] = heard
        if not heard.hears(now):
            del seen[detectors.SILENT_FLEET]
        if not heard.knows_silence(now):
            del seen[detectors.STALE_CLUSTERS]
        if seen[detectors.UNKEPT_REGISTER]:  # whoever serves opens that one (watch.py); here it only ends
            del seen[detectors.UNKEPT_REGISTER], seen[detectors.OVERLAPS]


class FindingsRetentionJob:
    """Drops findings that were resolved long enough ago."""

    name = "findings.retention"
    interval_s = 3600.0

    def __init__(self, db: Database, days: int) -> None:
        self._db = db
        self._keep = timedelta(days=days)

    async def run(self, now: datetime) -> None:
        """Once."""
        async with self._db.read() as c:
            tenants = await system_tenant_ids(c)
        for tenant in tenants:
            await purge(self._db, [resolved_before(system_scope(tenant, "job:retention"), now - self._keep)])


async def look(c: ReadConnection, scope: Scope, now: datetime) -> Drafts:
    """What every detector says of the tenant now."""
    registrations = await all_registrations(c, scope, (State.PENDING, State.ACTIVE))
    evidence = await evidence_by_registration(c, scope, [registration.id for registration in registrations])
    sources = {each: seen.sources for each, seen in evidence.items()}
    missing = {each: known(seen, now).missing for each, seen in evidence.items()}
    sent = await _sent_by_several(c, scope, registrations, now - _LATELY)
    register = await register_status(c, scope)
    return {
        detectors.OVERLAPS: list(await _overlaps(c, scope, now)),
        detectors.STALE_CLUSTERS: list(detectors.stale_clusters(registrations, now)),
        detectors.SILENT_FLEET: list(detectors.silent_fleet(registrations, now)),
        detectors.UNREADABLE_SOURCES: list(detectors.unreadable_sources(registrations, sources, missing)),
        detectors.DUPLICATE_IDENTITY: list(detectors.duplicate_identity(registrations)),
        detectors.SHARED_IDENTITY: list(detectors.shared_identity(registrations, sent)),
        detectors.UNKEPT_REGISTER: list(detectors.unkept_register(register, now, led=True)),
        detectors.CLOCK_SKEW: list(detectors.clock_skew(registrations)),
    }


async def _sent_by_several(
    c: ReadConnection, scope: Scope, registrations: Iterable[Registration], since: datetime
) -> dict[UUID, list[RecentBatch]]:
    """What was sent lately by those of whom more than one epoch was heard; for all others nobody looks."""
    suspects = [each.id for each in registrations if each.elder_heard_at is not None and each.elder_heard_at > since]
    return await recent_batches(c, scope, suspects, since, NEVER_FOLDED) if suspects else {}


async def _overlaps(c: ReadConnection, scope: Scope, now: datetime) -> Iterable[FindingDraft]:
    asked, nobody = GroupAsk(_HURTS, now), (None,)
    page = (await repository_groups.groups(c, scope, nobody, Window(detectors.MAX_OVERLAPS), asked))[None]
    groups = [group_of(row) for row in page.rows]
    explanations = await explain_groups(c, scope, groups, suggest=False)
    total = (await repository_groups.group_total(c, scope, nobody, asked))[None]
    affected = await worst_hit(c, scope, groups, now)
    return detectors.overlaps(groups, explanations, affected, unlisted=total - len(groups))
