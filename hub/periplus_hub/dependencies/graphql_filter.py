"""Which dependencies a question is about."""

from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.graphql_period import Period
from periplus_hub.dependencies.graphql_words import EdgeLevel, EdgeState, Verdict
from periplus_hub.dependencies.model import EdgeFilter, EndFilter
from periplus_hub.fleet.graphql_asked import cluster_asked
from periplus_hub.kit.errors import Invalid

LAST_PORT: Final = 65_535
LAST_PROTOCOL: Final = 255
_MOST_WORDS: Final = 16


@strawberry.input(
    description="Which end is meant: all that is given has to fit. Null is any. What nothing has is refused."
)
class DependencyEndFilter:
    """dependencies.model.EndFilter."""

    cluster: strawberry.ID | None = strawberry.field(default=None, description="The id of its cluster.")
    namespace: str | None = strawberry.field(default=None, description="Its namespace; empty: what has none.")
    kind: str | None = strawberry.field(
        default=None,
        description="As `kind` of a dependency's end has it: Deployment, Service, Node, external, address, other …",
    )
    name: str | None = strawberry.field(default=None, description="Its name.")


@strawberry.input(description="Which dependencies are meant: all that is given has to fit. Null is any.")
class DependencyFilter:
    """dependencies.model.EdgeFilter, without level and time."""

    either: DependencyEndFilter | None = strawberry.field(default=None, description="One end or the other.")
    source: DependencyEndFilter | None = strawberry.field(default=None, description="Who opens the connections.")
    destination: DependencyEndFilter | None = strawberry.field(default=None, description="Who takes them.")
    cross_cluster: bool = strawberry.field(
        default=False, description="Only those between two clusters that are both known."
    )
    port: int | None = strawberry.field(
        default=None, description="Only what went to this port of the destination. Numbers are of it alone."
    )
    protocol: int | None = strawberry.field(
        default=None, description="Only what went over this protocol, by IANA's number: 6 is TCP, 17 UDP."
    )
    verdicts: list[Verdict] = strawberry.field(
        default_factory=list, description="Only what has one of these verdicts; none is any."
    )
    states: list[EdgeState] = strawberry.field(
        default_factory=list, description="Only those in one of these states; none is any."
    )


Filter = Annotated[
    DependencyFilter | None, strawberry.argument(name="filter", description="Which dependencies; null is all.")
]
Level = Annotated[EdgeLevel, strawberry.argument(description="What the ends are.")]


async def asked_edges(info: Info, level: EdgeLevel, found: DependencyFilter | None, time: Period) -> EdgeFilter:
    """What is asked for, with clusters that are there. Raises Invalid for numbers that cannot be."""
    filters = found or DependencyFilter()
    within("port", filters.port, 0, LAST_PORT)
    within("protocol", filters.protocol, 0, LAST_PROTOCOL)
    for name, words in (("verdicts", filters.verdicts), ("states", filters.states)):
        if len(words) > _MOST_WORDS:
            raise Invalid(f"{len(words)} {name} are given", "Give each once.")
    return EdgeFilter(
        since=time.since,
        until=time.until,
        days_until=time.days_until,
        spans=time.spans,
        level=level,
        cross_cluster=filters.cross_cluster,
        either=await asked_end(info, filters.either),
        src=await asked_end(info, filters.source),
        dst=await asked_end(info, filters.destination),
        port=filters.port,
        protocol=filters.protocol,
        verdicts=tuple(filters.verdicts),
        states=tuple(filters.states),
    )


async def asked_end(info: Info, end: DependencyEndFilter | None) -> EndFilter:
    """Which end is meant, of a cluster that is there."""
    if end is None:
        return EndFilter()
    return EndFilter(
        clusters=await cluster_asked(info.context, end.cluster),
        namespace=end.namespace,
        kind=end.kind,
        name=end.name,
    )


def within(name: str, number: int | None, least: int, most: int) -> None:
    """Raises Invalid for a number that is not; none is as good as any."""
    if number is not None and not least <= number <= most:
        raise Invalid(f"{name} is {number}", f"Ask for {least} to {most:,}.")
