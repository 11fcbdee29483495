"""Who depends on whom, and how complete that answer is."""

from collections.abc import Container, Iterable
from typing import Annotated, Final

import strawberry
from strawberry.types.nodes import Selection

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_edges
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import Filter, Level, asked_edges, within
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import Since, Until, coverage_of, period
from periplus_hub.dependencies.graphql_store import of_store
from periplus_hub.dependencies.graphql_types import Dependencies
from periplus_hub.dependencies.graphql_words import EdgeLevel, EdgeOrder
from periplus_hub.dependencies.model import Edges
from periplus_hub.kit.graphql_prices import Cost, ListSize

MOST_EDGES: Final = 1_000


@strawberry.type
class DependenciesQuery:
    """Root fields of this slice."""

    @strawberry.field(
        description="Who talks to whom. Windows that ended less than a minute ago may be missing. What goes to a port "
        "of a service is told of the workload behind it: which service was called is not kept.",
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
        level: Level = EdgeLevel.WORKLOAD,
        wanted: Filter = None,
        order: Annotated[EdgeOrder, strawberry.argument(description="What they are sorted by.")] = EdgeOrder.BYTES,
    ) -> Dependencies:
        """Edges from the flow store, judged by what clusters told."""
        within("first", first, 1, MOST_EDGES)
        time = await period(info, since, until)
        asked = await asked_edges(info, level, wanted, time)
        coverage = await coverage_of(info, time)
        nothing = Edges(edges=(), count=0, unresolved=0, unordered=0)
        with_marks = _asks_for(info.selected_fields, ("ports", "rules"))
        found = await of_store(
            info, nothing, repository_edges.edges, asked, coverage, order=order, most=first, with_marks=with_marks
        )
        if not found.count:
            await refuse_unknown(info, asked)
        return Dependencies.of(found, coverage)

    @strawberry.field(
        description="How much of the flows of a time is known, and of which clusters it is not.",
        directives=[Cost(weight=10)],
    )
    async def coverage(self, info: Info, *, since: Since = None, until: Until = None) -> FlowCoverage:
        """As every answer about that time has it."""
        return FlowCoverage(told=await coverage_of(info, await period(info, since, until)))


def _asks_for(selections: Iterable[Selection], names: Container[str]) -> bool:
    """Whether any field of these names may be asked for."""
    return any(getattr(each, "name", None) in names or _asks_for(each.selections, names) for each in selections)
