"""Edges as GraphQL types."""

from datetime import datetime

import strawberry

from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_words import EdgeSide, EdgeState, Verdict
from periplus_hub.dependencies.model import Coverage, Edge, EdgeEnd, Edges
from periplus_hub.flows.graphql_ends import FlowEnd
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big


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
        "behind a port of a service or node. With -host: the address says less than the name that the client asked "
        "for; host: there was no address.",
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
