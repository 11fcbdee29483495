"""How complete what is told of flows is, as GraphQL types."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.model import ClusterCoverage, Coverage
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.graphql_prices import Cost, at_most
from periplus_hub.kit.graphql_scalars import BigInt

MOST_CLUSTERS = 1_000
"""Of a list of clusters; their number is told beside it."""


@strawberry.type(description="Rows of flows that were given up, for one reason.")
class LostFlows:
    """Of the accounting of batches."""

    reason: str = strawberry.field(description="Why, like outbox_full.")
    rows: BigInt = strawberry.field(description="How many rows.")


@strawberry.type(description="What sources of flows did not see.")
class UnseenFlows:
    """Of FlowsMark.lost."""

    reason: str = strawberry.field(description="Why, like evicted or overrun.")
    count: BigInt = strawberry.field(description="How many connections, events or readings; of overruns, how often.")


@strawberry.type(description="What one cluster told of flows in the asked time.")
class ClusterFlowCoverage:
    """dependencies.model.ClusterCoverage."""

    registration_id: strawberry.Private[UUID]
    ratio: float | None = strawberry.field(
        description="The share of the minutes that it told, from 0 to 1, each node counted where agents of nodes tell "
        "them; null where none was to be told yet."
    )
    told_from: datetime | None = strawberry.field(
        description="The first hour it told flows of, at most a week before the asked time; null: it told none."
    )
    told_until: datetime | None = strawberry.field(description="The end of the last window it told.")
    sampling: int = strawberry.field(description="The coarsest rate that its numbers were scaled up by.")
    rows: BigInt = strawberry.field(description="Rows that are here.")
    rejected: BigInt = strawberry.field(description="Rows that broke the contract.")
    observed: BigInt = strawberry.field(description="Connections, events or series that its sources had.")
    unmeasured: BigInt = strawberry.field(description="Those of them whose bytes no source can tell.")
    other_rows: BigInt = strawberry.field(
        description="Rows beyond the row budgets of its spokes (flow_row_budget): their sums are in one row for all."
    )
    other_hosts: BigInt = strawberry.field(
        description="Rows without the name that the client asked for, as a window had too many names: who a gateway "
        "passed them on to is known less well."
    )
    nodes: int = strawberry.field(description="Its nodes, where agents of nodes tell its flows; otherwise 0.")
    nodes_silent: int = strawberry.field(
        description="Those of which nothing was told of late: what they see is missing."
    )

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all clusters of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @classmethod
    def of(cls, told: ClusterCoverage) -> "ClusterFlowCoverage":
        """The same as a GraphQL type."""
        return cls(
            registration_id=told.registration_id,
            ratio=told.ratio,
            told_from=_moment(told.told_from),
            told_until=_moment(told.told_until),
            sampling=told.sampling,
            rows=BigInt(told.rows),
            rejected=BigInt(told.rejected),
            observed=BigInt(told.observed),
            unmeasured=BigInt(told.unmeasured),
            other_rows=BigInt(told.other_rows),
            other_hosts=BigInt(told.other_hosts),
            nodes=told.nodes,
            nodes_silent=told.nodes_silent,
        )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@strawberry.type(description="Since when a cluster tells flows.")
class FlowsBegun:
    """Of Coverage.begun_later."""

    registration_id: strawberry.Private[UUID]
    since: datetime = strawberry.field(description="The first minute that it told.")

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all clusters of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type(description="How much of the flows that there were the answer is made of.")
class FlowCoverage:
    """dependencies.model.Coverage."""

    told: strawberry.Private[Coverage]

    @strawberry.field(
        description="The share of the minutes that active clusters told, times the share of their rows that are here; "
        "null where nothing was to be told yet. A cluster without a source of flows counts with nothing.",
        directives=[Cost(weight=0)],
    )
    def ratio(self) -> float | None:
        """Of all clusters."""
        return self.told.ratio

    @strawberry.field(
        description="The coarsest rate that numbers were scaled up by; 1 is all counted.", directives=[Cost(weight=0)]
    )
    def sampling(self) -> int:
        """Of all clusters."""
        return self.told.sampling

    @strawberry.field(
        description="The first hour of the asked time with flows that were accepted and are not in the answer: they "
        "wait for the flow store, came when older rows of the hour were deleted, or the store lost them. Null where "
        "there is none. While there are such hours of the last day, nothing is called silent.",
        directives=[Cost(weight=0)],
    )
    def waiting_since(self) -> datetime | None:
        """Of all clusters."""
        return _moment(self.told.waiting_since)

    @strawberry.field(
        description="Up to then the answer is of whole UTC days, as hours of that time are not kept, or too many for "
        "points; null: it is of hours alone.",
        directives=[Cost(weight=0)],
    )
    def whole_days_until(self) -> datetime | None:
        """Of the asked time."""
        return _moment(self.told.days_until)

    @strawberry.field(
        description="Before then nothing is kept: of that part of the asked time nothing is known. Null: all is kept.",
        directives=[Cost(weight=0)],
    )
    def kept_from(self) -> datetime | None:
        """Of the asked time."""
        return _moment(self.told.kept_from)

    @strawberry.field(
        description="How many clusters began to tell flows later than the asked time begins: they told none of the "
        "week before either.",
        directives=[Cost(weight=0)],
    )
    def begun_later_count(self) -> int:
        """Of clustersBegunLater."""
        return len(self.told.begun_later)

    @strawberry.field(
        description=f"The first {MOST_CLUSTERS:,} of them: what passed there before is not known.",
        directives=at_most(10),
    )
    def clusters_begun_later(self) -> list[FlowsBegun]:
        """By name."""
        begun = list(self.told.begun_later.items())[:MOST_CLUSTERS]
        return [FlowsBegun(registration_id=each, since=datetime.fromtimestamp(since, UTC)) for each, since in begun]

    @strawberry.field(description="How many clusters told flows once, and not of late.", directives=[Cost(weight=0)])
    def late_count(self) -> int:
        """Of lateClusters."""
        return len(self.told.late)

    @strawberry.field(
        description=f"The first {MOST_CLUSTERS:,} of them: what passes there now is not known.",
        directives=at_most(10),
    )
    async def late_clusters(self, info: Info) -> list[Cluster]:
        """One statement."""
        return await clusters_of(info, self.told.late)

    @strawberry.field(
        description="How many active clusters told no flows, of the asked time or the week before.",
        directives=[Cost(weight=0)],
    )
    def without_flows_count(self) -> int:
        """Of clustersWithoutFlows."""
        return len(self.told.without_flows)

    @strawberry.field(
        description=f"The first {MOST_CLUSTERS:,} of them: no source of flows is known of them.",
        directives=at_most(10),
    )
    async def clusters_without_flows(self, info: Info) -> list[Cluster]:
        """One statement."""
        return await clusters_of(info, self.told.without_flows)

    @strawberry.field(description="Rows that spokes gave up, by reason, most first.", directives=at_most(4))
    def dropped_by_reason(self) -> list[LostFlows]:
        """Of all clusters."""
        most = sorted(self.told.dropped.items(), key=lambda each: (-each[1], each[0]))
        return [LostFlows(reason=reason, rows=BigInt(rows)) for reason, rows in most]

    @strawberry.field(
        description="What sources of flows say that they did not see, by reason, most first: connections, events or "
        "readings.",
        directives=at_most(6),
    )
    def lost_by_reason(self) -> list[UnseenFlows]:
        """Of all clusters."""
        most = sorted(self.told.lost.items(), key=lambda each: (-each[1], each[0]))
        return [UnseenFlows(reason=reason, count=BigInt(count)) for reason, count in most]

    @strawberry.field(description="Connections, events or series that sources had.", directives=[Cost(weight=0)])
    def observed(self) -> BigInt:
        """Of all clusters."""
        return BigInt(self.told.observed)

    @strawberry.field(
        description="Those of them whose bytes no source can tell, as where the kernel of a node does not count them "
        "(nf_conntrack_acct).",
        directives=[Cost(weight=0)],
    )
    def unmeasured(self) -> BigInt:
        """Of all clusters."""
        return BigInt(self.told.unmeasured)

    @strawberry.field(
        description="Rows beyond the row budgets of spokes (flow_row_budget): their sums are exact, and who talked to "
        "whom is not known of them.",
        directives=[Cost(weight=0)],
    )
    def other_rows(self) -> BigInt:
        """Of all clusters."""
        return BigInt(self.told.other_rows)

    @strawberry.field(
        description="Rows without the name that the client asked for, as a window had too many names: who a gateway "
        "passed them on to is known less well.",
        directives=[Cost(weight=0)],
    )
    def other_hosts(self) -> BigInt:
        """Of all clusters."""
        return BigInt(self.told.other_hosts)

    @strawberry.field(
        description="How many clusters have nodes of which nothing was told of late.", directives=[Cost(weight=0)]
    )
    def partly_told_count(self) -> int:
        """Of partlyToldClusters."""
        return len(self.told.partly_told)

    @strawberry.field(
        description=f"The first {MOST_CLUSTERS:,} of them: what is seen at these nodes alone is not known.",
        directives=at_most(10),
    )
    async def partly_told_clusters(self, info: Info) -> list[Cluster]:
        """One statement."""
        return await clusters_of(info, self.told.partly_told)

    @strawberry.field(
        description=f"What each active cluster told, by name; the first {MOST_CLUSTERS:,}.", directives=at_most(100)
    )
    def clusters(self) -> list[ClusterFlowCoverage]:
        """Of this tenant."""
        return [ClusterFlowCoverage.of(each) for each in self.told.clusters[:MOST_CLUSTERS]]


async def clusters_of(info: Info, ids: Sequence[UUID]) -> list[Cluster]:
    """The first 1,000 of them, in one statement."""
    found = await asyncio.gather(*(info.context.load(fleet.clusters_by_ids, each) for each in ids[:MOST_CLUSTERS]))
    return [cast("Cluster", each) for each in found if each is not None]
