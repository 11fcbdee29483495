"""What the raw rows of one dependency say of an hour."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import strawberry

from periplus_contract.flow_words import FlowCollector, Reporter
from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_evidence, repository_told_minutes
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.engine.evidence_values import (
    NO_EVIDENCE,
    Evidence,
    EvidenceState,
    RawSums,
    RawWindow,
    ReporterTotals,
    by_minutes,
)
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import DependencyEndFilter, DependencyFilter, asked_edges, within
from periplus_hub.dependencies.graphql_names import refuse_unknown
from periplus_hub.dependencies.graphql_period import coverage_of, period
from periplus_hub.dependencies.graphql_store import of_store
from periplus_hub.dependencies.graphql_types import DependencyEnd
from periplus_hub.dependencies.graphql_words import EdgeLevel, Verdict
from periplus_hub.dependencies.model import EdgeFilter
from periplus_hub.dependencies.repository_edge import SeveralEdges
from periplus_hub.dependencies.repository_told_minutes import ToldMinutes
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.flows import repository_inventory
from periplus_hub.flows.config import FlowsConfig
from periplus_hub.flows.graphql_ends import cluster_of
from periplus_hub.flows.model import HOUR_S, MINUTE_S, MINUTES_OF_HOUR, day_of
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt, big

MOST_WINDOWS: Final = 1_000
_MINUTE: Final = at_most(MINUTES_OF_HOUR)
_SUMS: Final = tuple(RawSums.__dataclass_fields__)

strawberry.enum(
    EvidenceState,
    description="KEPT; PARTLY_LOST: the flow store lost some rows of that hour; EXPIRED: raw rows of that time are "
    "deleted, and only edges are left.",
)
strawberry.enum(
    Reporter,
    name="FlowReporter",
    description="Who saw it: at the CLIENT, at the SERVER, or at BOTH, merged by a spoke.",
)


@strawberry.type
class _Sums:
    """engine.evidence_values.RawSums."""

    bytes_tx: BigInt | None = strawberry.field(description="Bytes from the source. Null: not known; likewise below.")
    bytes_rx: BigInt | None = strawberry.field(description="Bytes to the source.")
    packets_tx: BigInt | None = strawberry.field(description="Packets from the source.")
    packets_rx: BigInt | None = strawberry.field(description="Packets to the source.")
    connections_opened: BigInt | None = strawberry.field(description="Connections opened in it.")
    failures: BigInt | None = strawberry.field(description="Those that failed.")
    retransmits: BigInt | None = strawberry.field(description="Packets sent again.")


@strawberry.type(description="One row of flows as a spoke sent it.")
class RawFlowWindow(_Sums):
    """engine.evidence_values.RawWindow."""

    registration_id: strawberry.Private[UUID]
    start: datetime = strawberry.field(description="When its window begins.")
    window_s: int = strawberry.field(description="How long that is, in seconds.")
    reporter: Reporter = strawberry.field(description="Who saw it.")
    collector: str = strawberry.field(description="The source, like conntrack; its number where the hub has no word.")
    protocol: int = strawberry.field(description="IANA's number: 6 is TCP, 17 UDP.")
    port: int = strawberry.field(description="Of what was dialled: a service's may be another than the server's.")
    verdict: Verdict = strawberry.field(description="What became of the packets.")
    source: str = strawberry.field(description="As it was told: an address, or namespace/kind/name.")
    destination: str = strawberry.field(description="Likewise.")
    host: str | None = strawberry.field(
        description="The name by which the client asked for the destination: of DNS, TLS or HTTP, or of the service "
        "that a mesh took it for. Null where the source does not tell it."
    )
    sampling: int = strawberry.field(description="The rate that its numbers were scaled up by.")

    @strawberry.field(description="The cluster whose spoke sent it.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all rows of the answer."""
        return await cluster_of(info, self.registration_id)

    @classmethod
    def of(cls, row: RawWindow) -> "RawFlowWindow":
        """The same as a GraphQL type."""
        return cls(
            registration_id=row.registration_id,
            start=datetime.fromtimestamp(row.start, UTC),
            window_s=row.window_s,
            reporter=Reporter(row.reporter),
            collector=_collector(row.collector),
            protocol=row.protocol,
            port=row.port,
            verdict=row.verdict,
            source=row.source,
            destination=row.destination,
            host=row.host or None,
            sampling=row.sampling,
            **_big(row.sums),
        )


@strawberry.type(description="What one side told in the hour: all rows, those that are left out too.")
class ReporterTotal(_Sums):
    """engine.evidence_values.ReporterTotals."""

    reporter: Reporter = strawberry.field(description="Who saw it.")
    rows: BigInt = strawberry.field(description="How many rows there are.")
    widest_window_s: int = strawberry.field(description="The longest of their windows, in seconds.")

    @classmethod
    def of(cls, told: ReporterTotals) -> "ReporterTotal":
        """The same as a GraphQL type."""
        return cls(
            reporter=Reporter(told.reporter),
            rows=BigInt(told.rows),
            widest_window_s=told.widest_s,
            **_big(told.sums),
        )


@strawberry.type(
    description="Bytes both ways, minute by minute, as each side told them: they are the same bytes. A longer window "
    "counts where it begins. Null is not known: the side's cluster told nothing of that minute, nobody measures it, "
    "or rows of the hour still wait (`waitingSince` of the coverage)."
)
class EvidenceMinutes:
    """Columns of the 60 minutes."""

    timestamps: list[datetime] = strawberry.field(description="When each begins.", directives=_MINUTE)
    client_bytes: list[BigInt | None] = strawberry.field(description="As the client's side saw.", directives=_MINUTE)
    server_bytes: list[BigInt | None] = strawberry.field(description="As the server's side saw.", directives=_MINUTE)
    both_bytes: list[BigInt | None] = strawberry.field(
        description="As spokes merged them that saw both.", directives=_MINUTE
    )


@strawberry.type(description="The raw rows of one dependency in one hour.")
class EdgeEvidence:
    """engine.evidence_values.Evidence."""

    hour: datetime = strawberry.field(description="When the hour begins.")
    state: EvidenceState = strawberry.field(description="Whether the rows are there.")
    raw_kept_since: datetime = strawberry.field(description="Rows of the time before are deleted.")
    source: DependencyEnd | None = strawberry.field(
        description="Who opens the connections. Null where nothing of the dependency is in that hour, or rows expired."
    )
    destination: DependencyEnd | None = strawberry.field(description="Who takes them; likewise.")
    windows: list[RawFlowWindow] = strawberry.field(
        description="As many as were asked for, in the order of time.",
        directives=[Cost(weight=0), ListSize(assumed_size=100, of_page=True)],
    )
    window_count: BigInt = strawberry.field(description="How many there are.")
    left_out_count: BigInt = strawberry.field(description="How many of them are not shown.")
    named_elsewhere_count: BigInt = strawberry.field(
        description="Rows besides that may be of the dependency: a source named one of their ends in another cluster, "
        "and whom it meant is not kept with raw rows. They are not among `windows` and `totals`."
    )
    totals: list[ReporterTotal] = strawberry.field(
        description="What each side told, in all rows. Of what both told each byte counts once in the dependency.",
        directives=at_most(3),
    )
    minutes: EvidenceMinutes = strawberry.field(description="How much passed when.")
    coverage: FlowCoverage = strawberry.field(description="How complete the answer is.")


@strawberry.type
class EvidenceQuery:
    """The root field about raw rows."""

    @strawberry.field(
        description="The raw rows that one dependency is made of in one hour. What stood behind ports then is taken as "
        "the inventory has it now; rows that came after the hour was last made are missing. Refused where the ends "
        "that are meant have several.",
        directives=[
            Cost(weight=80),
            ListSize(assumed_size=100, slicing_arguments=["first"], maximum=MOST_WINDOWS),
        ],
    )
    async def edge_evidence(
        self,
        info: Info,
        *,
        source: Annotated[DependencyEndFilter, strawberry.argument(description="Who opens the connections.")],
        destination: Annotated[DependencyEndFilter, strawberry.argument(description="Who takes them.")],
        hour: Annotated[datetime, strawberry.argument(description="Any time of the hour.")],
        first: Annotated[int, strawberry.argument(description=f"How many rows; up to {MOST_WINDOWS:,}.")] = 100,
    ) -> EdgeEvidence:
        """Of rows as they were resolved when the hour was made."""
        within("first", first, 1, MOST_WINDOWS)
        if hour > info.context.now:
            raise Invalid("the hour has not begun", "Ask for one of the past.")
        begin = datetime.fromtimestamp(hour_of(hour), UTC)
        time = await period(info, begin, begin + timedelta(seconds=HOUR_S - 1))
        asked = await asked_edges(
            info, EdgeLevel.WORKLOAD, DependencyFilter(source=source, destination=destination), time
        )
        raw_days = info.context.setting(FlowsConfig).flow_raw_days
        kept_since = day_of(int((info.context.now - timedelta(days=raw_days)).timestamp()))
        is_expired = hour_of(begin) < max(kept_since, time.days_until)
        found = NO_EVIDENCE if is_expired else await _found(info, asked, hour_of(begin), first)
        if found.src is None and not is_expired:
            await refuse_unknown(info, asked)
        coverage = await coverage_of(info, time)
        told = await info.context.read(repository_told_minutes.told_minutes, _clusters(found), hour_of(begin))
        state = _state(found, told, is_expired=is_expired)
        is_whole = state is EvidenceState.KEPT and coverage.waiting_since is None
        return EdgeEvidence(
            hour=begin,
            state=state,
            raw_kept_since=datetime.fromtimestamp(kept_since, UTC),
            source=None if found.src is None else DependencyEnd.of(found.src),
            destination=None if found.dst is None else DependencyEnd.of(found.dst),
            windows=[RawFlowWindow.of(each) for each in found.windows],
            window_count=BigInt(found.rows),
            left_out_count=BigInt(found.rows - len(found.windows)),
            named_elsewhere_count=BigInt(found.named_elsewhere),
            totals=[ReporterTotal.of(each) for each in found.totals],
            minutes=_minutes(found, hour_of(begin), told.minutes if is_whole else {}),
            coverage=FlowCoverage(told=coverage),
        )


async def _found(info: Info, asked: EdgeFilter, hour: int, most: int) -> Evidence:
    try:
        edge = await of_store(info, None, repository_evidence.edge_of_hour, asked)
    except SeveralEdges:
        raise Invalid("several dependencies are meant", "Name cluster, namespace, kind and name.") from None
    if edge is None:
        return NO_EVIDENCE
    server = edge.dst.registration_id
    ports = None if server is None else await info.context.read(repository_inventory.ports_of, server)
    return await info.context.ask(repository_evidence.evidence, edge, hour=hour, ports=ports, most=most)


def _clusters(found: Evidence) -> Sequence[UUID]:
    ends = (each.registration_id for each in (found.src, found.dst) if each is not None)
    return tuple(dict.fromkeys(each for each in ends if each is not None))


def _state(found: Evidence, told: ToldMinutes, *, is_expired: bool) -> EvidenceState:
    """What has edges and no rows lost them, if not to the store, then to a time that was shorter once."""
    if told.is_part_lost and not is_expired:
        return EvidenceState.PARTLY_LOST
    is_gone = found.src is not None and not found.rows and not found.named_elsewhere
    return EvidenceState.EXPIRED if is_expired or is_gone else EvidenceState.KEPT


def _minutes(found: Evidence, hour: int, told: Mapping[UUID, frozenset[int]]) -> EvidenceMinutes:
    columns = {
        f"{each.name.lower()}_bytes": list(map(big, by_minutes(found, hour, each, told)))
        for each in (Reporter.CLIENT, Reporter.SERVER, Reporter.BOTH)
    }
    starts = range(hour, hour + HOUR_S, MINUTE_S)
    return EvidenceMinutes(timestamps=[datetime.fromtimestamp(each, UTC) for each in starts], **columns)


def _big(sums: RawSums) -> dict[str, BigInt | None]:
    return {name: big(getattr(sums, name)) for name in _SUMS}


def _collector(number: int) -> str:
    """A later minor's number is one that this hub has no word for."""
    known = number in {each.value for each in FlowCollector}
    return FlowCollector(number).name.lower().replace("_", "-") if known else str(number)
