"""The job that looks at flows for the detectors: less often than they, because it asks the flow store much.

It is a job of its own, so that a store that hangs delays no other detector.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.dependencies import repository_watch
from periplus_hub.dependencies.engine.watched import MISSED_S, LopsidedClusters, NewPair, QuietPair, Watched, Workload
from periplus_hub.dependencies.model import Coverage, EdgeEnd, EdgeLevel
from periplus_hub.dependencies.repository_coverage import coverage_between
from periplus_hub.dependencies.repository_told_hours import told_hours
from periplus_hub.findings.flow_looks import FlowLooks
from periplus_hub.flows import repository_blocks, repository_progress
from periplus_hub.flows.model import DAY_S
from periplus_hub.inventory.repository import sources_by_registration
from periplus_hub.inventory.repository_workload_replicas import NamedWorkload, workload_replicas
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.kit.db import Database, ReadConnection
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.tenancy import EVERY_TENANT

LATELY: Final = timedelta(hours=3)
"""Of which it is counted what sources could not see."""
_LISTED_BY: Final = {
    "Deployment": "apps/deployments",
    "StatefulSet": "apps/statefulsets",
    "DaemonSet": "apps/daemonsets",
    "CronJob": "batch/cronjobs",
}


class FlowLookJob:
    """Looks at every tenant that has flows. The engine is not loaded for others."""

    name = "findings.flows"

    def __init__(self, db: Database, store: ColumnStore, looks: FlowLooks) -> None:
        self.interval_s = 300.0
        self._db = db
        self._store = store
        self._looks = looks

    async def run(self, now: datetime) -> None:
        """Every tenant in turn."""
        async with self._db.read(EVERY_TENANT) as c:
            tenants = await system_tenant_ids(c)
        await one_after_another(self.look(tenant, now) for tenant in tenants)

    async def look(self, tenant: UUID, now: datetime) -> None:
        """One tenant. While the store lacks what was told, it is not asked: what is not there yet is not silent."""
        scope = system_scope(tenant, "job:findings")
        async with self._db.read(scope) as c:
            if not await repository_progress.has_told(c, scope):
                return
            coverage = await coverage_between(c, scope, now - LATELY, now, now)
            has_edges = await repository_blocks.has_hours(c, scope)
            is_behind = await repository_progress.is_behind(c, scope, int(now.timestamp()) - DAY_S)
        self._looks.see_coverage(tenant, coverage)
        if is_behind:
            return
        watched = await self._edges(scope, coverage, now) if has_edges else Watched(at=now, coverage=coverage)
        self._looks.see_edges(tenant, watched)

    async def _edges(self, scope: Scope, coverage: Coverage, now: datetime) -> Watched:
        new: list[NewPair] = []
        new_more = 0
        for level in (EdgeLevel.CLUSTER, EdgeLevel.NAMESPACE, EdgeLevel.WORKLOAD):
            found, more = await repository_watch.new_pairs(scope, self._store, level, now)
            new += found
            new_more += more
        quiet, quiet_more = await repository_watch.quiet_pairs(scope, self._store, now)
        lopsided = await repository_watch.lopsided_clusters(scope, self._store, now)
        hours, hours_more = await repository_watch.pair_hours(scope, self._store, now)
        async with self._db.read(scope) as c:
            since_s = int(now.timestamp()) - MISSED_S
            told = await told_hours(c, scope, _clusters(new, quiet, lopsided), since_s)
            workloads = await _workloads(c, scope, quiet)
        return Watched(
            at=now,
            coverage=coverage,
            told_hours=told,
            new=new,
            new_more=new_more,
            quiet=quiet,
            quiet_more=quiet_more,
            lopsided=lopsided,
            hours=hours,
            hours_more=hours_more,
            workloads=workloads,
        )


def _clusters(new: Iterable[NewPair], quiet: Iterable[QuietPair], lopsided: Iterable[LopsidedClusters]) -> list[UUID]:
    ends = [end for pair in new for end in (pair.src, pair.dst)]
    ends += [end for pair in quiet for end in (pair.src, pair.dst)]
    found = {end.registration_id for end in ends if end.registration_id is not None}
    return sorted(found.union(*((each.src, each.dst) for each in lopsided)))


async def _workloads(c: ReadConnection, scope: Scope, quiet: Sequence[QuietPair]) -> dict[NamedWorkload, Workload]:
    """What the inventory knows of the ends. Where it could not read their kind, it knows nothing."""
    asked = {each for pair in quiet for end in (pair.src, pair.dst) for each in _named(end)}
    there = await workload_replicas(c, scope, asked)
    sources = await sources_by_registration(c, scope, sorted({each[0] for each in asked}))
    read = {(cluster, each.name) for cluster, told in sources.items() for each in told if each.state == "ok"}
    known = {each: Workload(replicas=replicas, is_there=True) for each, replicas in there.items()}
    gone = [each for each in asked if each not in there and (each[0], _LISTED_BY[each[2]]) in read]
    return known | dict.fromkeys(gone, Workload(replicas=None, is_there=False))


def _named(end: EdgeEnd) -> list[NamedWorkload]:
    if end.registration_id is None or end.kind not in _LISTED_BY:
        return []
    return [(end.registration_id, end.namespace, end.kind, end.name)]
