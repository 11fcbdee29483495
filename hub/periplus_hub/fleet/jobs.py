"""Retention: what every slice may forget, cluster by cluster, and the clusters that left the fleet."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from periplus_hub.access.repository import system_tenant_ids
from periplus_hub.access.scope import Scope, system_scope
from periplus_hub.fleet import repository_retention as repository
from periplus_hub.fleet.repository_enrolment import system_forget_challenges
from periplus_hub.kit.db import Database
from periplus_hub.kit.jobs import one_after_another
from periplus_hub.kit.purge import Stale, purge
from periplus_hub.kit.tenancy import EVERY_TENANT, NO_TENANT

_Work: TypeAlias = Iterator[Coroutine[Any, Any, None]]


class ClusterRule(NamedTuple):
    """A slice's rule about what it keeps of a cluster: which rows may go that are older than so many days."""

    days: int
    rows_before: Callable[[Scope, UUID, datetime], Sequence[Stale]]


class TenantRule(NamedTuple):
    """The same about what it keeps of a tenant, whichever the cluster."""

    days: int
    rows_before: Callable[[Scope, datetime], Sequence[Stale]]


class RetentionJob:
    """Applies every rule, each by itself: one that fails keeps no other from what it may forget.

    Everything of a revoked cluster goes when the longest of the rules would have forgotten it. Safe to cut off: each
    run starts from what is there.
    """

    name = "fleet.retention"
    interval_s = 3600.0

    def __init__(self, db: Database, clusters: Sequence[ClusterRule], tenants: Sequence[TenantRule]) -> None:
        longest_days = max([*(rule.days for rule in clusters), *(rule.days for rule in tenants)])
        self._db = db
        self._longest = timedelta(days=longest_days)
        self._clusters = (*clusters, ClusterRule(0, repository.expired_credentials))
        self._tenants = (*tenants, TenantRule(longest_days, repository.leftovers))

    async def run(self, now: datetime) -> None:
        """Once."""
        async with self._db.read(EVERY_TENANT) as c:
            clusters = await repository.system_registrations(c)
            left = await repository.system_registrations(c, revoked_before=now - self._longest)
            tenants = [system_scope(tenant, "job:retention") for tenant in await system_tenant_ids(c)]
        await one_after_another(
            chain(
                # One after another: purging is the one thing that may wait, and never takes more than one writer's
                # connection.
                [self._forget_challenges(now)],
                self._of_clusters(clusters, now),
                (self._forget(scope, registration_id) for scope, registration_id in left),
                self._of_tenants(tenants, now),
            )
        )

    def _of_clusters(self, clusters: Sequence[tuple[Scope, UUID]], now: datetime) -> _Work:
        for scope, registration_id in clusters:
            for days, rows_before in self._clusters:
                yield purge(self._db, scope, rows_before(scope, registration_id, now - timedelta(days=days)))

    def _of_tenants(self, tenants: Sequence[Scope], now: datetime) -> _Work:
        for scope in tenants:
            for days, rows_before in self._tenants:
                yield purge(self._db, scope, rows_before(scope, now - timedelta(days=days)))

    async def _forget(self, scope: Scope, registration_id: UUID) -> None:
        """The registration goes after all that names it, so that a run that was cut off is taken up again."""
        await purge(self._db, scope, repository.rows_of_registration(scope, registration_id))
        await purge(self._db, scope, [repository.the_registration(scope, registration_id)])

    async def _forget_challenges(self, now: datetime) -> None:
        async with self._db.write(NO_TENANT) as c:
            await system_forget_challenges(c, now)
