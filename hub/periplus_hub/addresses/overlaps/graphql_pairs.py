"""Two clusters compared, as people see it."""

from dataclasses import dataclass
from typing import cast

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.addresses.ipam.engine.knowledge import Knowledge
from periplus_hub.addresses.ipam.graphql_knowledge import knowledge_of
from periplus_hub.addresses.ipam.graphql_types import Allocation
from periplus_hub.addresses.overlaps import service_pairs
from periplus_hub.addresses.overlaps.engine.two_clusters import PairView
from periplus_hub.addresses.overlaps.graphql_types import Severities, StoppedFederations
from periplus_hub.addresses.overlaps.model import Relation, Severity
from periplus_hub.addresses.overlaps.service_pairs import PairAsk, PairPage, PairRow
from periplus_hub.kit.cursors import Key
from periplus_hub.kit.graphql import Context
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_scalars import BigInt, Cidr
from periplus_hub.kit.graphql_types import After, Connection, First
from periplus_hub.kit.keyset import Slice
from periplus_hub.kit.windows import Window, window_of


@strawberry.type(description="Two allocations of two clusters that overlap.")
class PairOverlap:
    """addresses.service_pairs.PairRow."""

    key: strawberry.Private[Key]
    cidr: Cidr = strawberry.field(description="The smaller of the two ranges.")
    relation: Relation = strawberry.field(description="How the two network domains stand to each other.")
    severity: Severity = strawberry.field(description="How much it hurts.")
    why: str = strawberry.field(description="Why it has its severity.")
    breaks: list[str] = strawberry.field(description="What would break.", directives=at_most(4))
    stopped: StoppedFederations = strawberry.field(description="The ways of joining the two clusters that it stops.")
    remedies: list[str] = strawberry.field(description="What to do.", directives=at_most(4))
    a: Allocation = strawberry.field(description="The first cluster's allocation.")
    b: Allocation = strawberry.field(description="The second cluster's allocation.")

    @classmethod
    def of(cls, row: PairRow, relation: Relation) -> "PairOverlap":
        """From a row of a page."""
        told = row.explanation
        return cls(
            key=service_pairs.position_of(row), cidr=Cidr(str(row.pair.cidr)), relation=relation, severity=row.severity,
            why=told.why, breaks=list(told.breaks), stopped=StoppedFederations.of(told.stopped),
            remedies=list(told.remedies), a=row.a, b=row.b,
        )  # fmt: skip


def _key(pair: PairOverlap) -> Key:
    return pair.key


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pairs of one severity after the other."""

    context: Context[Scope]
    compared: tuple[PairAsk, PairView]
    severities: tuple[Severity, ...]
    window: Window

    async def page(self) -> Slice:
        asked = (self.window, self.severities)
        found = await self.context.load(service_pairs.pair_pages, self.compared, *asked) or PairPage()
        rows = [PairOverlap.of(row, self.compared[1].relation) for row in found.rows]
        return Slice(rows, found.has_next, self.window.after is not None, service_pairs.ORDER, key=_key)

    async def total(self) -> int:
        counts = self.compared[1].counts
        return sum(count for severity, count in counts.items() if not self.severities or severity in self.severities)


@strawberry.type(description="How many pairs of allocations have a severity.")
class PairCount:
    """Zero is listed too."""

    severity: Severity = strawberry.field(description="The severity.")
    pairs: BigInt = strawberry.field(description="How many pairs.")


@strawberry.type(description="All overlaps of two clusters.")
class OverlapsBetween:
    """addresses.pairs.PairView."""

    compared: strawberry.Private[tuple[PairAsk, PairView]]
    relation: Relation = strawberry.field(description="How their network domains stand to each other.")
    complete: bool = strawberry.field(
        description="Whether both clusters are COMPLETE. Else there may be overlaps that nobody knows of, and neither "
        "a total of 0 nor no severity is an all-clear; `missing` of the clusters says why."
    )
    severity: Severity | None = strawberry.field(description="The worst overlap's; null when none is known.")
    total: BigInt = strawberry.field(description="How many pairs of allocations are known to overlap.")
    counts: list[PairCount] = strawberry.field(description="How many of each severity.", directives=at_most(4))

    @classmethod
    def of(cls, ask: PairAsk, view: PairView, *, complete: bool) -> "OverlapsBetween":
        """Everything is counted; pairs are listed when asked for."""
        counts = [PairCount(severity=severity, pairs=BigInt(pairs)) for severity, pairs in view.counts.items()]
        worst = next((severity for severity, pairs in view.counts.items() if pairs), None)
        total = BigInt(sum(view.counts.values()))
        return cls(
            compared=(ask, view), relation=view.relation, complete=complete, severity=worst, total=total, counts=counts
        )

    @strawberry.field(
        description="The pairs, worst first, then by the larger range's address.", directives=paged(backwards=False)
    )
    async def overlaps(
        self, info: Info, *, first: First = None, after: After = None, severities: Severities = None
    ) -> Connection[PairOverlap]:
        """A page of them, forwards only: pairs are found one after the other."""
        window = window_of(first, after, None, None)
        return Connection(pages=_Pages(info.context, self.compared, tuple(severities or ()), window))


async def compared(context: Context[Scope], ask: PairAsk) -> OverlapsBetween:
    """Two clusters, looked at anew."""
    view = cast("PairView", await context.load(service_pairs.pair_views, ask))
    known = [await knowledge_of(context, cluster) for cluster in (ask.a, ask.b)]
    return OverlapsBetween.of(ask, view, complete=all(each.knowledge is Knowledge.COMPLETE for each in known))
