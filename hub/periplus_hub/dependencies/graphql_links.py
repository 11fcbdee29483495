"""Links between clusters, regions or zones."""

import asyncio
from datetime import datetime
from typing import Annotated, Final, cast

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_providers
from periplus_hub.dependencies.engine import graph
from periplus_hub.dependencies.engine import links as engine
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import within
from periplus_hub.dependencies.graphql_map import DependencyTotals
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import Since, Until, coverage_of, period
from periplus_hub.dependencies.graphql_store import every_edge
from periplus_hub.dependencies.graphql_words import LinkLevel
from periplus_hub.dependencies.model import EdgeFilter, EdgeLevel, EdgeState, EndFilter
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.graphql_asked import cluster_asked
from periplus_hub.kit.graphql_prices import Cost, ListSize
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_LINKS: Final = 1_000


@strawberry.type(
    description="A region or a zone. Where the provider is one of those whose names mean the same in all clusters "
    "(aws, azure, digitalocean, equinix, gcp, hetzner, ibm, oracle), so do these; otherwise they hold in one cluster "
    "alone, which is told beside."
)
class LinkPlace:
    """engine.links.LinkPlace."""

    is_known: bool = strawberry.field(
        description="False is one place for all ends whose region (or zone, of zones) is not known: two of them may be "
        "in one zone, or in two."
    )
    provider: str | None = strawberry.field(description="Of its clusters; null where it is not known.")
    region: str | None = strawberry.field(description="Its name; null: nothing tells one.")
    zone: str | None = strawberry.field(description="Its name; null of regions.")

    @classmethod
    def of(cls, place: engine.LinkPlace) -> "LinkPlace":
        """The same as a GraphQL type."""
        is_known = place != engine.NOT_KNOWN
        texts = {name: getattr(place, name) or None for name in ("provider", "region", "zone")}
        return cls(is_known=is_known, **texts)


@strawberry.type(
    description="What passed between two clusters, regions or zones, each way, whoever opened connections. Null: not "
    "known."
)
class ClusterLink:
    """engine.links.ClusterLink."""

    a: strawberry.Private[engine.LinkPlace]
    b: strawberry.Private[engine.LinkPlace]
    place_a: LinkPlace | None = strawberry.field(description="The first by name; null where links are of clusters.")
    place_b: LinkPlace | None = strawberry.field(description="The other one.")
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

    @strawberry.field(
        description="The cluster with the lesser id; of regions and zones, the one that alone has `placeA`, or null."
    )
    async def cluster_a(self, info: Info) -> Cluster | None:
        """One statement for all clusters of the answer."""
        return await _cluster(info, self.a)

    @strawberry.field(description="The other one; likewise of `placeB`.")
    async def cluster_b(self, info: Info) -> Cluster | None:
        """One statement for all clusters of the answer."""
        return await _cluster(info, self.b)

    @classmethod
    def of(cls, link: engine.ClusterLink, by: LinkLevel) -> "ClusterLink":
        """The same as a GraphQL type."""
        places = [None if by is LinkLevel.CLUSTER else LinkPlace.of(each) for each in (link.a, link.b)]
        return cls(
            a=link.a,
            b=link.b,
            place_a=places[0],
            place_b=places[1],
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


async def _cluster(info: Info, place: engine.LinkPlace) -> Cluster | None:
    if place.registration_id is None:
        return None
    return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, place.registration_id))


@strawberry.type(description="Links, and what may have crossed without it being known.")
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
        description="What passes between clusters, or between their regions or zones, of what has both ends in a known "
        "cluster. An end was where its pod's node was in that hour, by its topology labels. What has an "
        "end without a known zone is a link with the place that is not known, also where both have none: it is never "
        "taken for what stays in a zone.",
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
        by: Annotated[LinkLevel, strawberry.argument(description="What links are between.")] = LinkLevel.CLUSTER,
        cluster: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only what this cluster is an end of; null is everything."),
        ] = None,
        since: Since = None,
        until: Until = None,
    ) -> ClusterLinks:
        """One statement finds what passes between them."""
        within("first", first, 1, MOST_LINKS)
        time = await period(info, since, until)
        concerned = EndFilter(clusters=await cluster_asked(info.context, cluster))
        coverage = await coverage_of(info, time)
        found = engine.ClusterLinks(links=(), count=0, unresolved=graph.nothing(EdgeLevel.CLUSTER).totals)
        asked = EdgeFilter(
            since=time.since,
            until=time.until,
            days_until=time.days_until,
            spans=time.spans,
            level=EdgeLevel.CLUSTER,
            by=by,
            either=concerned,
        )
        remedy = "Ask for those of one cluster."
        rows = await every_edge(info, asked, coverage, refused=f"pairs of {by.value}s", remedy=remedy)
        if rows is not None and rows.num_rows:
            are_divided = by is not LinkLevel.CLUSTER
            providers = await info.context.read(repository_providers.providers) if are_divided else {}
            found = await asyncio.to_thread(engine.cluster_links, rows, first, by, providers)
        else:
            await refuse_unknown(info, asked)
        return ClusterLinks(
            links=[ClusterLink.of(each, by) for each in found.links],
            link_count=found.count,
            unresolved=DependencyTotals.of(found.unresolved),
            coverage=FlowCoverage(told=coverage),
        )
