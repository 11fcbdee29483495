"""Allocations, pools, overlap groups and acceptances as people see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses import repository_graphql as repository
from periplus_hub.addresses import service
from periplus_hub.addresses.model import (
    AllocationKind,
    Explanation,
    JoinedGroup,
    PairOverlap,
    Relation,
    Severity,
)
from periplus_hub.addresses.model import (
    OverlapGroup as Group,
)
from periplus_hub.addresses.prefixes import parse
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import Context, RowBacked, global_id
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt, Cidr
from periplus_hub.kit.graphql_types import After, First, Node, PageInfo
from periplus_hub.kit.keyset import Slice

strawberry.enum(Severity, name="OverlapSeverity", description="How much an overlap hurts, worst first.")
strawberry.enum(AllocationKind, name="AllocationKind", description="What a cluster uses a CIDR for.")
strawberry.enum(
    Relation, name="DomainRelation", description="How the network domains of two clusters stand to each other."
)


@strawberry.type(description="A CIDR in use by one cluster.")
class Allocation(RowBacked):
    """addresses.model.Allocation with its cluster's name."""

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
    quality: str = strawberry.field(description="exact, derived or nominal; empty when unknown.")
    since: datetime = strawberry.field(description="When the hub first saw it.")

    @strawberry.field(description="The cluster that uses it.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all allocations of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="Where it means something.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all allocations of the answer."""
        return cast("NetworkDomain", await info.context.load(fleet.domains_by_ids, self.domain_id))


@strawberry.type(description="What an allocator hands addresses out of: its latest sample. Null is unknown, not zero.")
class Pool(RowBacked):
    """addresses.model.Pool; counts are texts because an IPv6 pool overflows 64 bits."""

    registration_id: strawberry.Private[UUID]
    provider: str = strawberry.field(description="The allocator.")
    name: str = strawberry.field(description="Its name there.")
    family: int = strawberry.field(description="4 or 6.")
    scope: str = strawberry.field(description="cluster, node, namespace, lb, service or external.")
    node: str = strawberry.field(description="The node of a node's pool; else empty.")
    cidrs: list[Cidr] = strawberry.field(description="What it covers.", directives=at_most(4))
    capacity: BigInt | None = strawberry.field(description="Addresses it could hand out.")
    assigned: BigInt | None = strawberry.field(description="Addresses handed out, used or not.")
    used: BigInt | None = strawberry.field(description="Addresses in use.")
    reserved: BigInt | None = strawberry.field(description="Addresses it will never hand out.")
    cooling: BigInt | None = strawberry.field(description="Addresses given back but not yet reusable.")
    free: BigInt | None = strawberry.field(description="Addresses it can hand out now.")
    largest_free_block: BigInt | None = strawberry.field(description="Prefix length of the largest free block.")
    source: str = strawberry.field(description="Where the numbers come from.")
    quality: str = strawberry.field(description="exact, derived or nominal.")
    observed_at: datetime = strawberry.field(description="When they were true.")

    @strawberry.field(description="The cluster it belongs to.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all pools of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type(description="A person said an overlap is meant; it ends by itself.")
class OverlapAcceptance(RowBacked, Node):
    """addresses.model.Acceptance."""

    cidr: Cidr = strawberry.field(description="The root of the accepted group.")
    reason: str = strawberry.field(description="Why it is meant.")
    accepted_by: str = strawberry.field(description="Who said so.")
    created_at: datetime = strawberry.field(description="When.")
    expires_at: datetime = strawberry.field(description="Until when it holds.")
    withdrawn_at: datetime | None = strawberry.field(description="When it was withdrawn; null while it was not.")


@dataclass(frozen=True, slots=True)
class MemberPages:
    """A page of what lies inside a group, read together with those of all groups of the answer."""

    context: Context[Scope]
    within: repository.KeyRange
    first: int
    after: str | None

    async def page(self) -> Slice:
        """Allocations, parents first."""
        return await self.context.load(repository.members, self.within, self.first, self.after, None) or Slice()


@strawberry.type(description="A page of the allocations inside an overlap group.")
class OverlapMemberConnection:
    """See OverlapGroup.memberCount for the total."""

    pages: strawberry.Private[MemberPages]

    @strawberry.field(
        description="The allocations, parents first.",
        directives=[Cost(weight=0), ListSize(assumed_size=50, of_page=True)],
    )
    async def nodes(self) -> list[Allocation]:
        """Rows stand in for allocations."""
        return cast("list[Allocation]", (await self.pages.page()).rows)

    @strawberry.field(description="Where the page ends.", directives=[Cost(weight=0)])
    async def page_info(self) -> PageInfo:
        """Relay's pageInfo."""
        page = await self.pages.page()
        return PageInfo(has_next_page=page.has_next, end_cursor=page.end_cursor)


async def _explanations(c: ReadConnection, scope: Scope, found: Sequence[Group]) -> dict[Group, Explanation]:
    explained = await service.explain_groups(c, scope, found)
    return {group: explained[group.id] for group in found if group.id in explained}


@strawberry.type(description="A maximal allocation with everything inside it, where owners collide.")
class OverlapGroup(Node):
    """A stored group, or one as it would be if clusters were joined: then its id may stand for nothing stored."""

    stored: strawberry.Private[Group | None]
    explanation: strawberry.Private[Explanation | None]
    cidr: Cidr = strawberry.field(description="The range everything lies in.")
    family: int = strawberry.field(description="4 or 6.")
    severity: Severity = strawberry.field(description="The worst pair's, or INTENDED while it is accepted.")
    cluster_count: BigInt = strawberry.field(description="How many clusters are in it.")
    member_count: BigInt = strawberry.field(description="How many allocations are in it.")
    pair_count: BigInt = strawberry.field(description="How many pairs overlap: counted, never listed.")
    since: datetime | None = strawberry.field(description="Since when; null for what would only be.")
    changed_at: datetime | None = strawberry.field(description="When it last changed; null for what would only be.")
    hypothetical: bool = strawberry.field(description="Whether it is as it would be if clusters were joined.")

    @classmethod
    def of(cls, group: Group) -> "OverlapGroup":
        """A stored one."""
        counts = (BigInt(group.clusters), BigInt(group.members), BigInt(group.pairs))
        return cls(
            id=global_id("OverlapGroup", group.id), stored=group, explanation=None, cidr=Cidr(group.cidr),
            family=group.family, severity=group.severity, cluster_count=counts[0], member_count=counts[1],
            pair_count=counts[2], since=group.since, changed_at=group.changed_at, hypothetical=False,
        )  # fmt: skip

    @classmethod
    def joined(cls, group: JoinedGroup) -> "OverlapGroup":
        """One that would be."""
        counts = (BigInt(group.clusters), BigInt(group.members), BigInt(group.pairs))
        identity = global_id("OverlapGroup", group.id) if group.id else global_id("JoinedGroup", group.cidr)
        return cls(
            id=identity, stored=None, explanation=group.explanation, cidr=Cidr(group.cidr), family=group.family,
            severity=group.severity, cluster_count=counts[0], member_count=counts[1], pair_count=counts[2],
            since=None, changed_at=None, hypothetical=True,
        )  # fmt: skip

    async def _explained(self, info: Info) -> Explanation | None:
        if self.stored is None:
            return self.explanation
        return cast("Explanation | None", await info.context.load(_explanations, self.stored))

    @strawberry.field(description="Why it has its severity.")
    async def why(self, info: Info) -> str:
        """In a sentence."""
        explained = await self._explained(info)
        return explained.why if explained else ""

    @strawberry.field(description="What would break, in sentences.", directives=at_most(4))
    async def breaks(self, info: Info) -> list[str]:
        """Empty when nothing would."""
        explained = await self._explained(info)
        return list(explained.breaks) if explained else []

    @strawberry.field(description="What to do, in sentences.", directives=at_most(4))
    async def remedies(self, info: Info) -> list[str]:
        """With a free range where one is known."""
        explained = await self._explained(info)
        return list(explained.remedies) if explained else []

    @strawberry.field(description="Free ranges of its size to move to.", directives=at_most(2))
    async def free_ranges(self, info: Info) -> list[Cidr]:
        """Empty when the private space is full."""
        explained = await self._explained(info)
        return [Cidr(each.cidr) for each in (explained.suggestions if explained else ()) if each.cidr]

    @strawberry.field(description="The allocations inside it.", directives=paged(50, 1_000))
    async def members(self, info: Info, first: First = 50, after: After = None) -> OverlapMemberConnection:
        """Parents first."""
        within = parse(self.cidr).keys()
        return OverlapMemberConnection(pages=MemberPages(info.context, within, first, after))


@strawberry.type(name="PairOverlap", description="Two allocations of two clusters that overlap.")
class PairOverlapType:
    """addresses.model.PairOverlap."""

    cidr: Cidr = strawberry.field(description="The smaller of the two ranges.")
    relation: Relation = strawberry.field(description="How the two network domains stand to each other.")
    severity: Severity = strawberry.field(description="How much it hurts.")
    why: str = strawberry.field(description="Why it has its severity.")
    breaks: list[str] = strawberry.field(description="What would break.", directives=at_most(4))
    remedies: list[str] = strawberry.field(description="What to do.", directives=at_most(4))
    a: Allocation = strawberry.field(description="The first cluster's allocation.")
    b: Allocation = strawberry.field(description="The second cluster's allocation.")

    @classmethod
    def of(cls, pair: PairOverlap, clusters: dict[UUID, Any]) -> "PairOverlapType":
        """With names from the clusters' rows."""
        ends = [_allocation(each, clusters[each.registration_id]) for each in (pair.a, pair.b)]
        told = pair.explanation
        return cls(
            cidr=Cidr(pair.cidr), relation=pair.relation, severity=pair.severity, why=told.why,
            breaks=list(told.breaks), remedies=list(told.remedies), a=ends[0], b=ends[1],
        )  # fmt: skip


def _allocation(allocation: Any, cluster: Any) -> Allocation:  # noqa: ANN401 - a model and a row, read by attribute
    own = {"cluster_name": cluster.name, "domain_id": cluster.domain_id}
    names = ("registration_id", "kind", "cidr", "family", "provider", "source", "name", "node", "quality", "since")
    return Allocation(**own, **{name: getattr(allocation, name) for name in names})


@strawberry.type(description="All overlaps of two clusters.")
class OverlapsBetween:
    """addresses.model.PairReport."""

    relation: Relation = strawberry.field(description="How their network domains stand to each other.")
    total: int = strawberry.field(description="How many overlaps there are, listed or not.")
    overlaps: list[PairOverlapType] = strawberry.field(description="The worst hundred.", directives=at_most(100))
