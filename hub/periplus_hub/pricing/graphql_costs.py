"""What traffic costs, by team, workload, pair or path class."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final, cast
from uuid import UUID

import pyarrow as pa
import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies.graphql_coverage import FlowCoverage
from periplus_hub.dependencies.graphql_filter import within
from periplus_hub.dependencies.graphql_period import Period, coverage_of, period
from periplus_hub.dependencies.graphql_store import MOST_ROWS, of_store
from periplus_hub.dependencies.model import EdgeFilter
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql_prices import Cost, ListSize, at_most
from periplus_hub.kit.graphql_scalars import BigInt
from periplus_hub.pricing import repository_places, repository_traffic
from periplus_hub.pricing.books_folder import books_of
from periplus_hub.pricing.config import PricingConfig
from periplus_hub.pricing.engine.merged import merged
from periplus_hub.pricing.engine.periods import month_of, priced_times
from periplus_hub.pricing.engine.pricing import Pricing, priced
from periplus_hub.pricing.model import (
    CostGrouping,
    CostLine,
    Costs,
    GroupCosts,
    PathClass,
    Policy,
    PriceBook,
    UnpricedBytes,
)

MOST_GROUPS: Final = 1_000
_MOST_TIMES: Final = 14
"""A year of months, and the days on which prices changed."""
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing passed before."""
_LINES: Final = 20
_OF_PAIRS: Final = {CostGrouping.CLUSTER_PAIR: 2, CostGrouping.SERVICE_PAIR: 4}
"""How many texts name each end."""

strawberry.enum(
    CostGrouping,
    description="What costs are added up by: who pays (TEAM, by the label of its namespace; CLUSTER; NAMESPACE; "
    "WORKLOAD), who talks to whom (CLUSTER_PAIR, SERVICE_PAIR, REGION_PAIR), or the path class.",
)
strawberry.enum(
    PathClass,
    description="How bytes travelled, as bills see it. UNKNOWN is never the cheapest: its cost is not known.",
)
strawberry.enum(
    Policy,
    name="CostPolicy",
    description="Who pays for a leg. ENDPOINT_OWNER: the end that the provider charges; INITIATOR_PAYS: who opened the "
    "connection, also for what is charged at the other end; SENDER_PAYS: who sent the bytes.",
)


@strawberry.type(description="An end that pays, or one of a pair.")
class CostEnd:
    """Texts of a group's key."""

    registration: strawberry.Private[str]
    namespace: str = strawberry.field(description="Its namespace; empty where it has none, or it is not asked for.")
    kind: str = strawberry.field(description="As `kind` of a dependency's end; empty where it is not asked for.")
    name: str = strawberry.field(description="Its name; empty where it is not asked for.")
    region: str = strawberry.field(description="Its region, of REGION_PAIR alone; `unknown` where it is not known.")

    @strawberry.field(description="Its cluster; null where it is in none that is known.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all clusters of the answer."""
        if not self.registration:
            return None
        found = await info.context.load(fleet.clusters_by_ids, UUID(self.registration))
        return cast("Cluster | None", found)


@strawberry.type(description="Bytes in one tier of a price. quantity times unitPrice is cost, exactly.")
class CostAtPrice:
    """pricing.model.CostLine."""

    path_class: PathClass = strawberry.field(description="How they travelled.")
    sku: str = strawberry.field(description="What the provider calls it.")
    provider: str = strawberry.field(description="Who charges it.")
    meter: str = strawberry.field(description="At which end it is counted: sender, receiver, initiator or acceptor.")
    tier: int = strawberry.field(description="The tier of the price, from 1; 0 is what a free allowance pays.")
    bytes: BigInt = strawberry.field(description="How many bytes.")
    quantity: Decimal = strawberry.field(description="The same in units of the price.")
    unit: str = strawberry.field(description="The unit, as the price list writes it.")
    unit_bytes: BigInt = strawberry.field(description="How many bytes it is taken for.")
    unit_price: Decimal = strawberry.field(description="What a unit costs.")
    cost: Decimal = strawberry.field(description="Not rounded.")
    source: str = strawberry.field(description="Where the price was read.")
    is_verified: bool = strawberry.field(description="Whether the provider's own page or list was read.")
    book: str = strawberry.field(description="The name and version of the price book.")
    book_line: int = strawberry.field(description="On which line of its file it stands.")

    @classmethod
    def of(cls, line: CostLine) -> "CostAtPrice":
        """The same as a GraphQL type."""
        price = line.price
        return cls(
            path_class=line.path_class,
            sku=price.sku,
            provider=price.provider,
            meter=price.meter.value,
            tier=line.tier,
            bytes=BigInt(line.bytes),
            quantity=line.quantity,
            unit=price.unit,
            unit_bytes=BigInt(price.unit_bytes),
            unit_price=line.unit_price,
            cost=line.cost,
            source=price.source,
            is_verified=price.is_verified,
            book=price.book,
            book_line=price.line,
        )


@strawberry.type(description="Bytes whose cost is not known: they may cost something.")
class BytesWithoutPrice:
    """pricing.model.UnpricedBytes."""

    path_class: PathClass = strawberry.field(description="How they travelled.")
    provider: str | None = strawberry.field(description="Whose books have no price of it; null: of UNKNOWN.")
    why: str = strawberry.field(description="Why it is not known.")
    bytes: BigInt = strawberry.field(description="How many bytes.")

    @classmethod
    def of(cls, each: UnpricedBytes) -> "BytesWithoutPrice":
        """The same as a GraphQL type."""
        return cls(path_class=each.path_class, provider=each.provider or None, why=each.why, bytes=BigInt(each.bytes))


@strawberry.type(description="What one group pays.")
class CostGroup:
    """pricing.model.GroupCosts."""

    group: strawberry.Private[GroupCosts]
    by: strawberry.Private[CostGrouping]
    cost: Decimal = strawberry.field(
        description="Not rounded. At least so much, where there are bytes without a price or isPartUnmeasured."
    )
    is_part_unmeasured: bool = strawberry.field(description="Some of its bytes could not be measured.")

    @strawberry.field(
        description="The team of TEAM: unallocated, where no label says one; ambiguous, where several may be who "
        "pays; unknown, where nobody is known."
    )
    def team(self) -> str | None:
        """Of the key."""
        return self.group.key[0] if self.by is CostGrouping.TEAM else None

    @strawberry.field(description="The class of PATH_CLASS.")
    def path_class(self) -> PathClass | None:
        """Of the key."""
        return PathClass(self.group.key[0]) if self.by is CostGrouping.PATH_CLASS else None

    @strawberry.field(description="Who pays, of CLUSTER, NAMESPACE and WORKLOAD; of pairs who opened connections.")
    def initiator(self) -> CostEnd | None:
        """Of the key."""
        if self.by in (CostGrouping.TEAM, CostGrouping.PATH_CLASS):
            return None
        if self.by is CostGrouping.REGION_PAIR:
            return _end((), self.group.key[0])
        return _end(self.group.key[: _OF_PAIRS.get(self.by, len(self.group.key))])

    @strawberry.field(description="Of pairs, who took connections.")
    def acceptor(self) -> CostEnd | None:
        """Of the key."""
        if self.by is CostGrouping.REGION_PAIR:
            return _end((), self.group.key[1])
        return _end(self.group.key[_OF_PAIRS[self.by] :]) if self.by in _OF_PAIRS else None

    @strawberry.field(description="What its cost is made of, the dearest first.", directives=at_most(_LINES))
    def lines(self) -> list[CostAtPrice]:
        """As they are."""
        return [CostAtPrice.of(each) for each in self.group.lines]

    @strawberry.field(description="What has no price, the most bytes first.", directives=at_most(_LINES))
    def without_price(self) -> list[BytesWithoutPrice]:
        """As they are."""
        return [BytesWithoutPrice.of(each) for each in self.group.unpriced]


def _end(texts: tuple[str, ...], region: str = "") -> CostEnd:
    """Of a cluster's id and, where they are asked for, namespace, kind and name."""
    registration, *rest = texts or ("",)
    namespace, kind, name = {1: ("", *rest, ""), 2: (*rest, ""), 3: tuple(rest)}.get(len(rest), ("", "", ""))
    return CostEnd(registration=registration, namespace=namespace, kind=kind, name=name, region=region)


@strawberry.type(description="What traffic costs: an estimate by list prices, until it is held against a bill.")
class TransferCosts:
    """pricing.model.Costs."""

    total: Decimal = strawberry.field(
        description="Of all groups, exactly. At least so much, where there are bytes without a price."
    )
    currency: str = strawberry.field(description="ISO 4217.")
    basis: str = strawberry.field(description="estimate: by price books, and not by a bill.")
    since: datetime = strawberry.field(description="From when on, inclusive.")
    until: datetime = strawberry.field(description="Until when.")
    groups: list[CostGroup] = strawberry.field(
        description="As many as were asked for, the dearest first.",
        directives=[Cost(weight=0), ListSize(assumed_size=100, of_page=True)],
    )
    group_count: int = strawberry.field(description="How many there are.")
    bytes_without_price: BigInt = strawberry.field(
        description="Bytes whose cost is not known, of all groups; those with a leg at either end count at each."
    )
    books: list[str] = strawberry.field(
        description="Names and versions of the price books that it is priced by.", directives=at_most(_LINES)
    )
    coverage: FlowCoverage = strawberry.field(description="How complete the flows are that it is made of.")


@strawberry.type
class CostsQuery:
    """Root fields of this module."""

    @strawberry.field(
        description="What traffic costs by the price books, exactly: each byte once, each leg that its path class "
        "causes, tiers averaged over the UTC month. Bytes of an unknown path class, and those without a price, are "
        "told apart: they never count as free.",
        directives=[Cost(weight=200), ListSize(assumed_size=100, slicing_arguments=["first"], maximum=MOST_GROUPS)],
    )
    async def costs(
        self,
        info: Info,
        *,
        first: Annotated[int, strawberry.argument(description=f"How many groups; up to {MOST_GROUPS:,}.")] = 100,
        by: Annotated[CostGrouping, strawberry.argument(description="What is added up.")] = CostGrouping.TEAM,
        policy: Annotated[Policy, strawberry.argument(description="Who pays.")] = Policy.ENDPOINT_OWNER,
        since: Annotated[
            datetime | None,
            strawberry.argument(description="From the hour of this time on; null is the first of the UTC month."),
        ] = None,
        until: Annotated[datetime | None, strawberry.argument(description="Up to this time; null is now.")] = None,
    ) -> TransferCosts:
        """Two statements for each month: what is asked for, and all of the month, which tiers are made of."""
        within("first", first, 1, MOST_GROUPS)
        time = await period(info, since or _default_since(min(until or info.context.now, info.context.now)), until)
        books = await asyncio.to_thread(books_of, info.context.setting(PricingConfig).price_books)
        found = await _costs(info, time, by, policy, books)
        return TransferCosts(
            total=found.total,
            currency=found.currency,
            basis="estimate",
            since=time.since,
            until=time.until,
            groups=[
                CostGroup(group=each, by=by, cost=each.cost, is_part_unmeasured=each.is_part_unmeasured)
                for each in found.groups[:first]
            ],
            group_count=len(found.groups),
            bytes_without_price=BigInt(sum(one.bytes for each in found.groups for one in each.unpriced)),
            books=list(found.books),
            coverage=FlowCoverage(told=await coverage_of(info, time)),
        )


def _default_since(last: datetime) -> datetime:
    """The first of the month so far; where no second of it has passed, of the month before."""
    return month_of(max(last, _FIRST) - timedelta(seconds=1))


async def _costs(info: Info, time: Period, by: CostGrouping, policy: Policy, books: tuple[PriceBook, ...]) -> Costs:
    times = list(priced_times(time.since, time.until, info.context.now, books))
    if len(times) > _MOST_TIMES:
        raise Invalid("that are more than a year of months and changes of prices", "Ask for a shorter time.")
    clusters = await info.context.read(repository_places.cluster_places)
    label = info.context.setting(PricingConfig).team_label
    teams = await info.context.read(repository_places.labelled_teams, label)
    found = []
    for each in times:
        asked = await _traffic(info, time, each.since, each.until, by)
        month = await _traffic(info, time, each.month_since, each.month_until, CostGrouping.PATH_CLASS)
        pricing = Pricing(books, each.since.date(), policy, clusters, teams)
        found.append(await asyncio.to_thread(priced, asked, month, by, pricing))
    return merged(found)


async def _traffic(info: Info, time: Period, since: datetime, until: datetime, by: CostGrouping) -> pa.Table | None:
    """None where the tenant has no flows."""
    edges = EdgeFilter(since=since, until=until - timedelta(microseconds=1), days_until=time.days_until)
    rows = await of_store(info, None, repository_traffic.traffic, edges, by, most=MOST_ROWS + 1)
    if rows is not None and rows.num_rows > MOST_ROWS:
        raise Invalid(f"there are more than {MOST_ROWS:,} pairs of ends", "Ask by team, cluster or path class.")
    return rows
