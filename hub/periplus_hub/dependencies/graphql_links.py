"""Links between clusters."""

import asyncio
from datetime import datetime
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.engine import graph
from periplus_hub.dependencies.engine import links as engine
from periplus_hub.dependencies.graphql_filter import within
from periplus_hub.dependencies.graphql_map import DependencyTotals
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import Since, Until, coverage_of, period
from periplus_hub.dependencies.graphql_store import every_edge
from periplus_hub.dependencies.graphql_types import FlowCoverage
from periplus_hub.dependencies.model import EdgeFilter, EdgeLevel, EdgeState, EndFilter
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.graphql_asked import cluster_asked
from periplus_hub.kit.graphql_prices import Cost, ListSize
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_LINKS: Final = 1_000


@strawberry.type(description="What passed between two clusters, each way, whoever opened connections. Null: not known.")
class ClusterLink:
    """engine.links.ClusterLink."""

    a: strawberry.Private[UUID]
    b: strawberry.Private[UUID]
    bytes_a_to_b: BigInt | None = strawberry.field(description="Bytes from A to B.")
    bytes_b_to_a: BigInt | None = strawberry.field(description="Bytes from B to A.")
    packets_a_to_b: BigInt | None = strawberry.field(description="Packets from A to B.")
    packets_b_to_a: BigInt | None = strawberry.field(description="Packets from B to A.")
    connections_by_a: BigInt | None = strawberry.field(description="Connections that A opened.")
    connections_by_b: BigInt | None = strawberry.field(description="Connections that B opened.")
    failures: BigInt | None = strawberry.field(description="Those that failed.")
    retransmits: BigInt | None = strawberry.field(description="Packets sent again.")
    retransmit_ratio: float | None = strawberry.field(
        description="Their share of the packets both ways: a sign of loss. Null where one of the two is not known."
    )
    rtt_us: float | None = strawberry.field(description="Mean round trip, in microseconds.")
    dropped_bytes: BigInt | None = strawberry.field(
        description="Bytes both ways that were dropped, as policies do; they are in no other number. Null where nobody "
        "tells of any: most sources do not see what is dropped."
    )
    is_part_unmeasured: bool = strawberry.field(
        description="Some of it could not be measured: sums are at least so much."
    )
    state: EdgeState = strawberry.field(
        description="ACTIVE where any dependency over it is, else NEW, else UNKNOWN; SILENT only where all are."
    )
    last_seen: datetime = strawberry.field(description="The end of the last window in which anything passed.")

    @strawberry.field(description="The cluster with the lesser id.")
    async def cluster_a(self, info: Info) -> Cluster:
        """One statement for all clusters of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.a))

    @strawberry.field(description="The other one.")
    async def cluster_b(self, info: Info) -> Cluster:
        """One statement for all clusters of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.b))

    @classmethod
    def of(cls, link: engine.ClusterLink) -> "ClusterLink":
        """The same as a GraphQL type."""
        return cls(
            a=link.a,
            b=link.b,
            **{name: big(getattr(link, name)) for name in _NUMBERS},
            retransmit_ratio=link.retransmit_ratio,
            rtt_us=link.rtt_us,
            is_part_unmeasured=link.is_part_unmeasured,
            state=link.state,
            last_seen=link.last_seen,
        )


_NUMBERS: Final = (
    *("bytes_a_to_b", "bytes_b_to_a", "packets_a_to_b", "packets_b_to_a", "connections_by_a", "connections_by_b"),
    *("failures", "retransmits", "dropped_bytes"),
)


@strawberry.type(description="Links between clusters, and what may have crossed without it being known.")
class ClusterLinks:
    """engine.links.ClusterLinks."""

    links: list[ClusterLink] = strawberry.field(
        description="As many as were asked for, the heaviest first.",
        directives=[Cost(weight=0), ListSize(assumed_size=100, of_page=True)],
    )
    link_count: int = strawberry.field(description="How many there are.")
    unresolved: DependencyTotals = strawberry.field(
        description="What has an end that is ambiguous or an address of nobody known: it is in no link, and may belong "
        "to one."
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")


@strawberry.type
class ClusterLinksQuery:
    """Root fields of this module."""

    @strawberry.field(
        description="What passes between clusters that are both known. Between zones and regions it is not told: of an "
        "edge it is not kept in which zone its ends were.",
        directives=[
            Cost(weight=100),
            ListSize(assumed_size=100, slicing_arguments=["first"], maximum=MOST_LINKS),
        ],
    )
    async def cluster_links(
        self,
        info: Info,
        *,
        first: Annotated[int, strawberry.argument(description=f"How many at most; up to {MOST_LINKS:,}.")] = 100,
        cluster: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only links of this cluster; null is all.")
        ] = None,
        since: Since = None,
        until: Until = None,
    ) -> ClusterLinks:
        """One statement finds what passes between clusters."""
        within("first", first, 1, MOST_LINKS)
        time = await period(info, since, until)
        concerned = EndFilter(clusters=await cluster_asked(info.context, cluster))
        coverage = await coverage_of(info, time)
        found = engine.ClusterLinks(links=(), count=0, unresolved=graph.nothing(EdgeLevel.CLUSTER).totals)
        asked = EdgeFilter(
            since=time.since,
            until=time.until,
            days_until=time.days_until,
            level=EdgeLevel.CLUSTER,
            either=concerned,
        )
        remedy = "Ask for those of one cluster."
        rows = await every_edge(info, asked, coverage, refused="pairs of clusters", remedy=remedy)
        if rows is not None and rows.num_rows:
            found = await asyncio.to_thread(engine.cluster_links, rows, first)
        else:
            await refuse_unknown(info, asked)
        return ClusterLinks(
            links=[ClusterLink.of(each) for each in found.links],
            link_count=found.count,
            unresolved=DependencyTotals.of(found.unresolved),
            coverage=FlowCoverage(told=coverage),
        )
