"""Allocations and pools as people see them."""

from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry

from periplus_contract.limits import MAX_EVIDENCE
from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ipam.model import AllocationKind, PoolFill, PoolLimit, PoolScope, Quality, Reach
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import BigInt, Cidr
from periplus_hub.kit.graphql_types import Node

strawberry.enum(
    AllocationKind,
    name="AllocationKind",
    description="What a CIDR is used for. ENTERED: it is no cluster's, people entered it.",
)
UsedFor = AllocationKind
"""For modules that know no allocation: from here it has its name in the schema."""
strawberry.enum(
    Quality,
    name="Quality",
    description="EXACT: the allocator says so. DERIVED: it follows from objects or settings that were read. NOMINAL: "
    "written down where the allocator need not look, or from CIDRs alone. SEEN: addresses in use, of which the range "
    "they come from is not known or is shared by design.",
)
strawberry.enum(
    Reach,
    name="Reach",
    description="ROUTED: reached from outside the cluster as it is. MASQUERADED: not, and what leaves the cluster has "
    "the address of a node. UNKNOWN: nobody said; where clusters are compared it counts as routed.",
)
strawberry.enum(
    PoolFill,
    name="PoolFill",
    description="How much of a pool is taken. NEAR_EXHAUSTION: nine tenths and more. UNKNOWN is not AMPLE.",
)
strawberry.enum(
    PoolLimit,
    name="PoolLimit",
    description="What there is nothing of first. BLOCKS: nothing free is as large as the blocks that nodes take. PODS: "
    "a node takes no more pods.",
)
strawberry.enum(PoolScope, name="PoolScope", description="What a pool hands addresses out for.")


@strawberry.type
class AllocationFields(RowBacked):
    """What an allocation is, wherever it is shown."""

    registration_id: strawberry.Private[UUID]
    domain_id: strawberry.Private[UUID]
    cluster_name: str = strawberry.field(description="The cluster's name, without asking for the cluster.")
    kind: AllocationKind = strawberry.field(description="What for.")
    cidr: Cidr = strawberry.field(description="The range.")
    family: int = strawberry.field(description="4 or 6.")
    provider: str = strawberry.field(description="The allocator, like cluster or cilium.")
    source: str = strawberry.field(description="The most trusted source that named it.")
    name: str = strawberry.field(description="Its name at the provider; empty when it has none.")
    node: str = strawberry.field(description="The node it belongs to; empty when to none.")
    quality: Quality = strawberry.field(description="How well it is known.")
    claim: bool = strawberry.field(
        description="Whether an allocator may hand addresses out of it. Else these addresses are in use, and nothing "
        "is said of those around them."
    )
    reach: Reach = strawberry.field(description="Whether its addresses are reached from outside the cluster.")
    reach_corrected: bool = strawberry.field(description="Whether a person said so, over what the cluster tells.")
    since: datetime = strawberry.field(description="When the hub first saw it.")

    @strawberry.field(description="The cluster that uses it.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all allocations of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="Where it means something.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all allocations of the answer."""
        return cast("NetworkDomain", await info.context.load(fleet.domains_by_ids, self.domain_id))


@strawberry.type(description="A CIDR of one cluster: what it may use, or what it uses.")
class Allocation(AllocationFields, Node):
    """addresses.model.Allocation with its cluster's name."""


@strawberry.type(description="What an allocator hands addresses out of: its latest sample. Null is unknown, not zero.")
class Pool(RowBacked, Node):
    """addresses.model.Pool; counts are texts because an IPv6 pool overflows 64 bits."""

    registration_id: strawberry.Private[UUID]
    provider: str = strawberry.field(description="The allocator.")
    name: str = strawberry.field(description="Its name there.")
    family: int = strawberry.field(description="4 or 6.")
    scope: PoolScope = strawberry.field(description="What it hands addresses out for.")
    node: str = strawberry.field(description="The node of a node's pool; else empty.")
    cidrs: list[Cidr] = strawberry.field(description="What it covers.", directives=at_most(4))
    capacity: BigInt | None = strawberry.field(description="Addresses it could hand out.")
    assigned: BigInt | None = strawberry.field(description="Addresses handed out, used or not.")
    used: BigInt | None = strawberry.field(description="Addresses in use.")
    reserved: BigInt | None = strawberry.field(description="Addresses it will never hand out.")
    cooling: BigInt | None = strawberry.field(description="Addresses given back, which wait until they are free.")
    leaked: BigInt | None = strawberry.field(description="Addresses held for pods or nodes that are gone.")
    borrowed: BigInt | None = strawberry.field(description="Of those in use, those from another node's block.")
    unusable: BigInt | None = strawberry.field(description="Addresses nobody has and nobody can be given.")
    free: BigInt | None = strawberry.field(description="Addresses it can hand out now.")
    largest_free_block: BigInt | None = strawberry.field(description="Prefix length of the largest free block.")
    taken: float | None = strawberry.field(
        description="How much of its capacity cannot be handed out now, from 0 to 1: 1 only where nothing can. At "
        "least so much where free is unknown."
    )
    fill: PoolFill = strawberry.field(description="The same in a word.")
    limited_by: PoolLimit = strawberry.field(description="What there is nothing of first.")
    idle: BigInt | None = strawberry.field(description="Addresses that nodes hold in whole blocks and do not use.")
    fragmented: BigInt | None = strawberry.field(
        description="Free addresses outside of the largest free block: nobody gets them as one."
    )
    unaccounted: BigInt | None = strawberry.field(description="Addresses of its capacity that nobody told about.")
    contradictions: list[str] = strawberry.field(
        description="Which of its numbers cannot be true together; then nothing is said of its fill.",
        directives=at_most(4),
    )
    evidence: list[str] = strawberry.field(
        description="What is leaked and how it shows; at most 20.", directives=at_most(MAX_EVIDENCE)
    )
    source: str = strawberry.field(description="Where the numbers come from.")
    quality: Quality = strawberry.field(description="How well the numbers are known.")
    observed_at: datetime = strawberry.field(
        description="When they were true; while they stay the same, up to ten minutes before they were last told."
    )

    @strawberry.field(description="The cluster it belongs to.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all pools of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))
