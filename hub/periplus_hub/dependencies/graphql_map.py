"""The map of dependencies: the heaviest ends as boxes, in columns."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

import strawberry

from periplus_contract.flow_words import Verdict
from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.engine import graph
from periplus_hub.dependencies.engine.dependency_map import dependency_map
from periplus_hub.dependencies.graphql_coverage import FlowCoverage, clusters_of
from periplus_hub.dependencies.graphql_filter import Filter, Level, asked_edges, within
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import Since, Until, coverage_of, period
from periplus_hub.dependencies.graphql_store import MOST_ROWS, every_edge
from periplus_hub.dependencies.model import EdgeLevel, EdgeState
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.graphql import global_id
from periplus_hub.kit.graphql_prices import Cost, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

LEAST_NODES: Final = 4
"""An end with its namespace and cluster, and everything else."""
MOST_NODES: Final = 400
MOST_EDGES: Final = 2_000
_NODE: Final = at_most(MOST_NODES)
_EDGE: Final = at_most(MOST_EDGES)
_VERDICT: Final = at_most(len(Verdict))


@strawberry.type(description="Sums, in columns of equal length. Null is not known.")
class DependencySums:
    """engine.graph.Sums."""

    dependency_counts: list[int] = strawberry.field(
        description="Of how many dependencies each is the sum.", directives=_EDGE
    )
    bytes_tx: list[BigInt | None] = strawberry.field(
        description="Bytes from the source to the destination.", directives=_EDGE
    )
    bytes_rx: list[BigInt | None] = strawberry.field(description="Bytes back.", directives=_EDGE)
    packets_tx: list[BigInt | None] = strawberry.field(
        description="Packets from the source to the destination.", directives=_EDGE
    )
    packets_rx: list[BigInt | None] = strawberry.field(description="Packets back.", directives=_EDGE)
    connections_opened: list[BigInt | None] = strawberry.field(description="Connections that began.", directives=_EDGE)
    failures: list[BigInt | None] = strawberry.field(description="Connections that failed.", directives=_EDGE)
    retransmits: list[BigInt | None] = strawberry.field(description="Packets sent again.", directives=_EDGE)
    rtt_us: list[float | None] = strawberry.field(description="Mean round trip, in microseconds.", directives=_EDGE)
    are_part_unmeasured: list[bool] = strawberry.field(
        description="Whether some of it could not be measured: sums are at least so much.", directives=_EDGE
    )

    @classmethod
    def of(cls, sums: graph.Sums) -> "DependencySums":
        """The same as a GraphQL type."""
        names = ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "connections_opened", "failures", "retransmits")
        return cls(
            dependency_counts=list(sums.dependencies),
            **{name: list(map(big, getattr(sums, name))) for name in names},
            rtt_us=list(sums.rtt_us),
            are_part_unmeasured=list(sums.is_part_unmeasured),
        )


@strawberry.type(
    description="Boxes, in columns of equal length: clusters, in them namespaces, in them workloads; of what is in no "
    "cluster, its kinds. What contains a box stands before it."
)
class DependencyMapNodes:
    """engine.graph.MapNodes."""

    ids: list[strawberry.ID] = strawberry.field(
        description="Of the box's names alone: the same in every map that shows it.", directives=_NODE
    )
    parents: list[int | None] = strawberry.field(
        description="The number of the box around it, from 0.", directives=_NODE
    )
    levels: list[EdgeLevel | None] = strawberry.field(
        description="What it is; null is the box of everything that has none of its own.", directives=_NODE
    )
    cluster_ids: list[strawberry.ID | None] = strawberry.field(
        description="Its cluster; see `clusters` of the map.", directives=_NODE
    )
    namespaces: list[str] = strawberry.field(description="Its namespace; empty where it has none.", directives=_NODE)
    end_kinds: list[str] = strawberry.field(
        description="As of a dependency's end; empty for clusters and namespaces.", directives=_NODE
    )
    names: list[str] = strawberry.field(
        description="As of a dependency's end; empty for clusters and namespaces.", directives=_NODE
    )
    states: list[EdgeState] = strawberry.field(
        description="ACTIVE where any of its dependencies is, else NEW, else UNKNOWN; SILENT only where all are.",
        directives=_NODE,
    )
    bytes_sent: list[BigInt | None] = strawberry.field(
        description="Bytes to what is outside of it, whoever opened the connection. These sums are without what was "
        "dropped.",
        directives=_NODE,
    )
    bytes_received: list[BigInt | None] = strawberry.field(
        description="Bytes from what is outside of it.", directives=_NODE
    )
    bytes_within: list[BigInt | None] = strawberry.field(
        description="Bytes both ways between what is in it.", directives=_NODE
    )
    connections_opened: list[BigInt | None] = strawberry.field(
        description="Connections to what is outside of it.", directives=_NODE
    )
    connections_taken: list[BigInt | None] = strawberry.field(
        description="Connections from what is outside of it.", directives=_NODE
    )
    failures: list[BigInt | None] = strawberry.field(
        description="Connections of it, within too, that failed.", directives=_NODE
    )
    folded_counts: list[int] = strawberry.field(
        description="How many ends of the asked level are in it without a box of their own: what passes there ends at "
        "this box.",
        directives=_NODE,
    )

    @classmethod
    def of(cls, nodes: graph.MapNodes) -> "DependencyMapNodes":
        """The same as a GraphQL type."""
        numbers = (
            *("bytes_sent", "bytes_received", "bytes_within"),
            *("connections_opened", "connections_taken", "failures"),
        )
        return cls(
            ids=[_id(nodes, number) for number in range(len(nodes.level))],
            parents=list(nodes.parent),
            levels=list(nodes.level),
            cluster_ids=[None if each is None else global_id("Cluster", each) for each in nodes.registration_id],
            namespaces=list(nodes.namespace),
            end_kinds=list(nodes.kind),
            names=list(nodes.name),
            states=list(nodes.state),
            **{name: list(map(big, getattr(nodes, name))) for name in numbers},
            folded_counts=list(nodes.folded),
        )


@strawberry.type(description="What passed between boxes, in columns of equal length, the heaviest first.")
class DependencyMapEdges:
    """engine.graph.MapEdges."""

    sources: list[int] = strawberry.field(
        description="The number of the box that opens connections, from 0.", directives=_EDGE
    )
    destinations: list[int] = strawberry.field(
        description="The number of the box that takes them; the same as the source for what stays in it.",
        directives=_EDGE,
    )
    verdicts: list[Verdict] = strawberry.field(description="What became of it.", directives=_EDGE)
    states: list[EdgeState] = strawberry.field(description="As of a box.", directives=_EDGE)
    first_seen: list[datetime] = strawberry.field(description="The earliest of what it is made of.", directives=_EDGE)
    last_seen: list[datetime] = strawberry.field(description="The latest.", directives=_EDGE)
    sums: DependencySums = strawberry.field(description="In the same order.")

    @classmethod
    def of(cls, edges: graph.MapEdges) -> "DependencyMapEdges":
        """The same as a GraphQL type."""
        return cls(
            sources=list(edges.source),
            destinations=list(edges.destination),
            verdicts=list(edges.verdict),
            states=list(edges.state),
            first_seen=list(edges.first_seen),
            last_seen=list(edges.last_seen),
            sums=DependencySums.of(edges.sums),
        )


@strawberry.type(description="Sums for each verdict that there is, in columns of equal length.")
class DependencyTotals:
    """engine.graph.Totals."""

    verdicts: list[Verdict] = strawberry.field(description="What became of it.", directives=_VERDICT)
    sums: DependencySums = strawberry.field(description="In the same order.")

    @classmethod
    def of(cls, totals: graph.Totals) -> "DependencyTotals":
        """The same as a GraphQL type."""
        return cls(verdicts=list(totals.verdict), sums=DependencySums.of(totals.sums))


@strawberry.type(
    description="Where ends are that have no box of their own. To see them, ask with these values as `either` of the "
    "filter."
)
class FoldedPlace:
    """engine.graph.FoldedPlace."""

    cluster_id: strawberry.ID | None = strawberry.field(description="Their cluster.")
    namespace: str | None = strawberry.field(description="Their namespace; null: any of the cluster.")
    kind: str | None = strawberry.field(description="Their kind, of what is in no cluster.")
    end_count: int = strawberry.field(description="How many they are.")
    bytes: BigInt | None = strawberry.field(
        description="Bytes both ways of them; what passes between two of them once. Null is not known."
    )
    is_part_unmeasured: bool = strawberry.field(
        description="Some of it could not be measured: bytes are at least so much."
    )


@strawberry.type(
    description="A map of dependencies. The sums of its edges and of those that are left out are its totals, and those "
    "of `dependencies` with the same filter."
)
class DependencyMap:
    """engine.graph.DependencyGraph."""

    cluster_keys: strawberry.Private[Sequence[UUID]]
    nodes: DependencyMapNodes = strawberry.field(description="At most as many as were asked for.")
    edges: DependencyMapEdges = strawberry.field(description="At most as many as were asked for.")
    left_out_edge_count: int = strawberry.field(description="Edges between boxes that are not shown: the lightest.")
    left_out: DependencyTotals = strawberry.field(description="What passed on them.")
    folded_end_count: int = strawberry.field(description="Ends of the asked level without a box of their own.")
    folded: list[FoldedPlace] = strawberry.field(
        description="Where they are: the ten heaviest places.", directives=at_most(10)
    )
    totals: DependencyTotals = strawberry.field(description="Of all that was asked for.")
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")

    @strawberry.field(description="The clusters of the boxes and places, by name.", directives=at_most(20))
    async def clusters(self, info: Info) -> list[Cluster]:
        """One statement."""
        return sorted(await clusters_of(info, self.cluster_keys), key=lambda each: each.name)


@strawberry.type
class DependencyMapQuery:
    """Root fields of this module."""

    @strawberry.field(
        description="Who talks to whom as a graph of boxes in boxes, as large as can be drawn. Whatever is not shown "
        "by itself is in the box of its namespace or cluster, or in that of everything else, with exact sums. Of more "
        f"than {MOST_ROWS:,} dependencies none is made: narrow the filter, or ask for a coarser level.",
        directives=[Cost(weight=150)],
    )
    async def dependency_map(
        self,
        info: Info,
        *,
        level: Level = EdgeLevel.NAMESPACE,
        nodes_at_most: Annotated[
            int, strawberry.argument(description=f"Boxes at most: {LEAST_NODES} to {MOST_NODES:,}.")
        ] = 60,
        edges_at_most: Annotated[
            int, strawberry.argument(description=f"Edges at most: 1 to {MOST_EDGES:,}.")
        ] = MOST_EDGES,
        since: Since = None,
        until: Until = None,
        wanted: Filter = None,
    ) -> DependencyMap:
        """One statement finds all edges in columns; the rest is computed of them in a thread."""
        within("nodesAtMost", nodes_at_most, LEAST_NODES, MOST_NODES)
        within("edgesAtMost", edges_at_most, 1, MOST_EDGES)
        time = await period(info, since, until)
        asked = await asked_edges(info, level, wanted, time)
        coverage = await coverage_of(info, time)
        found = graph.nothing(level)
        rows = await every_edge(
            info,
            asked,
            coverage,
            refused="dependencies, and no map is made of so many",
            remedy="Narrow the filter, as to a cluster, or ask for level NAMESPACE or CLUSTER.",
        )
        if rows is not None and rows.num_rows:
            found = await asyncio.to_thread(
                dependency_map, rows, level, nodes_at_most=nodes_at_most, edges_at_most=edges_at_most
            )
        else:
            await refuse_unknown(info, asked)
        return DependencyMap(
            cluster_keys=_clusters(found),
            nodes=DependencyMapNodes.of(found.nodes),
            edges=DependencyMapEdges.of(found.edges),
            left_out_edge_count=found.left_out_edges,
            left_out=DependencyTotals.of(found.left_out),
            folded_end_count=found.folded_ends,
            folded=[_folded(each) for each in found.folded],
            totals=DependencyTotals.of(found.totals),
            coverage=FlowCoverage(told=coverage),
        )


def _clusters(found: graph.DependencyGraph) -> list[UUID]:
    named = (*found.nodes.registration_id, *(each.registration_id for each in found.folded))
    return sorted({each for each in named if each is not None})


def _folded(place: graph.FoldedPlace) -> FoldedPlace:
    cluster = place.registration_id
    return FoldedPlace(
        cluster_id=None if cluster is None else global_id("Cluster", cluster),
        namespace=place.namespace,
        kind=place.kind,
        end_count=place.ends,
        bytes=big(place.bytes),
        is_part_unmeasured=place.is_part_unmeasured,
    )


def _id(nodes: graph.MapNodes, number: int) -> strawberry.ID:
    level = nodes.level[number]
    if level is None:
        return global_id("DependencyBox", "rest")
    words = (nodes.namespace[number], nodes.kind[number], nodes.name[number])
    cluster = nodes.registration_id[number] or ""
    return global_id("DependencyBox", level.value, cluster, *(quote(each, safe="") for each in words))
