"""Which flows are the largest, and how much passed when."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry

from periplus_contract.flow_words import Verdict
from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_flows
from periplus_hub.dependencies.engine.flow_values import FlowEnds, FlowMeasure, Series, TopFlows, concerned, filled
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import DependencyFilter, Filter, asked_edges, within
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
from periplus_hub.dependencies.model import EdgeFilter, EdgeLevel
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import global_id
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_FLOWS: Final = 1_000
By = Annotated[FlowMeasure, strawberry.argument(description="What is compared.")]
_ROW: Final = at_most(MOST_FLOWS)
_POINT: Final = at_most(MOST_POINTS)

strawberry.enum(
    FlowMeasure,
    name="FlowMeasure",
    description="BYTES: both ways; CONNECTIONS: those that began; FAILURES: connections that were refused, timed out "
    "or failed else; RETRANSMITS: packets sent again; RTT: the mean round trip, in whole microseconds.",
)


@strawberry.type(description="Ends of flows, in columns: what stands at one place of each is of one end.")
class FlowEndColumns:
    """engine.flow_values.FlowEnds."""

    cluster_ids: list[strawberry.ID | None] = strawberry.field(
        description="Ids of their clusters; null where it is in none, or it is not known in which.", directives=_ROW
    )
    cluster_names: list[str | None] = strawberry.field(description="The names of these.", directives=_ROW)
    namespaces: list[str] = strawberry.field(
        description="Their namespaces; empty where they have none.", directives=_ROW
    )
    kinds: list[str] = strawberry.field(description="As DependencyEnd.kind.", directives=_ROW)
    names: list[str] = strawberry.field(description="Their names, or the address or range.", directives=_ROW)


@strawberry.type(
    description="The flows with the most of a measure, in columns: what stands at one place of each is of one flow. A "
    "flow is from one end to another, with one port, protocol and verdict."
)
class TopFlowColumns:
    """engine.flow_values.TopFlows."""

    sources: FlowEndColumns = strawberry.field(description="Who opens the connections.")
    destinations: FlowEndColumns = strawberry.field(description="Who takes them.")
    protocols: list[int] = strawberry.field(description="IANA's numbers: 6 is TCP, 17 UDP.", directives=_ROW)
    ports: list[int] = strawberry.field(
        description="Ports of the destinations; 0 where the protocol has none.", directives=_ROW
    )
    verdicts: list[Verdict] = strawberry.field(description="What became of the packets.", directives=_ROW)
    values: list[BigInt | None] = strawberry.field(
        description="How much, the most first; null is not known, and comes last.", directives=_ROW
    )
    are_part_unmeasured: list[bool] = strawberry.field(
        description="Whether some of it could not be measured: the value is at least so much.", directives=_ROW
    )
    flow_count: int = strawberry.field(description="How many flows there are.")
    unmeasured_count: int = strawberry.field(description="Of all flows, those of which the value is not known.")
    total: BigInt | None = strawberry.field(
        description="Of all flows of which it is known; null where it is known of none, and of RTT, which is a mean."
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")


@strawberry.type(description="How much passed when, in columns.")
class FlowSeries:
    """engine.flow_values.Series."""

    step_s: int = strawberry.field(description="Seconds from one point to the next: an hour, or a day.")
    timestamps: list[datetime] = strawberry.field(description="When each step begins.", directives=_POINT)
    values: list[BigInt | None] = strawberry.field(
        description="How much passed in each step. Null is not known: no cluster told of that time (of those that are "
        "asked about, where some are), or no source counts it. 0 is that there was nothing of it in what was told: of "
        "a day, in each of its hours. The last step may still go on.",
        directives=_POINT,
    )
    is_part_unmeasured: bool = strawberry.field(
        description="Some of it could not be measured: values are at least so much."
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")


@strawberry.type
class FlowsQuery:
    """Root fields about flows."""

    @strawberry.field(
        description="The flows with the most of a measure. Windows that ended less than a minute ago may be missing.",
        directives=[
            Cost(weight=60),
            ListSize(assumed_size=100, slicing_arguments=["first"], maximum=MOST_FLOWS),
        ],
    )
    async def top_flows(
        self,
        info: Info,
        *,
        first: Annotated[int, strawberry.argument(description=f"How many at most; up to {MOST_FLOWS:,}.")] = 100,
        by: By = FlowMeasure.BYTES,
        filters: Filter = None,
        since: Since = None,
        until: Until = None,
    ) -> TopFlowColumns:
        """Of the edges of whole hours."""
        within("first", first, 1, MOST_FLOWS)
        time = await period(info, since, until)
        asked = await _asked(info, filters, time)
        coverage = FlowCoverage(told=await coverage_of(info, time))
        found = await of_store(info, _NONE, repository_flows.top_flows, asked, by, first)
        if not found.flow_count:
            await refuse_unknown(info, asked)
        return await _top(info, found, by, coverage)

    @strawberry.field(
        description=f"How much passed, hour by hour; UTC day by day where that are more than {MOST_POINTS:,} hours, or "
        "hours are not kept any more (`stepS`). Windows that ended less than a minute ago may be missing. What was "
        "dropped is among it unless the filter names verdicts.",
        directives=[Cost(weight=60)],
    )
    async def flow_series(
        self,
        info: Info,
        *,
        by: By = FlowMeasure.BYTES,
        filters: Filter = None,
        since: Since = None,
        until: Until = None,
    ) -> FlowSeries:
        """Of the edges of whole hours."""
        time, steps = in_steps(await period(info, since, until))
        asked = await _asked(info, filters, time)
        coverage = FlowCoverage(told=await coverage_of(info, time))
        found = await _by_step(info, asked, by, steps)
        return FlowSeries(
            step_s=found.step_s,
            timestamps=[datetime.fromtimestamp(each, UTC) for each in found.starts],
            values=list(map(big, found.values)),
            is_part_unmeasured=found.is_part_unmeasured,
            coverage=coverage,
        )


_NOTHING: Final = FlowEnds(registration_ids=(), namespaces=(), kinds=(), names=())
_NONE: Final = TopFlows(
    sources=_NOTHING,
    destinations=_NOTHING,
    protocols=(),
    ports=(),
    verdicts=(),
    values=(),
    are_part_unmeasured=(),
    flow_count=0,
    unmeasured_count=0,
    total=0,
)


async def _asked(info: Info, filters: DependencyFilter | None, time: Period) -> EdgeFilter:
    """Raises Invalid where a state is named: a dependency has one, and its flows have none."""
    if filters is not None and filters.states:
        raise Invalid("flows have no state", "Leave `states` out; `dependencies` takes it.")
    return await asked_edges(info, EdgeLevel.WORKLOAD, filters, time)


async def _by_step(info: Info, asked: EdgeFilter, by: FlowMeasure, steps: range) -> Series:
    found, is_part = await of_store(info, ({}, False), repository_flows.by_step, asked, by, steps.step)
    if not found:
        await refuse_unknown(info, asked)
    told = await told_steps(info, concerned(asked), steps)
    return Series(step_s=steps.step, starts=steps, values=filled(steps, found, told), is_part_unmeasured=is_part)


async def _top(info: Info, found: TopFlows, by: FlowMeasure, coverage: FlowCoverage) -> TopFlowColumns:
    is_known = found.flow_count > found.unmeasured_count and by is not FlowMeasure.RTT
    return TopFlowColumns(
        sources=await _columns(info, found.sources),
        destinations=await _columns(info, found.destinations),
        protocols=list(found.protocols),
        ports=list(found.ports),
        verdicts=list(found.verdicts),
        values=list(map(big, found.values)),
        are_part_unmeasured=list(found.are_part_unmeasured),
        flow_count=found.flow_count,
        unmeasured_count=found.unmeasured_count,
        total=BigInt(found.total) if is_known else None,
        coverage=coverage,
    )


async def _columns(info: Info, ends: FlowEnds) -> FlowEndColumns:
    """With the clusters' names, of one statement for all."""
    return FlowEndColumns(
        cluster_ids=[None if each is None else global_id("Cluster", each) for each in ends.registration_ids],
        cluster_names=await _cluster_names(info, ends.registration_ids),
        namespaces=list(ends.namespaces),
        kinds=list(ends.kinds),
        names=list(ends.names),
    )


async def _cluster_names(info: Info, ids: Sequence[UUID | None]) -> list[str | None]:
    asked = {each for each in ids if each is not None}
    found = await asyncio.gather(*(info.context.load(fleet.clusters_by_ids, each) for each in asked))
    names = {each: None if row is None else row.name for each, row in zip(asked, found, strict=True)}
    return [None if each is None else names[each] for each in ids]
