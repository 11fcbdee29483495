"""What detectors say."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.overlaps.graphql_types import OverlapGroup
from periplus_hub.addresses.overlaps.repository_groups import group_rows
from periplus_hub.findings import repository_graphql as repository
from periplus_hub.findings import service
from periplus_hub.findings.detectors.registry import DETECTORS
from periplus_hub.findings.model import FindingFilter, FindingSeverity, FindingState
from periplus_hub.findings.repository import last_round
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.fleet.graphql_asked import cluster_asked, or_revoked
from periplus_hub.kit.graphql import RowBacked, from_row, uuid_of
from periplus_hub.kit.graphql_prices import at_most, paged
from periplus_hub.kit.graphql_types import (
    After,
    Before,
    Connection,
    First,
    Last,
    Node,
    OrderDirection,
    Pages,
    order_of,
)
from periplus_hub.kit.windows import window_of

strawberry.enum(FindingSeverity, name="FindingSeverity", description="Worst first.")
strawberry.enum(FindingState, name="FindingState", description="A resolved finding never comes back: a new one opens.")
States = Annotated[list[FindingState] | None, strawberry.argument(description="Only these states.")]
Severities = Annotated[list[FindingSeverity] | None, strawberry.argument(description="Only these severities.")]


@strawberry.type(description="Something a detector says, with its evidence and what to do.")
class Finding(RowBacked, Node):
    """findings.model.Finding."""

    finding_id: strawberry.Private[UUID]
    registration_id: strawberry.Private[UUID | None]
    overlap_group_id: strawberry.Private[UUID | None]
    detector: str = strawberry.field(description="Which detector says it.")
    severity: FindingSeverity = strawberry.field(description="How bad it is.")
    state: FindingState = strawberry.field(description="Where it stands.")
    title: str = strawberry.field(description="What it is, in a line.")
    why: str = strawberry.field(description="Why it is said.")
    what_to_do: str = strawberry.field(description="What to do about it.")
    evidence: JSON = strawberry.field(description="The facts behind it; its keys depend on the detector.")
    opened_at: datetime = strawberry.field(description="When it was first seen.")
    changed_at: datetime = strawberry.field(description="When it last changed.")
    resolved_at: datetime | None = strawberry.field(description="When it was gone.")
    acknowledged_by: str | None = strawberry.field(description="Who knows about it.")
    acknowledged_at: datetime | None = strawberry.field(description="Since when they know.")
    note: str | None = strawberry.field(description="What they said.")

    @strawberry.field(
        description="Every cluster it concerns, by name; those of an overlap are the ones in its group now.",
        directives=paged(),
    )
    async def clusters(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Cluster]:
        """One statement for all findings of the answer."""
        window = window_of(first, after, last, before)
        return Connection(pages=Pages(info.context, repository.FINDING_CLUSTERS, self.finding_id, window))

    @strawberry.field(description="The overlap group it is about; null when it is about none, or the group is gone.")
    async def overlap_group(self, info: Info) -> OverlapGroup | None:
        """One statement for all findings of the answer."""
        if self.overlap_group_id is None:
            return None
        now = info.context.now
        return cast("OverlapGroup | None", await info.context.load(group_rows, self.overlap_group_id, now))

    @strawberry.field(description="The cluster it concerns; null when it concerns several.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all findings of the answer."""
        if self.registration_id is None:
            return None
        return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type
class ClusterFindings:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="What detectors say about it, or about a group it is in, last changed first.", directives=paged()
    )
    async def findings(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        states: States = None,
        severities: Severities = None,
    ) -> Connection[Finding]:
        """Resolved ones too, unless narrowed."""
        asked = FindingFilter(states=tuple(states or ()), severities=tuple(severities or ()))
        return Connection(
            pages=Pages(
                info.context,
                repository.CLUSTER_FINDINGS,
                self.registration_id,
                window_of(first, after, last, before),
                asked,
            )
        )


@strawberry.enum(description="What findings can be sorted by.")
class FindingOrderField(StrEnum):
    """See repository_graphql.FINDING_ORDERS."""

    SEVERITY = "severity"
    CHANGED_AT = "changed-at"
    OPENED_AT = "opened-at"


@strawberry.input(description="In which order findings are listed. By severity, rising is worst first.")
class FindingOrder:
    """Last changed first where nothing is said."""

    field: FindingOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end first.")


@strawberry.type(description="Of how many things a detector could not know when it last looked.")
class PartlyUndecided:
    """One of findings.model.DetectorRound.partly."""

    detector: str = strawberry.field(description="Its name, as findings have it.")
    count: int = strawberry.field(
        description="Of how many things: clusters, pairs of clusters or pools. What was said of them stayed as it was."
    )


@strawberry.type(description="When detectors last looked, and so how far what they found may be trusted.")
class FindingRound:
    """findings.model.DetectorRound."""

    current: bool = strawberry.field(
        description="Whether they looked lately. While it is false, that no finding is listed says nothing."
    )
    ended_at: datetime | None = strawberry.field(description="When they last looked at everything; null is never.")
    undecided: list[str] = strawberry.field(
        description="Detectors that could not know then; their findings stayed as they were.",
        directives=at_most(len(DETECTORS)),
    )
    partly_undecided: list[PartlyUndecided] = strawberry.field(
        description="Detectors that knew of most then, and could not of some things: that nothing is said of "
        "those means nothing.",
        directives=at_most(len(DETECTORS)),
    )


@strawberry.type
class FindingsQuery:
    """Root fields of this slice."""

    @strawberry.field(description="When detectors last looked: what it means that none is listed.")
    async def finding_round(self, info: Info) -> FindingRound:
        """Of the asker's tenant."""
        last = await info.context.read(last_round)
        return FindingRound(
            current=last.is_current(info.context.now),
            ended_at=last.ended_at,
            undecided=list(last.undecided),
            partly_undecided=[PartlyUndecided(detector=name, count=count) for name, count in last.partly.items()],
        )

    @strawberry.field(description="What detectors say, last changed first.", directives=paged())
    async def findings(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        states: States = None,
        severities: Severities = None,
        detectors: Annotated[
            list[str] | None, strawberry.argument(description="Only what these detectors say.")
        ] = None,
        cluster: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only what concerns this cluster, also with others."),
        ] = None,
        order_by: Annotated[
            FindingOrder | None, strawberry.argument(description="In which order; null is last changed first.")
        ] = None,
    ) -> Connection[Finding]:
        """Resolved ones too, unless narrowed."""
        asked = FindingFilter(
            states=tuple(states or ()),
            severities=tuple(severities or ()),
            detectors=tuple(detectors or ()),
            registration_ids=await cluster_asked(info.context, cluster),
        )
        order = order_of(order_by)
        listing = repository.FINDINGS if order is None else repository.FINDING_ORDERS[order]
        pages = Pages(info.context, listing, None, window_of(first, after, last, before), asked)
        return Connection(pages=await or_revoked(asked.registration_ids, pages))


@strawberry.type
class FindingsMutation:
    """Mutations of this slice."""

    @mutation(
        Permission.FINDINGS_WRITE,
        "Say that somebody knows about a finding.",
        answers="The finding as it is now, or why nothing changed.",
    )
    async def acknowledge_finding(
        self,
        info: Info,
        finding: Annotated[strawberry.ID, strawberry.argument(description="The finding's id.")],
        note: Annotated[str, strawberry.argument(description="What they say about it.")] = "",
    ) -> Finding:
        """It stays until its reason is gone."""
        context = info.context
        identity = uuid_of(finding, "Finding")
        async with context.write() as c:
            await service.acknowledge(c, context.scope, identity, note, context.clock.now())
            found = from_row(Finding, await repository.finding_row(c, context.scope, identity))
        context.announce(context.scope.tenant_id, "findings", id=str(identity))
        return found
