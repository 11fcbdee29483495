"""Correcting whether a cluster's pods, services or nodes are reached from outside it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.addresses.ipam import repository_reach, service_reach
from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import at_most

CorrectedClusters = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Of which clusters; of clusters and domains 1 to 1,000."),
]
CorrectedDomains = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Of all clusters that are in which network domains, now or later."),
]
CorrectedKind = Annotated[AllocationKind, strawberry.argument(description="Of which addresses: POD, SERVICE or NODE.")]


@strawberry.type(description="What a person says of the reach of a cluster's addresses, over what the cluster tells.")
class ReachCorrection:
    """A row of reach_corrections."""

    kind: AllocationKind = strawberry.field(description="Of which addresses.")
    reach: Reach = strawberry.field(description="Whether they are reached from outside the cluster.")
    reason: str = strawberry.field(description="Why they said so.")
    set_by: str = strawberry.field(description="Who.")
    set_at: datetime = strawberry.field(description="When.")


@strawberry.type
class ClusterReach:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="What people say of the reach of its addresses, over what it tells and over what is said of its "
        "network domain.",
        directives=at_most(3),
    )
    async def reach_corrections(self, info: Info) -> list[ReachCorrection]:
        """One statement for all clusters of the answer."""
        return _corrections(await info.context.load(repository_reach.corrections_by_clusters, self.registration_id))


@strawberry.type
class DomainReach:
    """Fields this slice adds to NetworkDomain."""

    domain_id: strawberry.Private[UUID]

    @strawberry.field(
        description="What people say of the reach of the addresses of all its clusters, over what they tell.",
        directives=at_most(3),
    )
    async def reach_corrections(self, info: Info) -> list[ReachCorrection]:
        """One statement for all domains of the answer."""
        return _corrections(await info.context.load(repository_reach.corrections_by_domains, self.domain_id))


def _corrections(rows: Sequence[Any] | None) -> list[ReachCorrection]:
    return [
        ReachCorrection(
            kind=AllocationKind(row.kind),
            reach=Reach(row.reach),
            reason=row.reason,
            set_by=row.set_by,
            set_at=row.set_at,
        )
        for row in rows or ()
    ]


@strawberry.type(description="Clusters and network domains of which the reach was corrected, or is as told again.")
class CorrectedReach:
    """What setReach and clearReach answer."""

    clusters: list[Cluster] = strawberry.field(description="The clusters that changed.", directives=at_most(10))
    domains: list[NetworkDomain] = strawberry.field(
        description="The network domains that changed.", directives=at_most(10)
    )
    same_clusters: list[Cluster] = strawberry.field(
        description="Clusters of which just that was said already, or nothing that could be taken back.",
        directives=at_most(10),
    )
    same_domains: list[NetworkDomain] = strawberry.field(
        description="Network domains of which it was so.", directives=at_most(10)
    )


@strawberry.type
class ReachMutation:
    """Mutations about reach."""

    @mutation(
        Permission.DOMAINS_WRITE,
        "Say whether pods, services or nodes of clusters are reached from outside them. It wins over what they tell; "
        "what is said of a cluster wins over what is said of its network domain.",
        answers="The clusters and network domains, or why nothing changed.",
    )
    async def set_reach(
        self,
        info: Info,
        kind: CorrectedKind,
        reach: Annotated[Reach, strawberry.argument(description="ROUTED or MASQUERADED.")],
        reason: Annotated[str, strawberry.argument(description="Why, 3 to 1,000 characters.")],
        *,
        clusters: CorrectedClusters = None,
        domains: CorrectedDomains = None,
    ) -> CorrectedReach:
        """The overlaps follow."""
        whom, context = _whom(clusters, domains, kind), info.context
        async with context.write() as c:
            changed = await service_reach.set_reach(c, context.scope, whom, reach, reason, now=context.clock.now())
            return await _as_they_are(c, context.scope, whom, changed)

    @mutation(
        Permission.DOMAINS_WRITE,
        "Take back what was said of the reach of clusters or network domains: what else is known of it holds again.",
        answers="The clusters and network domains, or why nothing changed.",
    )
    async def clear_reach(
        self, info: Info, kind: CorrectedKind, *, clusters: CorrectedClusters = None, domains: CorrectedDomains = None
    ) -> CorrectedReach:
        """The overlaps follow."""
        whom, context = _whom(clusters, domains, kind), info.context
        async with context.write() as c:
            changed = await service_reach.clear_reach(c, context.scope, whom, now=context.clock.now())
            return await _as_they_are(c, context.scope, whom, changed)


def _whom(
    clusters: Sequence[str] | None, domains: Sequence[str] | None, kind: AllocationKind
) -> service_reach.Corrected:
    return service_reach.Corrected(
        clusters=tuple(dict.fromkeys(uuid_of(each, "Cluster") for each in clusters or ())),
        domains=tuple(dict.fromkeys(uuid_of(each, "NetworkDomain") for each in domains or ())),
        kind=kind,
    )


async def _as_they_are(
    c: WriteConnection, scope: Scope, whom: service_reach.Corrected, changed: Collection[UUID]
) -> CorrectedReach:
    clusters = await fleet.clusters_by_ids(c, scope, whom.clusters)
    domains = await fleet.domains_by_ids(c, scope, whom.domains)
    return CorrectedReach(
        clusters=[from_row(Cluster, clusters[each]) for each in whom.clusters if each in changed],
        domains=[from_row(NetworkDomain, domains[each]) for each in whom.domains if each in changed],
        same_clusters=[from_row(Cluster, clusters[each]) for each in whom.clusters if each not in changed],
        same_domains=[from_row(NetworkDomain, domains[each]) for each in whom.domains if each not in changed],
    )
