"""Who depends on whom, and how complete that answer is."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_coverage, repository_edges
from periplus_hub.dependencies.graphql_types import Dependencies, FlowCoverage
from periplus_hub.dependencies.model import Coverage, EdgeFilter, EdgeLevel, Edges
from periplus_hub.fleet.graphql_asked import cluster_asked
from periplus_hub.flows import repository_blocks
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, ListSize

DEFAULT_PERIOD: Final = timedelta(hours=24)
MOST_EDGES: Final = 1_000
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing was told of flows before; and what is reckoned from a time has to stay one."""

Since = Annotated[
    datetime | None,
    strawberry.argument(description="From the hour of this time on; null is a day before `until`."),
]
Until = Annotated[datetime | None, strawberry.argument(description="Up to this time; null is now.")]


def _period(info: Info, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    last = max(_EARLIEST, min(until or info.context.now, info.context.now))
    first = last - DEFAULT_PERIOD if since is None else max(_EARLIEST, since)
    if first >= last:
        raise Invalid("the asked time is empty", "Let `since` be before `until`, and in the past.")
    return first, last


async def _coverage(info: Info, since: datetime, until: datetime) -> Coverage:
    return await info.context.read(repository_coverage.coverage_between, since, until, info.context.now)


@strawberry.type
class DependenciesQuery:
    """Root fields of this slice."""

    @strawberry.field(
        description="Who talks to whom, the heaviest first. Windows that ended less than a minute ago may be missing.",
        directives=[
            Cost(weight=50),
            ListSize(assumed_size=100, slicing_arguments=["first"], maximum=MOST_EDGES),
        ],
    )
    async def dependencies(
        self,
        info: Info,
        *,
        first: Annotated[int, strawberry.argument(description=f"How many at most; up to {MOST_EDGES:,}.")] = 100,
        since: Since = None,
        until: Until = None,
        level: Annotated[EdgeLevel, strawberry.argument(description="What the ends are.")] = EdgeLevel.WORKLOAD,
        cross_cluster: Annotated[
            bool, strawberry.argument(description="Only those between two clusters that are both known.")
        ] = False,
        cluster: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those with an end in this cluster.")
        ] = None,
        namespace: Annotated[
            str | None, strawberry.argument(description="Only those whose end there is in this namespace.")
        ] = None,
        name: Annotated[
            str | None, strawberry.argument(description="Only those whose end there has this name.")
        ] = None,
    ) -> Dependencies:
        """Edges from the flow store, judged by what clusters told."""
        if not 1 <= first <= MOST_EDGES:
            raise Invalid(f"first is {first}", f"Ask for 1 to {MOST_EDGES:,}.")
        start, end = _period(info, since, until)
        asked = EdgeFilter(
            since=start,
            until=end,
            level=level,
            cross_cluster=cross_cluster,
            of_clusters=await cluster_asked(info.context, cluster),
            of_namespace=namespace,
            of_name=name,
        )
        coverage = await _coverage(info, start, end)
        found = Edges(edges=(), count=0, unresolved=0)
        if await info.context.read(repository_blocks.has_hours):
            found = await info.context.ask(repository_edges.edges, asked, first)
        return Dependencies.of(found, coverage)

    @strawberry.field(
        description="How much of the flows of a time is known, and of which clusters it is not.",
        directives=[Cost(weight=10)],
    )
    async def coverage(self, info: Info, *, since: Since = None, until: Until = None) -> FlowCoverage:
        """As every answer about that time has it."""
        return FlowCoverage(told=await _coverage(info, *_period(info, since, until)))
