"""Correcting whether a cluster's pods or services are reached from outside it."""

from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.ipam import repository_reach, service_reach
from periplus_hub.addresses.ipam.model import AllocationKind, Reach
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import at_most

Corrected = Annotated[list[strawberry.ID], strawberry.argument(description="Of which clusters, 1 to 1,000.")]
CorrectedKind = Annotated[AllocationKind, strawberry.argument(description="Of which addresses: POD or SERVICE.")]


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
        description="What people say of the reach of its addresses, over what it tells.", directives=at_most(2)
    )
    async def reach_corrections(self, info: Info) -> list[ReachCorrection]:
        """One statement for all clusters of the answer."""
        rows = await info.context.load(repository_reach.corrections_by_clusters, self.registration_id)
        return [
            ReachCorrection(
                kind=AllocationKind(row.kind),
                reach=Reach(row.reach),
                reason=row.reason,
                set_by=row.set_by,
                set_at=row.set_at,
            )
            for row in cast("list[Any]", rows or [])
        ]


@strawberry.type(description="Clusters of which the reach was corrected, or is as they tell again.")
class CorrectedReach:
    """What setReach and clearReach answer."""

    clusters: list[Cluster] = strawberry.field(description="The clusters as they are now.", directives=at_most(10))


@strawberry.type
class ReachMutation:
    """Mutations about reach."""

    @mutation(
        Permission.DOMAINS_WRITE,
        "Say whether pods or services of clusters are reached from outside them. It wins over what they tell.",
        answers="The clusters, or why nothing changed.",
    )
    async def set_reach(
        self,
        info: Info,
        clusters: Corrected,
        kind: CorrectedKind,
        reach: Annotated[Reach, strawberry.argument(description="ROUTED or MASQUERADED.")],
        reason: Annotated[str, strawberry.argument(description="Why, 3 to 1,000 characters.")],
    ) -> CorrectedReach:
        """The overlaps follow."""
        ids = tuple(uuid_of(each, "Cluster") for each in clusters)
        asked = service_reach.ReachCorrection(clusters=ids, kind=kind, reach=reach, reason=reason)
        context = info.context
        async with context.write() as c:
            await service_reach.set_reach(c, context.scope, asked, context.clock.now())
            rows = await fleet.clusters_by_ids(c, context.scope, ids)
        return CorrectedReach(clusters=[from_row(Cluster, rows[each]) for each in dict.fromkeys(ids)])

    @mutation(
        Permission.DOMAINS_WRITE,
        "Take back what was said of the reach of clusters: what they tell holds again.",
        answers="The clusters, or why nothing changed.",
    )
    async def clear_reach(self, info: Info, clusters: Corrected, kind: CorrectedKind) -> CorrectedReach:
        """The overlaps follow."""
        ids = tuple(uuid_of(each, "Cluster") for each in clusters)
        context = info.context
        async with context.write() as c:
            await service_reach.clear_reach(c, context.scope, ids, kind, context.clock.now())
            rows = await fleet.clusters_by_ids(c, context.scope, ids)
        return CorrectedReach(clusters=[from_row(Cluster, rows[each]) for each in dict.fromkeys(ids)])
