"""What people ask about free ranges, and how they reserve them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission
from periplus_hub.addresses.free import repository_reservations, service, service_reservations
from periplus_hub.addresses.free.graphql_types import AddressPlan, RangeReservation
from periplus_hub.addresses.free.model import PlanAsk
from periplus_hub.addresses.free.service_reservations import ReservationWish
from periplus_hub.addresses.ipam.graphql_types import UsedFor
from periplus_hub.fleet.graphql_asked import domain_asked
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import Cost, paged
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of

_PLAN_WEIGHT: Final = 50
"""It reads every allocation of the tenant."""


Clusters = Annotated[list[strawberry.ID] | None, strawberry.argument(description="Ids of clusters that are there.")]
NewClusters = Annotated[
    list[str] | None,
    strawberry.argument(description="Names of clusters that are not there yet: give nodes and services."),
]
NewDomain = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="The network domain that clusters which are not there yet will be in: their nodes belong into the "
        "networks that people entered in it."
    ),
]
Nodes = Annotated[int | None, strawberry.argument(description="Each has so many nodes. Left out: as now.")]
Pods = Annotated[int | None, strawberry.argument(description="Each has so many pods. Left out: as now.")]
Services = Annotated[int | None, strawberry.argument(description="Each has so many services. Left out: as now.")]
Growth = Annotated[Decimal, strawberry.argument(description="How many times that there must be room for, 1 to 100.")]
Ended = Annotated[bool, strawberry.argument(description="Also those that were released or expired.")]
Uses = Annotated[list[UsedFor] | None, strawberry.argument(description="Only for these: POD, SERVICE, NODE.")]


@strawberry.input(description="Which range to reserve, for whom.")
class ReserveRangeInput:
    """See addresses.free.service_reservations.reserve_range."""

    cidr: Cidr = strawberry.field(description="The range; free, and wholly so.")
    kind: UsedFor = strawberry.field(description="What for: POD, SERVICE or NODE.")
    cluster_name: str = strawberry.field(description="For which cluster; it need not be there yet.")
    reason: str = strawberry.field(default="", description="Why, up to 1,000 characters.")
    expires_at: datetime = strawberry.field(description="Until when, at most two years ahead.")


@strawberry.type
class FreeRangesQuery:
    """Root fields about free ranges."""

    @strawberry.field(
        description="Free ranges for the pods, services and nodes of clusters, sized by what each has.",
        directives=[Cost(weight=_PLAN_WEIGHT)],
    )
    async def plan(
        self,
        info: Info,
        *,
        clusters: Clusters = None,
        new_clusters: NewClusters = None,
        nodes: Nodes = None,
        pods: Pods = None,
        services: Services = None,
        growth: Growth = Decimal(2),
        kinds: Uses = None,
        domain: NewDomain = None,
    ) -> AddressPlan:
        """Computed anew each time."""
        in_domain = await domain_asked(info.context, domain)
        ask = PlanAsk(
            domain_id=in_domain[0] if in_domain else None,
            clusters=tuple(uuid_of(each, "Cluster") for each in clusters or ()),
            new_clusters=tuple(new_clusters or ()),
            nodes=nodes,
            pods=pods,
            services=services,
            growth=growth,
            kinds=tuple(kinds or ()),
        )
        return AddressPlan.of(await info.context.read(service.plan, ask, info.context.now))

    @strawberry.field(description="Reservations of ranges, newest first.", directives=paged())
    async def range_reservations(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        ended: Ended = False,
    ) -> Connection[RangeReservation]:
        """Who means to use what: what is in force, unless the ended ones are asked for too."""
        window, context = window_of(first, after, last, before), info.context
        listing = repository_reservations.RESERVATIONS
        return Connection(pages=Pages(context, listing, None, window, None if ended else context.now))


@strawberry.type
class ReservationsMutation:
    """Mutations about reservations."""

    @mutation(
        Permission.ADDRESSES_RESERVE,
        "Take a free range for a cluster, for a time.",
        answers="The reservation, or why there is none.",
    )
    async def reserve_range(
        self,
        info: Info,
        input: Annotated[ReserveRangeInput, strawberry.argument(description="Which, for whom.")],  # noqa: A002 - GraphQL's usual name
    ) -> RangeReservation:
        """It ends by itself."""
        context = info.context
        wish = ReservationWish(
            cidr=input.cidr,
            kind=input.kind,
            cluster_name=input.cluster_name,
            reason=input.reason,
            expires_at=input.expires_at,
        )
        async with context.write() as c:
            made = await service_reservations.reserve_range(c, context.scope, wish, context.clock.now())
            row = await repository_reservations.reservation_row(c, context.scope, made.id)
            return from_row(RangeReservation, row)

    @mutation(
        Permission.ADDRESSES_RESERVE,
        "Give a reservation another reason or another end.",
        answers="The reservation, or why nothing changed.",
    )
    async def renew_reservation(
        self,
        info: Info,
        reservation: Annotated[strawberry.ID, strawberry.argument(description="The reservation's id.")],
        *,
        reason: Annotated[
            str | None, strawberry.argument(description="Why, up to 1,000 characters. Left out: as it was.")
        ] = None,
        expires_at: Annotated[
            datetime | None,
            strawberry.argument(description="Until when, at most two years ahead; or as it was."),
        ] = None,
    ) -> RangeReservation:
        """The range stays reserved."""
        context = info.context
        identity = uuid_of(reservation, "RangeReservation")
        async with context.write() as c:
            await service_reservations.renew_reservation(
                c, context.scope, identity, context.clock.now(), reason=reason, expires_at=expires_at
            )
            row = await repository_reservations.reservation_row(c, context.scope, identity)
            return from_row(RangeReservation, row)

    @mutation(
        Permission.ADDRESSES_RESERVE,
        "Give a reserved range back before its time.",
        answers="The ended reservation, or why nothing changed.",
    )
    async def release_range(
        self,
        info: Info,
        reservation: Annotated[strawberry.ID, strawberry.argument(description="The reservation's id.")],
    ) -> RangeReservation:
        """The range is free again."""
        context = info.context
        identity = uuid_of(reservation, "RangeReservation")
        async with context.write() as c:
            await service_reservations.release_range(c, context.scope, identity, context.clock.now())
            row = await repository_reservations.reservation_row(c, context.scope, identity)
            return from_row(RangeReservation, row)
