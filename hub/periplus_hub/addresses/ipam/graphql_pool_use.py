"""Who uses the addresses of pods, as people ask for it."""

from typing import Annotated, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ipam.graphql_arguments import ClusterFilterArgument
from periplus_hub.addresses.ipam.model import PoolLimit, PoolUseBy
from periplus_hub.addresses.ipam.repository_pool_use import POOL_USE
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.graphql_asked import cluster_asked, or_revoked
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_scalars import BigInt
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

strawberry.enum(PoolUseBy, name="PoolUseBy", description="Whose use of addresses is told.")


@strawberry.type(
    description="What pods of a node, a namespace or a team have, and how much more a node can hold. Null is unknown."
)
class PoolUse(RowBacked):
    """addresses.repository_pool_use."""

    registration_id: strawberry.Private[UUID]
    name: str = strawberry.field(
        description="Of the node, namespace or team; empty where pods have no team: neither they nor their namespaces "
        "have a label team, squad or owner."
    )
    pods: int = strawberry.field(description="Pods that are not finished, on the host's network too.")
    ipv4_addresses: BigInt = strawberry.field(name="ipv4Addresses", description="IPv4 addresses of its pods.")
    ipv6_addresses: BigInt = strawberry.field(name="ipv6Addresses", description="IPv6 addresses of its pods.")
    pods_allocatable: BigInt | None = strawberry.field(description="How many pods a node takes.")
    capacity: BigInt | None = strawberry.field(
        description="Addresses in a node's own pools, of the family of which less is free; null where it has none."
    )
    free: BigInt | None = strawberry.field(description="Those of them that can be handed out now.")
    limited_by: PoolLimit = strawberry.field(
        description="PODS or ADDRESSES, whichever a node has fewer left of. UNKNOWN where it may take more from a "
        "pool, and for namespaces and teams."
    )
    taken: float | None = strawberry.field(description="How much of that is taken, from 0 to 1.")

    share: float | None = strawberry.field(
        description="How much of the capacity of its cluster's pools of scope CLUSTER its addresses are, from 0 to 1, "
        "of the family of which it is more. Null where that capacity is unknown, or less than pods have."
    )

    @strawberry.field(description="The cluster it is in.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all rows of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type
class PoolUseQuery:
    """The root field."""

    @strawberry.field(
        description="Who uses addresses of pods in active clusters, by cluster and name.",
        directives=paged(50, 10_000, weight=20),
    )
    async def pool_use(
        self,
        info: Info,
        *,
        by: Annotated[PoolUseBy, strawberry.argument(description="Whose.")] = PoolUseBy.NODE,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        cluster: ClusterFilterArgument = None,
    ) -> Connection[PoolUse]:
        """As the inventory has it now."""
        asked = await cluster_asked(info.context, cluster)
        pages = Pages(info.context, POOL_USE[by], None, window_of(first, after, last, before), asked or None)
        return Connection(pages=await or_revoked(asked, pages))
