"""The addresses slice's part of the GraphQL API."""

from collections.abc import Mapping
from typing import Any, Final

import strawberry

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.free import repository_reservations
from periplus_hub.addresses.free.graphql import FreeRangesQuery, ReservationsMutation
from periplus_hub.addresses.free.graphql_types import RangeReservation
from periplus_hub.addresses.ipam import repository_graphql as ipam
from periplus_hub.addresses.ipam.graphql import ClusterAllocations, IpamQuery
from periplus_hub.addresses.ipam.graphql_knowledge import ClusterKnowledge
from periplus_hub.addresses.ipam.graphql_pool_use import PoolUseQuery
from periplus_hub.addresses.ipam.graphql_reach import ClusterReach, DomainReach, ReachMutation
from periplus_hub.addresses.ipam.graphql_types import Allocation, Pool
from periplus_hub.addresses.overlaps import repository_acceptances
from periplus_hub.addresses.overlaps.graphql import ClusterOverlaps, OverlapsQuery
from periplus_hub.addresses.overlaps.graphql_acceptances import AcceptancesMutation, AcceptancesQuery
from periplus_hub.addresses.overlaps.graphql_types import OverlapAcceptance, OverlapGroup
from periplus_hub.addresses.overlaps.repository_groups import group_rows
from periplus_hub.addresses.overlaps.service_register import TOPIC
from periplus_hub.addresses.preflight.graphql import PreflightQuery
from periplus_hub.addresses.ranges.graphql import RangesMutation, RangesQuery
from periplus_hub.addresses.ranges.graphql_address import AddressRanges
from periplus_hub.addresses.ranges.graphql_domains import DeletedDomainRanges
from periplus_hub.addresses.ranges.graphql_import import ImportMutation
from periplus_hub.addresses.ranges.graphql_types import EnteredRange
from periplus_hub.addresses.ranges.repository import range_rows
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.fleet.graphql_mutations import DeletedNetworkDomain
from periplus_hub.inventory.graphql_owners import AddressAmbiguous, AddressOwned, AddressUnknown
from periplus_hub.kit.graphql import Context, uuid_of
from periplus_hub.kit.graphql_parts import Part, Topic, by_parts, by_uuid
from periplus_hub.kit.graphql_scalars import BigInt


@strawberry.type(description="The overlap groups include more changes than before.")
class OverlapsChanged:
    """Read overlapGroups again."""

    revision: BigInt = strawberry.field(description="The last change they include.")


async def _group(context: Context[Scope], node_id: str) -> object | None:
    """Its severities depend on the time, because acceptances end."""
    return await context.load(group_rows, uuid_of(node_id, "OverlapGroup"), context.now)


async def _overlaps_changed(_context: Context[Scope], payload: Mapping[str, Any]) -> OverlapsChanged:
    return OverlapsChanged(revision=BigInt(int(payload.get("revision", 0))))


PART: Final = Part(
    queries=[OverlapsQuery, PreflightQuery, IpamQuery, PoolUseQuery, AcceptancesQuery, FreeRangesQuery, RangesQuery],
    mutations=[AcceptancesMutation, ReservationsMutation, RangesMutation, ImportMutation, ReachMutation],
    extensions={
        Cluster: [ClusterAllocations, ClusterOverlaps, ClusterKnowledge, ClusterReach],
        NetworkDomain: [DomainReach],
        DeletedNetworkDomain: [DeletedDomainRanges],
        AddressOwned: [AddressRanges],
        AddressAmbiguous: [AddressRanges],
        AddressUnknown: [AddressRanges],
    },
    finders={
        OverlapAcceptance: by_uuid(repository_acceptances.acceptance_rows),
        Allocation: by_parts(ipam.allocation_row),
        Pool: by_parts(ipam.pool_row),
        OverlapGroup: _group,
        RangeReservation: by_uuid(repository_reservations.reservation_rows),
        EnteredRange: by_uuid(range_rows),
    },
    topics=[Topic(name=TOPIC, message=OverlapsChanged, read=_overlaps_changed)],
)
