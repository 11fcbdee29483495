"""Edges and coverage as GraphQL types."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.graphql_words import EdgeSide, EdgeState, Verdict
from periplus_hub.dependencies.model import ClusterCoverage, Coverage, Edge, EdgeEnd, Edges
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.flows.graphql_ends import FlowEnd
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_CLUSTERS = 1_000
"""Of a list of clusters; their number is told beside it."""


@strawberry.type(description="An end of a dependency.")
class DependencyEnd(FlowEnd):
    """dependencies.model.EdgeEnd."""

    rules: list[str] = strawberry.field(
        description="How it was found out whose the address was: told (by the source), own-…, domain-…, "
        "flat-…, nat-… (pod, node or service of the cluster itself, of its network domain, "
        "of a domain connected with it), public; own-import: a service that the cluster "
        "imports from others; own-gateway, own-outer-gateway: a door of another cluster; "
        "-global: a service or pod as Globalnet publishes it; -egress: where connections of "
        "a cluster seem to come from; own-remote-pod, own-remote-endpoint: behind a service "
        "of another cluster; own-entry: a host or workload that its mesh has entered; "
        "-range: a range of a cluster; -entered: a range that somebody entered; outside, "
        "unknown; paired: from the report of the other cluster; told-pod, told-node, told-service: in the cluster that "
        "the source named; told-workload, told-cluster: the source named these alone; told-several, told-against, "
        "told-elsewhere: the name is of several clusters, contradicts the address, or is of nobody known; alike-…: "
        "the same, of a cluster that has the name in the hub and says nothing itself. With -port: the workload "
        "behind a port of a service or node.",
        directives=at_most(4),
    )

    @classmethod
    def of(cls, end: EdgeEnd) -> "DependencyEnd":
        """The same as a GraphQL type."""
        return cls(
            registration_id=end.registration_id,
            namespace=end.namespace,
            kind=end.kind,
            name=end.name,
            rules=list(end.rules),
        )


@strawberry.type(description="A port, of a protocol.")
class DependencyPort:
    """Numbers as they are on the wire."""

    protocol: int = strawberry.field(description="IANA's number: 6 is TCP, 17 UDP.")
    port: int = strawberry.field(description="0 where the protocol has none.")


@strawberry.type(
    description="What passed from one end to the other in the asked time, each byte once. Null is not known. What was "
    "dropped stands apart from what was forwarded, as a dependency of its own."
)
class Dependency:
    """dependencies.model.Edge."""

    source: DependencyEnd = strawberry.field(description="Who opens the connections.")
    destination: DependencyEnd = strawberry.field(description="Who takes them.")
    verdict: Verdict = strawberry.field(
        description="What became of it. Of what was not forwarded, numbers say what was sent and did not arrive."
    )
    ports: list[DependencyPort] = strawberry.field(
        description="Ports of the destination, at most 64.", directives=at_most(4)
    )
    bytes_tx: BigInt | None = strawberry.field(description="Bytes from the source to the destination.")
    bytes_rx: BigInt | None = strawberry.field(description="Bytes back.")
    packets_tx: BigInt | None = strawberry.field(description="Packets from the source to the destination.")
    packets_rx: BigInt | None = strawberry.field(description="Packets back.")
    connections_opened: BigInt | None = strawberry.field(description="Connections that began.")
    failures: BigInt | None = strawberry.field(description="Connections that were refused, timed out or failed else.")
    retransmits: BigInt | None = strawberry.field(description="Packets sent again.")
    rtt_us: float | None = strawberry.field(description="Mean round trip, in microseconds.")
    is_part_unmeasured: bool = strawberry.field(
        description="Some of it could not be measured: sums are at least so much."
    )
    sampling: int = strawberry.field(description="The coarsest rate that numbers were scaled up by; 1 is all counted.")
    first_seen: datetime = strawberry.field(description="Since when it is seen, at most a week before the asked time.")
    last_seen: datetime = strawberry.field(description="The end of the last window in which anything passed.")
    state: EdgeState = strawberry.field(description="Whether it is there.")
    silent_since: datetime | None = strawberry.field(description="Of a silent one: lastSeen.")
    only_seen_by: EdgeSide | None = strawberry.field(
        description="The only end whose cluster reported it, though the other's told flows of the time too."
    )

    @classmethod
    def of(cls, edge: Edge) -> "Dependency":
        """The same as a GraphQL type."""
        numbers = {
            name: big(getattr(edge, name))
            for name in (
                *("bytes_tx", "bytes_rx", "packets_tx", "packets_rx"),
                *("connections_opened", "failures", "retransmits"),
            )
        }
        return cls(
            source=DependencyEnd.of(edge.src),
            destination=DependencyEnd.of(edge.dst),
            verdict=edge.verdict,
            ports=[DependencyPort(protocol=protocol, port=port) for protocol, port in edge.ports],
            **numbers,
            rtt_us=edge.rtt_us,
            is_part_unmeasured=edge.is_part_unmeasured,
            sampling=edge.sampling,
            first_seen=edge.first_seen,
            last_seen=edge.last_seen,
            state=edge.state,
            silent_since=edge.last_seen if edge.state is EdgeState.SILENT else None,
            only_seen_by=edge.only_seen_by,
        )


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


@strawberry.type(description="The first dependencies of the asked order, and of what they are made.")
class Dependencies:
    """dependencies.model.Edges."""

    edges: list[Dependency] = strawberry.field(
        description="As many as were asked for.",
        directives=[Cost(weight=0), ListSize(assumed_size=100, of_page=True)],
    )
    edge_count: int = strawberry.field(description="How many there are.")
    unresolved_count: int = strawberry.field(
        description="Of all, those with an end that is ambiguous or an address of nobody known: they may cross "
        "clusters, and it is not known."
    )
    unordered_count: int = strawberry.field(
        description="Of all, those of which it is not known what they are sorted by: they come last, and may belong "
        "first."
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")

    @classmethod
    def of(cls, found: Edges, coverage: Coverage) -> "Dependencies":
        """The same as a GraphQL type."""
        return cls(
            edges=[Dependency.of(each) for each in found.edges],
            edge_count=found.count,
            unresolved_count=found.unresolved,
            unordered_count=found.unordered,
            coverage=FlowCoverage(told=coverage),
        )
