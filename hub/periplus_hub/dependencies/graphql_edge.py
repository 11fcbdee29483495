"""One dependency in full."""

from datetime import UTC, datetime
from typing import Annotated, Final

import strawberry

from periplus_contract.flow_words import Verdict
from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_edge
from periplus_hub.dependencies.engine.edge_values import EdgeDetail, PortUse
from periplus_hub.dependencies.engine.flow_values import filled
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import DependencyEndFilter, DependencyFilter, asked_edges
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import (
    MOST_POINTS,
    Period,
    Since,
    Until,
    coverage_of,
    in_steps,
    period,
    told_steps,
)
from periplus_hub.dependencies.graphql_store import of_store
from periplus_hub.dependencies.graphql_types import DependencyEnd
from periplus_hub.dependencies.model import EdgeLevel, EdgeSide
from periplus_hub.dependencies.repository_edge import MOST_CANDIDATES, MOST_PORTS, MOST_RULES, SeveralEdges
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

_POINT: Final = at_most(MOST_POINTS)


@strawberry.type(
    description="What passed hour by hour, in columns; UTC day by day where these are too many, or not kept any more. "
    "Null is not known: neither cluster told of that time, or no source counts it. The last step may still go on."
)
class DependencyHistory:
    """edge_values.EdgeHours."""

    step_s: int = strawberry.field(description="As FlowSeries.stepS.")
    timestamps: list[datetime] = strawberry.field(description="When each step begins.", directives=_POINT)
    bytes_tx: list[BigInt | None] = strawberry.field(description="As Dependency.bytesTx.", directives=_POINT)
    bytes_rx: list[BigInt | None] = strawberry.field(description="As Dependency.bytesRx.", directives=_POINT)
    connections_opened: list[BigInt | None] = strawberry.field(
        description="As Dependency.connectionsOpened.", directives=_POINT
    )
    failures: list[BigInt | None] = strawberry.field(description="As Dependency.failures.", directives=_POINT)


@strawberry.type(description="What passed at a port of the destination, with one verdict. Null is not known.")
class DependencyPortUse:
    """edge_values.PortUse."""

    protocol: int = strawberry.field(description="IANA's number: 6 is TCP, 17 UDP.")
    port: int = strawberry.field(description="0 where the protocol has none.")
    verdict: Verdict = strawberry.field(description="What became of the packets.")
    bytes_tx: BigInt | None = strawberry.field(description="As Dependency.bytesTx.")
    bytes_rx: BigInt | None = strawberry.field(description="As Dependency.bytesRx.")
    connections_opened: BigInt | None = strawberry.field(description="As Dependency.connectionsOpened.")

    @classmethod
    def of(cls, use: PortUse) -> "DependencyPortUse":
        """The same as a GraphQL type."""
        return cls(
            protocol=use.protocol,
            port=use.port,
            verdict=use.verdict,
            bytes_tx=big(use.bytes_tx),
            bytes_rx=big(use.bytes_rx),
            connections_opened=big(use.connections_opened),
        )


@strawberry.type(description="How it was found out whose the two addresses were, and of how much of what passed.")
class DependencyRuleUse:
    """edge_values.RuleUse."""

    source_rule: str = strawberry.field(description="As DependencyEnd.rules has it.")
    destination_rule: str = strawberry.field(description="As DependencyEnd.rules has it.")
    bytes: BigInt | None = strawberry.field(description="Both ways; null where no source counts them.")


@strawberry.type(description="One dependency in full: all verdicts together, where nothing else is said.")
class DependencyInFull:
    """edge_values.EdgeDetail."""

    source: DependencyEnd = strawberry.field(description="Who opens the connections.")
    destination: DependencyEnd = strawberry.field(description="Who takes them.")
    history: DependencyHistory = strawberry.field(description="What passed when.")
    ports: list[DependencyPortUse] = strawberry.field(
        description=f"The first {MOST_PORTS}, those with the most bytes first.", directives=at_most(20)
    )
    port_count: int = strawberry.field(description="How many there are: of each verdict apart.")
    client_bytes: BigInt | None = strawberry.field(
        description="Bytes both ways as the source's cluster reported them. Null where it did not, where it cannot "
        "measure them, and of what a cluster merges itself: what both of its ends saw."
    )
    server_bytes: BigInt | None = strawberry.field(description="The same of the destination's cluster.")
    reported_by: list[EdgeSide] = strawberry.field(
        description="Which ends' clusters reported it.", directives=at_most(2)
    )
    rules: list[DependencyRuleUse] = strawberry.field(
        description=f"The first {MOST_RULES}, those with the most bytes first.", directives=at_most(4)
    )
    source_candidates: list[DependencyEnd] = strawberry.field(
        description=f"Of an ambiguous source the first {MOST_CANDIDATES} that it may be.", directives=at_most(4)
    )
    destination_candidates: list[DependencyEnd] = strawberry.field(
        description=f"Of an ambiguous destination the first {MOST_CANDIDATES} that it may be.", directives=at_most(4)
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")


@strawberry.type
class EdgeQuery:
    """The root field about one dependency."""

    @strawberry.field(
        description="One dependency in full; null where none is known, which `coverage` weighs. Refused where the ends "
        "that are meant have several, and where nothing has their names.",
        directives=[Cost(weight=80)],
    )
    async def edge(
        self,
        info: Info,
        *,
        source: Annotated[DependencyEndFilter, strawberry.argument(description="Who opens the connections.")],
        destination: Annotated[DependencyEndFilter, strawberry.argument(description="Who takes them.")],
        since: Since = None,
        until: Until = None,
    ) -> DependencyInFull | None:
        """Of the edges of whole hours."""
        ends = DependencyFilter(source=source, destination=destination)
        time, steps = in_steps(await period(info, since, until))
        asked = await asked_edges(info, EdgeLevel.WORKLOAD, ends, time)
        try:
            found = await of_store(info, None, repository_edge.edge_in_full, asked, steps.step)
        except SeveralEdges:
            raise Invalid("several dependencies are meant", "Name cluster, namespace, kind and name.") from None
        if found is None:
            await refuse_unknown(info, asked)
            return None
        return await _in_full(info, time, steps, found)


async def _in_full(info: Info, time: Period, steps: range, found: EdgeDetail) -> DependencyInFull:
    ends = (found.src, found.dst)
    concerned = tuple(dict.fromkeys(each.registration_id for each in ends if each.registration_id is not None))
    told = await told_steps(info, concerned, steps)
    columns = {name: [big(each) for each in filled(steps, values, told)] for name, values in found.hours.found.items()}
    return DependencyInFull(
        source=DependencyEnd.of(found.src),
        destination=DependencyEnd.of(found.dst),
        history=DependencyHistory(
            step_s=steps.step, timestamps=[datetime.fromtimestamp(each, UTC) for each in steps], **columns
        ),
        ports=[DependencyPortUse.of(each) for each in found.ports],
        port_count=found.port_count,
        client_bytes=big(found.hours.client_bytes),
        server_bytes=big(found.hours.server_bytes),
        reported_by=sorted(found.hours.reported_by, key=lambda side: side.value),
        rules=[
            DependencyRuleUse(source_rule=each.src_rule, destination_rule=each.dst_rule, bytes=big(each.bytes))
            for each in found.rules
        ],
        source_candidates=[DependencyEnd.of(each) for each in found.src_candidates],
        destination_candidates=[DependencyEnd.of(each) for each in found.dst_candidates],
        coverage=FlowCoverage(told=await coverage_of(info, time)),
    )
