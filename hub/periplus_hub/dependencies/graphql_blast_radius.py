"""Whom a failure reaches, and why there may be more of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Annotated, Final
from uuid import UUID

import strawberry

from periplus_contract.flow_words import Verdict
from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_behind
from periplus_hub.dependencies.engine import reach as engine
from periplus_hub.dependencies.engine.reach import Direction
from periplus_hub.dependencies.graphql_coverage import FlowCoverage, clusters_of
from periplus_hub.dependencies.graphql_filter import DependencyEndFilter, asked_end, within
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import Since, Until, coverage_of, period
from periplus_hub.dependencies.graphql_store import every_edge
from periplus_hub.dependencies.model import NOT_ARRIVED, Coverage, EdgeFilter, EdgeState
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.flows.graphql_ends import FlowEnd, flow_end
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_DEPTH: Final = 5
MOST_REACHED: Final = 500
_ARRIVED: Final = tuple(each for each in Verdict if each not in NOT_ARRIVED)

strawberry.enum(
    Direction,
    name="BlastDirection",
    description="CALLERS: who depends on it, and so is reached by its failures; DEPENDENCIES: what it depends on.",
)


@strawberry.enum(description="Why there may be more than is told.")
class BlastGap(Enum):
    """In the order in which they are told."""

    NO_FLOWS = strawberry.enum_value("no_flows", description="Clusters that told no flows.")
    LATE = strawberry.enum_value("late", description="Clusters that told flows once, and not of late.")
    PARTLY_TOLD = strawberry.enum_value("partly_told", description="Clusters with nodes that tell nothing of late.")
    BEGUN_LATER = strawberry.enum_value(
        "begun_later", description="Clusters that began to tell flows later than the asked time begins."
    )
    NOT_KEPT = strawberry.enum_value("not_kept", description="Of the beginning of the asked time nothing is kept.")
    COVERAGE = strawberry.enum_value("coverage", description="Less than all of the asked time was told.")
    WAITING = strawberry.enum_value(
        "waiting", description="Flows that were accepted and are not among dependencies yet, of an hour or more."
    )
    LOST = strawberry.enum_value("lost", description="Connections, events or readings that sources did not see.")
    SAMPLED = strawberry.enum_value("sampled", description="One packet in so many was looked at.")
    UNKNOWN_ENDS = strawberry.enum_value(
        "unknown_ends", description="Dependencies with an end that may be one of these, and it is not known."
    )
    ON_HOSTS = strawberry.enum_value(
        "on_hosts",
        description="Pods of it that have their nodes' addresses: what passes there is told of the nodes.",
    )
    NOT_FOLLOWED = strawberry.enum_value(
        "not_followed",
        description="Ends that were reached and behind which several may be: addresses, nodes, what is outside.",
    )
    DEPTH = strawberry.enum_value("depth", description="Ends that are one hop beyond the asked depth.")
    ROOM = strawberry.enum_value("room", description="Ends for which there was no room, and what is behind them.")


@strawberry.type(description="One reason why there may be more than is told.")
class BlastIncomplete:
    """A gap, with how much it is or where."""

    registration_ids: strawberry.Private[list[UUID]]
    gap: BlastGap = strawberry.field(description="Why.")
    amount: BigInt | None = strawberry.field(description="How many; null for NOT_KEPT, COVERAGE and WAITING.")

    @strawberry.field(description="The first 1,000 clusters that it is about.", directives=at_most(10))
    async def clusters(self, info: Info) -> list[Cluster]:
        """One statement."""
        return await clusters_of(info, self.registration_ids)


@strawberry.type(description="An end that is reached, and the heaviest dependency of the shortest ways to it.")
class BlastHop:
    """engine.reach.Reached."""

    hop: int = strawberry.field(description="How far it is; 1 is next to what was asked for.")
    end: FlowEnd = strawberry.field(description="Who is reached.")
    through: FlowEnd = strawberry.field(description="Over whom: one hop nearer.")
    is_followed: bool = strawberry.field(
        description="Whether it is known who it is. What is behind an address, a node or what is outside is not told."
    )
    by_inventory: bool = strawberry.field(
        description="One is a service with several workloads, the other is behind it: no flow is known between them, "
        "but who calls the service depends on both."
    )
    bytes_tx: BigInt | None = strawberry.field(description="Bytes from the caller. Null is not known.")
    bytes_rx: BigInt | None = strawberry.field(description="Bytes to the caller.")
    connections_opened: BigInt | None = strawberry.field(description="Connections that the caller opened.")
    failures: BigInt | None = strawberry.field(description="Those that failed.")
    is_part_unmeasured: bool = strawberry.field(
        description="Some of it could not be measured: numbers are at least so much."
    )
    state: EdgeState = strawberry.field(description="Of the dependency.")
    last_seen: datetime | None = strawberry.field(description="Of the dependency; null where none is known.")

    @classmethod
    def of(cls, found: engine.Reached) -> "BlastHop":
        """The same as a GraphQL type."""
        numbers = ("bytes_tx", "bytes_rx", "connections_opened", "failures")
        return cls(
            hop=found.hop,
            end=flow_end(found.end),
            through=flow_end(found.through),
            is_followed=found.is_followed,
            by_inventory=found.is_front,
            **{name: big(getattr(found, name)) for name in numbers},
            is_part_unmeasured=found.is_part_unmeasured,
            state=found.state,
            last_seen=found.last_seen,
        )


@strawberry.type(description="Whom failures reach, as far as it is known.")
class BlastRadius:
    """engine.reach.Reach."""

    starts: list[FlowEnd] = strawberry.field(
        description="What was asked for, as flows know it, with the workloads behind a service; none: no flow of it is "
        "known.",
        directives=at_most(10),
    )
    reached: list[BlastHop] = strawberry.field(
        description="The nearest first, of equally near the heaviest.",
        directives=[Cost(weight=0), ListSize(assumed_size=100, of_page=True)],
    )
    is_complete: bool = strawberry.field(
        description="Whether that is all. Only then, and where nobody is reached, nobody depends on it."
    )
    incomplete: list[BlastIncomplete] = strawberry.field(
        description="Why there may be more.", directives=at_most(len(BlastGap))
    )
    coverage: FlowCoverage = strawberry.field(description="How much of the flows is known.")


@strawberry.type
class BlastRadiusQuery:
    """Root fields of this module."""

    @strawberry.field(
        description="Who is reached by failures of a workload or service: its callers, theirs, and so on; or what it "
        "depends on. Of what was dropped nothing depends. Dependencies of the week before the asked time count, too.",
        directives=[
            Cost(weight=150),
            ListSize(assumed_size=100, slicing_arguments=["nodesAtMost"], maximum=MOST_REACHED),
        ],
    )
    async def blast_radius(
        self,
        info: Info,
        *,
        of: Annotated[DependencyEndFilter, strawberry.argument(description="What fails; it needs a name.")],
        direction: Annotated[Direction, strawberry.argument(description="Which way is looked.")] = Direction.CALLERS,
        depth: Annotated[int, strawberry.argument(description=f"How many hops: 1 to {MOST_DEPTH}.")] = 3,
        nodes_at_most: Annotated[int, strawberry.argument(description=f"Ends at most: 1 to {MOST_REACHED}.")] = 100,
        since: Since = None,
        until: Until = None,
    ) -> BlastRadius:
        """One statement finds all edges; the way through them is found in a thread."""
        within("depth", depth, 1, MOST_DEPTH)
        within("nodesAtMost", nodes_at_most, 1, MOST_REACHED)
        if not of.name:
            raise Invalid("what fails has no name", "Name a workload or service; its namespace and cluster, too.")
        time = await period(info, since, until)
        meant = await asked_end(info, of)
        coverage = await coverage_of(info, time)
        found = engine.nothing()
        asked = EdgeFilter(
            since=time.since, until=time.until, days_until=time.days_until, spans=time.spans, verdicts=_ARRIVED
        )
        rows = await every_edge(
            info,
            asked,
            coverage,
            refused="dependencies, and so many are not followed",
            remedy="Ask for dependencies with this as an end, one hop after the other.",
        )
        if rows is not None:
            fronts = await info.context.read(repository_behind.fronts, of.name)
            found = await asyncio.to_thread(
                engine.reach, rows, meant, fronts, direction=direction, depth=depth, most=nodes_at_most
            )
        if not found.starts:
            await refuse_unknown(info, replace(asked, either=meant))
        on_hosts = await info.context.read(repository_behind.pods_on_hosts, meant)
        gaps = list(_gaps(found, coverage, on_hosts=on_hosts))
        return BlastRadius(
            starts=[flow_end(each) for each in found.starts],
            reached=[BlastHop.of(each) for each in found.reached],
            is_complete=not gaps,
            incomplete=gaps,
            coverage=FlowCoverage(told=coverage),
        )


def _gaps(found: engine.Reach, coverage: Coverage, *, on_hosts: int) -> Iterator[BlastIncomplete]:
    for reason, clusters in (
        (BlastGap.NO_FLOWS, coverage.without_flows),
        (BlastGap.LATE, coverage.late),
        (BlastGap.PARTLY_TOLD, coverage.partly_told),
        (BlastGap.BEGUN_LATER, list(coverage.begun_later)),
    ):
        if clusters:
            yield BlastIncomplete(registration_ids=clusters, gap=reason, amount=BigInt(len(clusters)))
    for reason, is_so in (
        (BlastGap.NOT_KEPT, coverage.kept_from is not None),
        (BlastGap.COVERAGE, coverage.ratio is None or coverage.ratio < 1),
        (BlastGap.WAITING, coverage.waiting_since is not None or coverage.waits_lately),
    ):
        if is_so:
            yield BlastIncomplete(registration_ids=[], gap=reason, amount=None)
    not_followed = sum(not each.is_followed for each in found.reached)
    counts = {
        BlastGap.LOST: sum(coverage.lost.values()),
        BlastGap.SAMPLED: coverage.sampling if coverage.sampling > 1 else 0,
        BlastGap.UNKNOWN_ENDS: found.may_lead,
        BlastGap.ON_HOSTS: on_hosts,
        BlastGap.NOT_FOLLOWED: not_followed,
        BlastGap.DEPTH: found.beyond_depth,
        BlastGap.ROOM: found.beyond_nodes,
    }
    for reason, count in counts.items():
        if count:
            yield BlastIncomplete(registration_ids=[], gap=reason, amount=BigInt(count))
