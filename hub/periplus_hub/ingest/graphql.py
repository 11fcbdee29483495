"""How much of what spokes collected is here, per cluster, kind and hour, and what was set aside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_contract.tables import Kind
from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.graphql_agents import NodeAgent
from periplus_hub.fleet.graphql_asked import cluster_asked, or_revoked
from periplus_hub.fleet.repository_graphql_agents import agents_by_ids
from periplus_hub.ingest.kinds import BY_HOUR
from periplus_hub.ingest.repository import HOUR_S
from periplus_hub.ingest.repository_graphql import (
    COMPLETENESS,
    QUARANTINE,
    CompletenessFilter,
    completeness_of_hours,
)
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_prices import Cost, at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Node, Pages
from periplus_hub.kit.windows import window_of

_KINDS: Final = ", ".join(Kind)
MOST_HOURS: Final = 168
"""A week."""

Since = Annotated[datetime | None, strawberry.argument(description="Only hours that begin at this time or later.")]
Until = Annotated[datetime | None, strawberry.argument(description="Only hours that begin before this time.")]


@strawberry.type(description="Rows that were given up, for one reason.")
class Dropped:
    """A reason of the contract, or one a later spoke uses."""

    reason: str = strawberry.field(description="Why, like outbox_full.")
    rows: BigInt = strawberry.field(description="How many rows.")


@strawberry.type(description="collected = settled + queued + folded + dropped, for one cluster, kind and UTC hour.")
class Completeness(RowBacked, Node):
    """The conservation law, row by row."""

    registration_id: strawberry.Private[UUID]
    dropped_by_reason: strawberry.Private[Mapping[str, int]]
    hour_start: datetime = strawberry.field(description="The hour's start.")
    kind: str = strawberry.field(description=f"What was collected: {_KINDS}.")
    collected: BigInt = strawberry.field(description="Rows the spoke made.")
    settled: BigInt = strawberry.field(description="Rows that are here for good; rejected ones count too.")
    folded: BigInt = strawberry.field(description="Rows merged into coarser ones because the outbox was full.")
    rejected: BigInt = strawberry.field(description="Rows that arrived and broke the contract.")

    @strawberry.field(
        description="Rows the hub has not heard the end of; null where the hour does not add up, see `excess`.",
        directives=[Cost(weight=0)],
    )
    def queued(self) -> BigInt | None:
        """What remains."""
        left = self.collected - _ended(self)
        return BigInt(left) if left >= 0 else None

    @strawberry.field(
        description="By how many rows the hour does not add up: so many more were settled, folded or dropped than its "
        "agents said that they collected. What they did not say yet may come; 0 where it adds up.",
        directives=[Cost(weight=0)],
    )
    def excess(self) -> BigInt:
        """Shown as it is, and never made to fit."""
        return BigInt(max(0, _ended(self) - self.collected))

    @strawberry.field(description="Rows given up, by reason.", directives=[Cost(weight=0), *at_most(4)])
    def dropped(self) -> list[Dropped]:
        """Most first."""
        most = sorted(self.dropped_by_reason.items(), key=lambda each: (-each[1], each[0]))
        return [Dropped(reason=reason, rows=BigInt(rows)) for reason, rows in most]

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all hours of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


def _ended(told: Completeness) -> int:
    """Rows of which it is known what became of them."""
    return told.settled + told.folded + sum(told.dropped_by_reason.values())


@strawberry.type(description="A UTC hour of a cluster, whether anything was told of it or not.")
class CompletenessHour:
    """An hour without a row is not known; it is not empty."""

    hour_start: datetime = strawberry.field(description="The hour's start.")
    completeness: Completeness | None = strawberry.field(
        description="What became of its rows; null where nothing was told of the hour, so that it is not known whether "
        "there were any."
    )


@strawberry.type(description="Rows of one batch that arrived, broke the contract for one reason, and were set aside.")
class QuarantineEntry(RowBacked, Node):
    """A row of the table `quarantine`."""

    registration_id: strawberry.Private[UUID]
    agent_id: strawberry.Private[UUID | None]
    sample_bytes: strawberry.Private[bytes]
    at: datetime = strawberry.field(description="When they arrived.")
    kind: str = strawberry.field(description=f"The batch's kind: {_KINDS}.")
    section: str = strawberry.field(description="The table of the contract they are rows of, like pods.")
    reason: str = strawberry.field(description="Why, like bad_address.")
    rows: BigInt = strawberry.field(description="How many rows.")
    epoch: str = strawberry.field(description="The life of the outbox that sent them.")
    seq: BigInt = strawberry.field(description="The number of the batch in that life.")

    @strawberry.field(description="The first few of the rows, as text; empty when none were kept.")
    def sample(self) -> str:
        """It is whatever came, so nothing is taken for granted of it."""
        return self.sample_bytes.decode(errors="replace")

    @strawberry.field(description="The agent of a node that sent them; null where the spoke did, or it is forgotten.")
    async def agent(self, info: Info) -> NodeAgent | None:
        """One statement for all entries of the answer."""
        if self.agent_id is None:
            return None
        return cast("NodeAgent | None", await info.context.load(agents_by_ids, self.agent_id))

    @strawberry.field(description="The cluster.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all entries of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


def _hours(since: datetime | None, until: datetime | None, now: datetime) -> range:
    """Their starts; raises Invalid where there are none, or too many."""
    last_s = int(min(until or now, now).timestamp())
    first_s = max(0, last_s - 24 * HOUR_S if since is None else int(since.timestamp()))
    hours = range(first_s // HOUR_S * HOUR_S, -(-last_s // HOUR_S) * HOUR_S, HOUR_S)
    if not hours:
        raise Invalid("the asked time is empty", "Let `since` be before `until`, and in the past.")
    if len(hours) > MOST_HOURS:
        raise Invalid(f"that are {len(hours):,} hours", f"Ask for {MOST_HOURS} at most.")
    return hours


@strawberry.type
class ClusterIngest:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(description="How complete its data are, newest hour first.", directives=paged(50, 1_000))
    async def completeness(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        since: Since = None,
        until: Until = None,
    ) -> Connection[Completeness]:
        """Per kind and hour."""
        asked = CompletenessFilter(since=since, until=until)
        return Connection(
            pages=Pages(info.context, COMPLETENESS, self.registration_id, window_of(first, after, last, before), asked)
        )

    @strawberry.field(
        description=f"Every hour of a time, oldest first, with what is known of its rows: {MOST_HOURS} hours at most.",
        directives=at_most(MOST_HOURS),
    )
    async def completeness_by_hour(
        self,
        info: Info,
        *,
        kind: Annotated[str, strawberry.argument(description=f"Of what: {_KINDS}.")] = BY_HOUR.value,
        since: Annotated[
            datetime | None, strawberry.argument(description="From this hour on; null is a day before `until`.")
        ] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Up to this time; null is now.")] = None,
    ) -> list[CompletenessHour]:
        """One statement for all clusters of the answer."""
        hours = _hours(since, until, info.context.now)
        if kind not in list(Kind):
            raise Invalid(f"no rows are of kind {kind!r}", f"Kinds are {_KINDS}.")
        told = await info.context.load(completeness_of_hours, self.registration_id, kind, hours) or {}
        return [
            CompletenessHour(
                hour_start=datetime.fromtimestamp(hour, UTC), completeness=cast("Completeness | None", told.get(hour))
            )
            for hour in hours
        ]

    @strawberry.field(
        description="Rows that arrived and were set aside, newest first; only the newest entries are kept.",
        directives=paged(20, 1_000),
    )
    async def quarantine(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[QuarantineEntry]:
        """What `rejected` in completeness counts."""
        return Connection(
            pages=Pages(
                info.context, QUARANTINE, self.registration_id, window_of(first, after, last, before, default=20)
            )
        )


@strawberry.type
class IngestQuery:
    """Root fields of this slice."""

    @strawberry.field(description="How complete the data are, newest hour first.", directives=paged(50, 1_000))
    async def ingest_completeness(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        cluster: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only this cluster; null is all.")
        ] = None,
        since: Since = None,
        until: Until = None,
    ) -> Connection[Completeness]:
        """Per cluster, kind and hour."""
        ids = await cluster_asked(info.context, cluster)
        asked = CompletenessFilter(registration_ids=ids, since=since, until=until)
        pages = Pages(info.context, COMPLETENESS, None, window_of(first, after, last, before), asked)
        return Connection(pages=await or_revoked(ids, pages))
