"""Overlap groups and acceptances as people see them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from sqlalchemy import Row

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.graphql_types import AllocationFields
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps import repository_acceptances, repository_groups, service_explanations
from periplus_hub.addresses.overlaps.graphql_pages import JoinedClusters, MemberPages, ReadPages
from periplus_hub.addresses.overlaps.model import (
    Explanation,
    FederationTarget,
    GroupFilter,
    JoinedGroup,
    Relation,
    Severity,
    Stopped,
)
from periplus_hub.addresses.overlaps.model import OverlapGroup as Group
from periplus_hub.addresses.overlaps.repository_groups import GroupAsk
from periplus_hub.addresses.overlaps.rows import group_of
from periplus_hub.addresses.overlaps.service_members import GroupRange, MembersAsk
from periplus_hub.addresses.ranges.graphql_types import EnteredRange
from periplus_hub.addresses.ranges.repository import range_rows
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster, NetworkDomain
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.graphql import RowBacked, global_id
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt, Cidr
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Node
from periplus_hub.kit.windows import window_of

strawberry.enum(Severity, name="OverlapSeverity", description="How much an overlap hurts, worst first.")
strawberry.enum(
    Relation, name="DomainRelation", description="How the network domains of two clusters stand to each other."
)
strawberry.enum(
    FederationTarget,
    name="FederationTarget",
    description="A way of joining clusters, by what moves packets or requests between them.",
)
Severities = Annotated[list[Severity] | None, strawberry.argument(description="Only these severities.")]


@strawberry.type(
    description="A person said an overlap is meant: for the clusters that were in the group, none hit worse than then. "
    "It ends by itself."
)
class OverlapAcceptance(RowBacked, Node):
    """addresses.model.Acceptance."""

    cidr: Cidr = strawberry.field(description="The root of the accepted group.")
    reason: str = strawberry.field(description="Why it is meant.")
    accepted_by: str = strawberry.field(description="Who said so.")
    severity: Severity = strawberry.field(description="The group's severity when it was accepted.")
    cluster_count: BigInt = strawberry.field(description="How many clusters were in the group then.")
    created_at: datetime = strawberry.field(description="When.")
    expires_at: datetime = strawberry.field(description="Until when it holds.")
    withdrawn_at: datetime | None = strawberry.field(description="When it was withdrawn; null while it was not.")


@strawberry.type(description="An allocation, or a range that people entered, inside an overlap group.")
class OverlapMember(AllocationFields):
    """With what it suffers itself: a group may hold members with milder relations than its worst pair."""

    range_id: strawberry.Private[UUID | None]
    severity: Severity | None = strawberry.field(
        description="The worst of any pair it takes part in, INTENDED while the group is accepted; null when it "
        "overlaps nobody, as a pod range inside its own cluster's node range."
    )

    @strawberry.field(description="The cluster that uses it; null for what people entered.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all members of the answer."""
        return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="What people entered; null for a cluster's allocation.")
    async def entered_range(self, info: Info) -> EnteredRange | None:
        """One statement for all members of the answer."""
        if self.range_id is None:
            return None
        return cast("EnteredRange | None", await info.context.load(range_rows, self.range_id))


@strawberry.type(
    description="A cluster in an overlap group, or what people entered in a network domain, and how much the group "
    "hurts it."
)
class OverlapGroupCluster(RowBacked):
    """addresses.model.ClusterShare."""

    registration_id: strawberry.Private[UUID]
    cluster_name: str = strawberry.field(
        description="The cluster's name, without asking for the cluster; 'entered in …' with the domain's."
    )
    severity: Severity = strawberry.field(
        description="The worst of any pair it takes part in here, or INTENDED while the group is accepted."
    )
    kinds: list[AllocationKind] = strawberry.field(
        description="What those of its allocations are used for that take part in such a pair.", directives=at_most(2)
    )
    member_count: BigInt = strawberry.field(description="How many of its allocations are in the group.")

    @strawberry.field(description="The cluster; null for what people entered in a network domain.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all of the answer."""
        return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(description="The network domain that people entered the ranges in; null for a cluster.")
    async def entered_in(self, info: Info) -> NetworkDomain | None:
        """One statement for all of the answer."""
        return cast("NetworkDomain | None", await info.context.load(fleet.domains_by_ids, self.registration_id))


@strawberry.type(description="How many clusters of a group it hurts so much.")
class ClusterCount:
    """Severities that hurt nobody there are left out."""

    severity: Severity = strawberry.field(description="The clusters' own severity in the group.")
    clusters: BigInt = strawberry.field(description="How many clusters.")


@strawberry.type(
    description="Which ways of joining clusters a group stops. Only what hurts its clusters most is looked at; "
    "`preflight` looks at everything that clusters use."
)
class StoppedFederations:
    """addresses.model.Stopped."""

    stops: list[FederationTarget] = strawberry.field(description="It stops these.", directives=at_most(8))
    may_stop: list[FederationTarget] = strawberry.field(
        description="It stops these or not, depending on what is not known here, like the reach of pods.",
        directives=at_most(8),
    )
    does_not_stop: list[FederationTarget] = strawberry.field(
        description="It does not stop these; another group may.", directives=at_most(8)
    )

    @classmethod
    def of(cls, told: Stopped) -> "StoppedFederations":
        """As lists."""
        return cls(stops=list(told.stops), may_stop=list(told.may_stop), does_not_stop=list(told.does_not_stop))


async def _explanations(c: ReadConnection, scope: Scope, found: Sequence[Group]) -> dict[Group, Explanation]:
    explained = await service_explanations.explain_groups(c, scope, found)
    return {group: explained[group.id] for group in found if group.id in explained}


async def _explained(group: "OverlapGroup", info: Info) -> Explanation | None:
    if group.joined is not None:
        return group.joined.explanation
    return cast("Explanation | None", await info.context.load(_explanations, group_of(cast("Row[Any]", group))))


@strawberry.type(
    description="A range of one or more clusters, where others collide with what they use there. Groups may lie inside "
    "one another."
)
class OverlapGroup(RowBacked, Node):
    """A stored group, or one as it would be if clusters were joined: then its id may stand for nothing stored."""

    group_id: strawberry.Private[UUID | None]
    acceptance_id: strawberry.Private[UUID | None]
    joined: strawberry.Private[JoinedGroup | None]
    cidr: Cidr = strawberry.field(description="The range everything lies in.")
    family: int = strawberry.field(description="4 or 6.")
    severity: Severity = strawberry.field(
        description="The worst pair's, or INTENDED while it is accepted. Each cluster and member has its own."
    )
    accepted: bool = strawberry.field(description="Whether an acceptance in force covers everything in it.")
    cluster_count: BigInt = strawberry.field(
        description="How many clusters overlap others in it. What people entered in a network domain counts as one."
    )
    member_count: BigInt = strawberry.field(description="How many allocations are in it.")
    pair_count: BigInt = strawberry.field(description="How many pairs overlap: counted, never listed.")
    since: datetime | None = strawberry.field(description="Since when; null for what would only be.")
    changed_at: datetime | None = strawberry.field(description="When it last changed; null for what would only be.")
    hypothetical: bool = strawberry.field(description="Whether it is as it would be if clusters were joined.")

    @classmethod
    def of_joined(cls, group: JoinedGroup) -> "OverlapGroup":
        """One that would be."""
        identity = global_id("OverlapGroup", group.id) if group.id else global_id("JoinedGroup", group.cidr)
        return cls(
            id=identity, group_id=group.id, acceptance_id=group.acceptance_id, joined=group, cidr=Cidr(group.cidr),
            family=group.family, severity=group.severity, accepted=group.accepted, cluster_count=BigInt(group.clusters),
            member_count=BigInt(group.members), pair_count=BigInt(group.pairs), since=None, changed_at=None,
            hypothetical=True,
        )  # fmt: skip

    @strawberry.field(
        description="The acceptance in force, also one that does not cover everything in it: then `accepted` is false, "
        "the severities are shown as they are, and `why` says what came later."
    )
    async def acceptance(self, info: Info) -> OverlapAcceptance | None:
        """One statement for all groups of the answer."""
        if self.acceptance_id is None:
            return None
        row = await info.context.load(repository_acceptances.acceptance_rows, self.acceptance_id)
        return cast("OverlapAcceptance | None", row)

    @strawberry.field(description="Why it has its severity.")
    async def why(self, info: Info) -> str:
        """In a sentence."""
        explained = await _explained(self, info)
        return explained.why if explained else ""

    @strawberry.field(
        description="What would break for the clusters that are hit worst, in sentences.", directives=at_most(4)
    )
    async def breaks(self, info: Info) -> list[str]:
        """Empty when nothing would."""
        explained = await _explained(self, info)
        return list(explained.breaks) if explained else []

    @strawberry.field(
        description="The ways of joining the clusters that are hit worst that it stops, and those it does not stop."
    )
    async def stopped(self, info: Info) -> StoppedFederations:
        """Nothing, where nothing is known."""
        explained = await _explained(self, info)
        return StoppedFederations.of(explained.stopped if explained else Stopped())

    @strawberry.field(description="What to do, in sentences.", directives=at_most(4))
    async def remedies(self, info: Info) -> list[str]:
        """A `plan` has ranges to move to."""
        explained = await _explained(self, info)
        return list(explained.remedies) if explained else []

    @strawberry.field(
        description="What of it needs another range, POD, SERVICE or NODE, before the overlap is over: `plan` proposes "
        "some. Empty where nothing is to be renumbered.",
        directives=at_most(2),
    )
    async def renumbered(self, info: Info) -> list[AllocationKind]:
        """Of the clusters that are hit worst."""
        explained = await _explained(self, info)
        return list(explained.renumbered) if explained else []

    @strawberry.field(description="Its clusters, those it hurts most first, then by name.", directives=paged(50, 1_000))
    async def clusters(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        severities: Severities = None,
    ) -> Connection[OverlapGroupCluster]:
        """Stored ones from the database; those of a group that would be are known."""
        wanted, window = tuple(severities or ()), window_of(first, after, last, before)
        if self.joined is not None:
            return Connection(pages=JoinedClusters(self.joined, wanted, window))
        asked = GroupAsk(GroupFilter(severities=wanted), info.context.now)
        read, count = repository_groups.clusters_of_groups, repository_groups.cluster_totals_of_groups
        return Connection(pages=ReadPages(info.context, read, count, self.group_id, window, asked))

    @strawberry.field(description="How many clusters it hurts how much, worst first.", directives=at_most(2))
    async def cluster_counts(self, info: Info) -> list[ClusterCount]:
        """One statement for all groups of the answer."""
        if self.joined is not None:
            found: Mapping[Severity, int] = Counter(share.severity for share in self.joined.shares)
        else:
            group_id, now = cast("UUID", self.group_id), info.context.now
            found = await info.context.load(repository_groups.severities_of_groups, group_id, now) or {}
        return [ClusterCount(severity=each, clusters=BigInt(found[each])) for each in Severity if each in found]

    @strawberry.field(description="The allocations inside it, by address.", directives=paged(50, 1_000))
    async def members(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        severities: Severities = None,
    ) -> Connection[OverlapMember]:
        """Parents first."""
        joined = None if self.joined is None else self.joined.asked
        asked = MembersAsk(tuple(severities or ()), joined)
        return Connection(
            pages=MemberPages(
                info.context, GroupRange(self.cidr, self.accepted), window_of(first, after, last, before), asked
            )
        )
