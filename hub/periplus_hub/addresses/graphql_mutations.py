"""What people do about overlaps; also moves and connections of domains, because they change which addresses collide."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.addresses import repository_graphql as repository
from periplus_hub.addresses import service
from periplus_hub.addresses.graphql_types import OverlapAcceptance
from periplus_hub.addresses.service_ipam import domain_changed
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet import service as fleet_service
from periplus_hub.fleet.graphql import DomainConnection, DomainId, NetworkDomain
from periplus_hub.fleet.model import CLUSTERS_TOPIC, Mode
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import Conflict, Forbidden, Invalid, NotFound, attempt

MoveClustersResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("MoveClustersResult", description="The domain they are in now, or why nothing changed."),
]
ConnectDomainsResult = Annotated[
    DomainConnection | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("ConnectDomainsResult", description="The connection, or why there is none."),
]
DisconnectDomainsResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("DisconnectDomainsResult", description="The first domain, or why nothing changed."),
]
AcceptOverlapResult = Annotated[
    OverlapAcceptance | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("AcceptOverlapResult", description="The acceptance, or why there is none."),
]
WithdrawAcceptanceResult = Annotated[
    OverlapAcceptance | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("WithdrawAcceptanceResult", description="The ended acceptance, or why nothing changed."),
]


@strawberry.input(description="Which overlap is meant, and why.")
class AcceptOverlapInput:
    """See addresses.service.accept_overlap."""

    cidr: Cidr = strawberry.field(description="The group's own CIDR, as the list shows it.")
    reason: str = strawberry.field(description="Why it is meant, 3 to 1,000 characters.")
    expires_at: datetime = strawberry.field(description="Until when, at most two years ahead.")


@strawberry.type
class AddressesMutation:
    """Mutations of this slice."""

    @strawberry.mutation(description="Move clusters into a network domain. Needs domains:write.")
    async def move_clusters(
        self,
        info: Info,
        domain: DomainId,
        clusters: Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 clusters.")],
    ) -> MoveClustersResult:
        """Domains that came with a cluster and are left empty vanish."""
        context = info.context

        async def work() -> NetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            target, moved = uuid_of(domain, "NetworkDomain"), [uuid_of(each, "Cluster") for each in clusters]
            async with context.db.write() as c:
                now = context.clock.now()
                await fleet_service.move_clusters(c, context.scope, target, moved, now=now)
                await domain_changed(c, context.scope, moved, now=now)
                found = await _domain(c, context.scope, target)
            for each in moved:
                context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(each))
            return found

        return await attempt(work)

    @strawberry.mutation(description="Say how two network domains are connected. Needs domains:write.")
    async def connect_domains(
        self,
        info: Info,
        a: DomainId,
        b: DomainId,
        mode: Annotated[Mode, strawberry.argument(description="How.")],
        note: Annotated[str, strawberry.argument(description="Why, at most 500 characters.")] = "",
    ) -> ConnectDomainsResult:
        """Replaces what was said before."""
        context = info.context

        async def work() -> DomainConnection:
            context.scope.require(Permission.DOMAINS_WRITE)
            pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
            async with context.db.write() as c:
                await fleet_service.connect(c, context.scope, pair, mode, note)
                await domain_changed(c, context.scope, now=context.clock.now())
                rows = (await fleet.connections_by_domains(c, context.scope, [pair[0]]))[pair[0]]
            row = next(row for row in rows if {row.domain_a, row.domain_b} == set(pair))
            return DomainConnection.of(row, pair[0])

        return await attempt(work)

    @strawberry.mutation(description="Isolate two network domains from each other again. Needs domains:write.")
    async def disconnect_domains(self, info: Info, a: DomainId, b: DomainId) -> DisconnectDomainsResult:
        """Other connections stay."""
        context = info.context

        async def work() -> NetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
            async with context.db.write() as c:
                await fleet_service.disconnect(c, context.scope, pair)
                await domain_changed(c, context.scope, now=context.clock.now())
                return await _domain(c, context.scope, pair[0])

        return await attempt(work)

    @strawberry.mutation(description="Say that an overlap is meant, for a time. Needs overlaps:accept.")
    async def accept_overlap(
        self,
        info: Info,
        input: Annotated[AcceptOverlapInput, strawberry.argument(description="Which and why.")],  # noqa: A002 - GraphQL's usual name
    ) -> AcceptOverlapResult:
        """It ends by itself."""
        context = info.context

        async def work() -> OverlapAcceptance:
            async with context.db.write() as c:
                now = context.clock.now()
                made = await service.accept_overlap(c, context.scope, input.cidr, input.reason, input.expires_at, now)
                return from_row(OverlapAcceptance, await repository.acceptance_row(c, context.scope, made.id))

        return await attempt(work)

    @strawberry.mutation(description="End an acceptance before its time. Needs overlaps:accept.")
    async def withdraw_acceptance(
        self,
        info: Info,
        acceptance: Annotated[strawberry.ID, strawberry.argument(description="The acceptance's id.")],
    ) -> WithdrawAcceptanceResult:
        """The group has its own severity again."""
        context = info.context

        async def work() -> OverlapAcceptance:
            context.scope.require(Permission.OVERLAPS_ACCEPT)
            identity = uuid_of(acceptance, "OverlapAcceptance")
            async with context.db.write() as c:
                await service.withdraw_acceptance(c, context.scope, identity, context.clock.now())
                return from_row(OverlapAcceptance, await repository.acceptance_row(c, context.scope, identity))

        return await attempt(work)


async def _domain(c: WriteConnection, scope: Scope, identity: UUID) -> NetworkDomain:
    return from_row(NetworkDomain, (await fleet.domains_by_ids(c, scope, [identity]))[identity])
