"""What people may ask about addresses."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ipam.graphql_arguments import ClusterFilterArgument, Family, Within, family_of
from periplus_hub.addresses.overlaps import repository_groups
from periplus_hub.addresses.overlaps.engine.what_if import ListPosition
from periplus_hub.addresses.overlaps.graphql_orders import OverlapGroupOrder
from periplus_hub.addresses.overlaps.graphql_pages import JoinedPages, ReadPages
from periplus_hub.addresses.overlaps.graphql_pairs import OverlapsBetween, compared
from periplus_hub.addresses.overlaps.graphql_register import (
    AS_OF,
    STATE,
    OverlapCounts,
    OverlapRegister,
    SeverityCount,
    computed_at,
    register_of,
    state_of,
)
from periplus_hub.addresses.overlaps.graphql_types import OverlapGroup, Severities
from periplus_hub.addresses.overlaps.model import GroupFilter, JoinedGroup, RegisterState, Severity
from periplus_hub.addresses.overlaps.repository_groups import GroupAsk
from periplus_hub.addresses.overlaps.service_pairs import PairAsk
from periplus_hub.addresses.overlaps.service_what_if import JoinAsk, list_position
from periplus_hub.fleet.graphql_asked import domain_asked, live_cluster_asked
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import uuid_of
from periplus_hub.kit.graphql_prices import Cost, ListSize, paged
from periplus_hub.kit.graphql_types import After, Before, Connection, Edge, First, Last, PageInfo, order_of
from periplus_hub.kit.keyset import Slice
from periplus_hub.kit.windows import window_of


@strawberry.type(description="A page of overlap groups, worst first.")
class OverlapGroupConnection(Connection[OverlapGroup]):
    """Stored groups, or those that joining would bring."""

    @strawberry.field(description=AS_OF)
    async def as_of(self, info: Info) -> datetime:
        """The register's instant."""
        return info.context.now if self._anew else await computed_at(info.context)

    @strawberry.field(description=STATE)
    async def state(self, info: Info) -> RegisterState | None:
        """The register's."""
        return None if self._anew else await state_of(info.context)

    @property
    def _anew(self) -> bool:
        return isinstance(self.pages, _Joined)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Joined groups as nodes."""

    pages: JoinedPages

    async def page(self) -> Slice:
        page = await self.pages.groups()
        return replace(page, rows=[OverlapGroup.of_joined(each) for each in page.rows], key=_joined_key)

    async def total(self) -> int:
        return await self.pages.total()


def _joined_key(group: OverlapGroup) -> ListPosition:
    return list_position(cast("JoinedGroup", group.joined))


@strawberry.type(description="An overlap group a cluster is in, and how much it hurts that cluster.")
class ClusterOverlapGroupEdge(Edge[OverlapGroup]):
    """Relay's edge with the cluster's own severity."""

    severity: Severity = strawberry.field(
        description="The worst of any pair the cluster takes part in there, or INTENDED while the group is accepted."
    )


@strawberry.type(description="A page of the overlap groups a cluster is in, those that hurt it most first.")
class ClusterOverlapGroupConnection:
    """Reads nothing until a field is asked for."""

    pages: strawberry.Private[ReadPages]

    @strawberry.field(description="The groups.", directives=[Cost(weight=0), ListSize(assumed_size=50, of_page=True)])
    async def nodes(self) -> list[OverlapGroup]:
        """Without the cluster's own severity."""
        return cast("list[OverlapGroup]", (await self.pages.page()).rows)

    @strawberry.field(
        description="The groups with the cluster's own severity in them.",
        directives=[Cost(weight=0), ListSize(assumed_size=50, of_page=True)],
    )
    async def edges(self) -> list[ClusterOverlapGroupEdge]:
        """Relay's edges."""
        page = await self.pages.page()
        return [
            ClusterOverlapGroupEdge(cursor=page.cursor(row), node=row, severity=Severity(row.own_severity))
            for row in page.rows
        ]

    @strawberry.field(description="Where the page begins and ends.", directives=[Cost(weight=0)])
    async def page_info(self) -> PageInfo:
        """Relay's pageInfo."""
        return PageInfo.of(await self.pages.page())

    @strawberry.field(description="How many groups it is in; counted anew.", directives=[Cost(weight=10)])
    async def total_count(self) -> int:
        """A count over the whole list."""
        return await self.pages.total()

    @strawberry.field(description="When the stored groups were last up to date, to the minute.")
    async def as_of(self, info: Info) -> datetime:
        """The register's instant."""
        return await computed_at(info.context)

    @strawberry.field(description="What the stored groups may be taken for.")
    async def state(self, info: Info) -> RegisterState:
        """The register's."""
        return await state_of(info.context)


@strawberry.type
class ClusterOverlaps:
    """Fields this slice adds to Cluster."""

    registration_id: strawberry.Private[UUID]

    @strawberry.field(
        description="The overlap groups it is in, those that hurt it most first; severities are its own in the group. "
        "Null with the error not-computed while nobody ever computed any.",
        directives=paged(50, 1_000),
    )
    async def overlap_groups(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        severities: Severities = None,
    ) -> ClusterOverlapGroupConnection | None:
        """One statement for all clusters of the answer."""
        await computed_at(info.context)
        asked = GroupAsk(GroupFilter(severities=tuple(severities or ())), info.context.now)
        read, count = repository_groups.groups_of_clusters, repository_groups.group_totals_of_clusters
        pages = ReadPages(info.context, read, count, self.registration_id, window_of(first, after, last, before), asked)
        return ClusterOverlapGroupConnection(pages=pages)


@strawberry.type
class OverlapsQuery:
    """Root fields about overlaps."""

    @strawberry.field(
        description="Where owners of addresses collide, worst first. Null with the error not-computed while nobody "
        "ever computed any: that is not none.",
        directives=paged(50, 1_000, weight=10),
    )
    async def overlap_groups(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        severities: Severities = None,
        family: Family = None,
        cluster: ClusterFilterArgument = None,
        domain: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only groups with a member in this network domain.")
        ] = None,
        within: Within = None,
        if_joined: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="As if these clusters were one network; only they are looked at."),
        ] = None,
        if_all_joined: Annotated[
            bool, strawberry.argument(description="As if all clusters were joined in one network.")
        ] = False,
        order_by: Annotated[
            OverlapGroupOrder | None,
            strawberry.argument(description="In which order; null is worst first, as it is with ifJoined always."),
        ] = None,
    ) -> OverlapGroupConnection | None:
        """With ifJoined or ifAllJoined, computed anew."""
        context, now = info.context, info.context.now
        only = GroupFilter(
            severities=tuple(severities or ()),
            registration_ids=await live_cluster_asked(context, cluster),
            domain_ids=await domain_asked(context, domain),
            family=family_of(family),
            within=within,
        )
        window = window_of(first, after, last, before)
        if if_all_joined or if_joined is not None:
            some = None if if_all_joined else tuple(uuid_of(each, "Cluster") for each in if_joined or ())
            if order_by is not None:
                raise Invalid("what joining would bring is listed worst first", "Leave orderBy out.")
            joined = JoinedPages(context, JoinAsk(some, now), only, window)
            return OverlapGroupConnection(pages=_Joined(joined))
        await computed_at(context)
        read, count = repository_groups.groups, repository_groups.group_total
        pages = ReadPages(context, read, count, None, window, GroupAsk(only, now, order_of(order_by)))
        return OverlapGroupConnection(pages=pages)

    @strawberry.field(description="Every overlap of two active clusters.", directives=[Cost(weight=10)])
    async def overlaps_between(
        self,
        info: Info,
        cluster_a: Annotated[strawberry.ID, strawberry.argument(description="One cluster.")],
        cluster_b: Annotated[strawberry.ID, strawberry.argument(description="The other one.")],
    ) -> OverlapsBetween:
        """Pairs are computed when asked for, never stored."""
        context = info.context
        ends = (uuid_of(cluster_a, "Cluster"), uuid_of(cluster_b, "Cluster"))
        return await compared(context, PairAsk(*ends, context.now))

    @strawberry.field(
        description="How many overlap groups there are of each severity. Null with the error not-computed while nobody "
        "ever computed any: that is not zero."
    )
    async def overlap_counts(self, info: Info) -> OverlapCounts | None:
        """Worst first."""
        context = info.context
        now, at, state = context.now, await computed_at(context), await state_of(context)
        counts = await context.read(repository_groups.severity_counts, now)
        found = [SeverityCount(severity=severity, groups=groups) for severity, groups in counts.items()]
        return OverlapCounts(severities=found, state=state, as_of=at)

    @strawberry.field(description="Whether the overlap groups include every change there was.")
    async def overlap_register(self, info: Info) -> OverlapRegister:
        """The register's revision."""
        return await register_of(info.context)
