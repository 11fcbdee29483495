"""Clusters that have another cluster's kube-system uid."""

from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.inventory.repository_machines import MAX_COPIES, copies_by_registration
from periplus_hub.kit.graphql_prices import at_most


@strawberry.type(description="A cluster with the kube-system uid of another one.")
class ClusterCopy:
    """inventory.repository_machines.Copy."""

    registration_id: strawberry.Private[UUID]
    is_told_apart: bool = strawberry.field(
        description="True: both have nodes and none in common, so they are two clusters, of which one was made from "
        "the other's backup or disk. False: it is not known whether they are one, as nodes of one cannot be listed, or "
        "were seen at another time."
    )

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all copies of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type
class ClusterCopies:
    """A field this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="Other live clusters with its kube-system uid that were not shown to be this one, the first "
        f"{MAX_COPIES} by when they joined.",
        directives=at_most(1),
    )
    async def copies(self, info: Info) -> list[ClusterCopy]:
        """Of nearly all clusters none."""
        found = await info.context.load(copies_by_registration, self.registration_id) or []
        return [ClusterCopy(registration_id=each.registration_id, is_told_apart=each.is_told_apart) for each in found]
