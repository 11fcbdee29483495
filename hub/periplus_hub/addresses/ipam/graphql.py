"""What people may ask about allocations and pools."""

from typing import Annotated
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ipam import repository_graphql as repository
from periplus_hub.addresses.ipam.graphql_arguments import (
    ClusterFilterArgument,
    Family,
    Fills,
    Kinds,
    LeastTaken,
    Providers,
    Scopes,
    Within,
    family_of,
    ppm_of,
)
from periplus_hub.addresses.ipam.graphql_orders import PoolOrder
from periplus_hub.addresses.ipam.graphql_types import Allocation, Pool
from periplus_hub.addresses.ipam.model import AllocationFilter, PoolFilter
from periplus_hub.fleet.graphql_asked import cluster_asked, or_revoked
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages, order_of
from periplus_hub.kit.windows import window_of


@strawberry.type
class ClusterAllocations:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(description="The CIDRs it uses, by address.", directives=paged(50, 10_000))
    async def allocations(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        kinds: Kinds = None,
        family: Family = None,
    ) -> Connection[Allocation]:
        """While it is active."""
        asked = AllocationFilter(kinds=tuple(kinds or ()), family=family_of(family))
        pages = Pages(
            info.context,
            repository.ALLOCATIONS,
            self.registration_id,
            window_of(first, after, last, before),
            asked,
        )
        return Connection(pages=pages)

    @strawberry.field(description="The pools its addresses come from.", directives=paged(50, 10_000))
    async def pools(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Pool]:
        """By provider and name, while it is active."""
        return Connection(
            pages=Pages(
                info.context,
                repository.POOLS,
                self.registration_id,
                window_of(first, after, last, before),
                None,
            )
        )


@strawberry.type
class IpamQuery:
    """Root fields about allocations and pools."""

    @strawberry.field(description="CIDRs in use by active clusters, by address.", directives=paged(50, 10_000))
    async def allocations(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        cluster: ClusterFilterArgument = None,
        kinds: Kinds = None,
        family: Family = None,
        within: Within = None,
    ) -> Connection[Allocation]:
        """Parents before children."""
        asked = AllocationFilter(
            registration_ids=await cluster_asked(info.context, cluster),
            kinds=tuple(kinds or ()),
            family=family_of(family),
            within=within,
        )
        pages = Pages(info.context, repository.ALLOCATIONS, None, window_of(first, after, last, before), asked)
        return Connection(pages=await or_revoked(asked.registration_ids, pages))

    @strawberry.field(description="Pools of addresses of active clusters, by cluster.", directives=paged(50, 10_000))
    async def pools(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        cluster: ClusterFilterArgument = None,
        scopes: Scopes = None,
        providers: Providers = None,
        fills: Fills = None,
        least_taken: LeastTaken = None,
        order_by: Annotated[
            PoolOrder | None, strawberry.argument(description="In which order; null is by cluster.")
        ] = None,
    ) -> Connection[Pool]:
        """Latest samples."""
        asked = PoolFilter(
            registration_ids=await cluster_asked(info.context, cluster),
            scopes=tuple(scopes or ()),
            providers=tuple(providers or ()),
            fills=tuple(fills or ()),
            least_taken_ppm=ppm_of(least_taken),
        )
        order = order_of(order_by)
        listing = repository.POOLS if order is None else repository.POOL_ORDERS[order]
        pages = Pages(info.context, listing, None, window_of(first, after, last, before), asked)
        return Connection(pages=await or_revoked(asked.registration_ids, pages))
