"""What people do to the fleet."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry
import structlog

from periplus_hub.access.graphql import Info
from periplus_hub.access.graphql_rights import mutation
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet import service
from periplus_hub.fleet.graphql import Cluster, ClusterId, DomainId, DomainLink, JoinToken, NetworkDomain
from periplus_hub.fleet.model import CLUSTERS_TOPIC, DOMAINS_TOPIC, Mode, Registration
from periplus_hub.kit.clock import Clock
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.errors import NotFound
from periplus_hub.kit.graphql import Context, from_row, uuid_of
from periplus_hub.kit.graphql_prices import at_most

_Decide = Callable[[WriteConnection, Scope, Clock, UUID], Awaitable[Registration]]

_log: Final = structlog.get_logger(__name__)


@strawberry.type(description="A new join token. Its text is shown this once.")
class CreatedJoinToken:
    """Carries the secret."""

    token: str = strawberry.field(description="What joins with it: one spoke within the hour, or agents until it ends.")
    join_token: JoinToken = strawberry.field(description="The token as it is listed from now on.")

    @strawberry.field(description="When it stops being accepted.")
    def expires_at(self) -> datetime:
        """As in joinToken."""
        return self.join_token.expires_at


@strawberry.type(description="A join token that is no more.")
class WithdrawnJoinToken:
    """What is left of it."""

    id: strawberry.ID = strawberry.field(description="Its former id.")
    public_id: str = strawberry.field(description="The part before the dot, as it appears in logs.")


@strawberry.type(description="A network domain that is no more.")
class DeletedNetworkDomain:
    """What is left of it."""

    id: strawberry.ID = strawberry.field(description="Its former id.")
    name: str = strawberry.field(description="Its former name.")


@strawberry.type(description="Clusters that have a network domain of their own now.")
class IsolatedClusters:
    """In the order asked for."""

    clusters: list[Cluster] = strawberry.field(description="They.", directives=at_most(10))


@strawberry.input(description="What the join token is for.")
class CreateJoinTokenInput:
    """See fleet.service.create_join_token."""

    cluster_name: str | None = strawberry.field(
        default=None, description="The name the cluster will have; null lets the spoke choose."
    )
    domain: strawberry.ID | None = strawberry.field(
        default=None,
        description="The network domain the cluster lands in, which needs domains:write; null leaves that to the hub.",
    )
    auto_approve: bool = strawberry.field(default=False, description="Let it in without a person's approval.")


@strawberry.input(description="A new network domain.")
class CreateNetworkDomainInput:
    """See fleet.service.create_domain."""

    name: str = strawberry.field(description="Unique in the tenant, 1 to 100 characters.")
    description: str = strawberry.field(default="", description="What it stands for, at most 500 characters.")


@strawberry.input(description="What to change; what is left out stays.")
class UpdateNetworkDomainInput:
    """See fleet.service.change_domain."""

    name: str | None = strawberry.field(default=None, description="Its new name.")
    description: str | None = strawberry.field(default=None, description="Its new description.")


MovedClusters = Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 clusters.")]


@strawberry.type
class FleetMutation:
    """Mutations of this slice."""

    @mutation(Permission.FLEET_APPROVE, "Make a join token.", answers="The new token, or why there is none.")
    async def create_join_token(
        self,
        info: Info,
        input: Annotated[CreateJoinTokenInput, strawberry.argument(description="What it is for.")],  # noqa: A002 - GraphQL's usual name
    ) -> CreatedJoinToken:
        """Its text is in the answer, once."""
        context = info.context
        async with context.write() as c:
            new = await service.create_join_token(
                c,
                context.scope,
                context.clock,
                cluster_name=input.cluster_name,
                domain_id=None if input.domain is None else uuid_of(input.domain, "NetworkDomain"),
                auto_approve=input.auto_approve,
            )
            row = await repository.join_token_row(c, context.scope, new.token.id)
        return CreatedJoinToken(token=new.text, join_token=from_row(JoinToken, row))

    @mutation(
        Permission.FLEET_APPROVE,
        "Take back a join token that was not used.",
        answers="What was withdrawn, or why nothing was.",
    )
    async def withdraw_join_token(
        self, info: Info, token: Annotated[strawberry.ID, strawberry.argument(description="The join token's id.")]
    ) -> WithdrawnJoinToken:
        """A used one is history: revoke the cluster instead."""
        context = info.context
        identity = uuid_of(token, "JoinToken")
        async with context.write() as c:
            public_id = await service.withdraw_join_token(c, context.scope, identity)
        return WithdrawnJoinToken(id=token, public_id=public_id)

    @mutation(
        Permission.FLEET_APPROVE,
        "Let a pending cluster send.",
        answers="The cluster as it is now, or why nothing changed.",
    )
    async def approve_cluster(self, info: Info, cluster: ClusterId) -> Cluster:
        """Approving twice changes nothing."""
        return await _decided(info.context, uuid_of(cluster, "Cluster"), service.approve, "cluster_approved")

    @mutation(
        Permission.FLEET_APPROVE,
        "Shut a cluster out for good, within ten seconds.",
        answers="The cluster as it is now, or why nothing changed.",
    )
    async def revoke_cluster(self, info: Info, cluster: ClusterId) -> Cluster:
        """Revoking twice changes nothing."""
        return await _decided(info.context, uuid_of(cluster, "Cluster"), service.revoke, "cluster_revoked")

    @mutation(
        Permission.DOMAINS_WRITE,
        "Make a network domain, empty at first.",
        answers="The new domain, or why there is none.",
    )
    async def create_network_domain(
        self,
        info: Info,
        input: Annotated[CreateNetworkDomainInput, strawberry.argument(description="The new domain.")],  # noqa: A002 - GraphQL's usual name
    ) -> NetworkDomain:
        """See moveClusters for filling it."""
        context = info.context
        async with context.write() as c:
            made = await service.create_domain(c, context.scope, input.name, input.description)
            return await _domain(c, context.scope, made.id)

    @mutation(
        Permission.DOMAINS_WRITE,
        "Rename or describe a network domain.",
        answers="The domain as it is now, or why nothing changed.",
    )
    async def update_network_domain(
        self,
        info: Info,
        domain: DomainId,
        input: Annotated[UpdateNetworkDomainInput, strawberry.argument(description="What to change.")],  # noqa: A002 - GraphQL's usual name
    ) -> NetworkDomain:
        """A domain that came with a cluster becomes one of its own right by it."""
        context = info.context
        identity = uuid_of(domain, "NetworkDomain")
        async with context.write() as c:
            await service.change_domain(c, context.scope, identity, name=input.name, description=input.description)
            return await _domain(c, context.scope, identity)

    @mutation(
        Permission.DOMAINS_WRITE,
        "Delete an empty network domain and its connections.",
        answers="What was deleted, or why nothing was.",
    )
    async def delete_network_domain(self, info: Info, domain: DomainId) -> DeletedNetworkDomain:
        """Refused while clusters live in it."""
        context = info.context
        identity = uuid_of(domain, "NetworkDomain")
        async with context.write() as c:
            before = await _domain(c, context.scope, identity)
            await service.delete_domain(c, context.scope, identity, now=context.clock.now())
        return DeletedNetworkDomain(id=before.id, name=before.name)

    @mutation(
        Permission.DOMAINS_WRITE,
        "Move clusters into a network domain.",
        answers="The domain they are in now, or why nothing changed.",
    )
    async def move_clusters(
        self,
        info: Info,
        domain: DomainId,
        clusters: MovedClusters,
    ) -> NetworkDomain:
        """Domains that came with a cluster and are left empty end."""
        context = info.context
        target, moved = uuid_of(domain, "NetworkDomain"), [uuid_of(each, "Cluster") for each in clusters]
        async with context.write() as c:
            await service.move_clusters(c, context.scope, target, moved, now=context.clock.now())
            found = await _domain(c, context.scope, target)
        # After the session: who is told before the commit would read the old state and hear no second time.
        for each in moved:
            context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(each))
        return found

    @mutation(
        Permission.DOMAINS_WRITE,
        "Give each of these clusters a domain of its own.",
        answers="The clusters as they are now, or why nothing changed.",
    )
    async def isolate_clusters(self, info: Info, clusters: MovedClusters) -> IsolatedClusters:
        """The way back from moveClusters. A cluster that is alone in the domain it came with stays there."""
        context = info.context
        moved = [uuid_of(each, "Cluster") for each in clusters]
        async with context.write() as c:
            await service.isolate_clusters(c, context.scope, moved, now=context.clock.now())
            rows = await repository.clusters_by_ids(c, context.scope, moved)
        for each in moved:
            context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(each))
        return IsolatedClusters(clusters=[from_row(Cluster, rows[each]) for each in dict.fromkeys(moved)])

    @mutation(
        Permission.DOMAINS_WRITE,
        "Say how two network domains are connected.",
        answers="The connection, or why there is none.",
    )
    async def connect_domains(
        self,
        info: Info,
        a: DomainId,
        b: DomainId,
        mode: Annotated[Mode, strawberry.argument(description="How.")],
        note: Annotated[str, strawberry.argument(description="Why, at most 500 characters.")] = "",
    ) -> DomainLink:
        """Replaces what was said before."""
        context = info.context
        pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
        async with context.write() as c:
            await service.connect(c, context.scope, pair, mode, note, now=context.clock.now())
            row = await repository.connection_row(c, context.scope, pair)
        context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(pair[0]))
        return from_row(DomainLink, row)

    @mutation(
        Permission.DOMAINS_WRITE,
        "Isolate two network domains from each other again.",
        answers="The first domain, or why nothing changed.",
    )
    async def disconnect_domains(self, info: Info, a: DomainId, b: DomainId) -> NetworkDomain:
        """Other connections stay."""
        context = info.context
        pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
        async with context.write() as c:
            await service.disconnect(c, context.scope, pair, now=context.clock.now())
            found = await _domain(c, context.scope, pair[0])
        context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(pair[0]))
        return found


async def _decided(context: Context[Scope], identity: UUID, decide: _Decide, logged_as: str) -> Cluster:
    """The cluster after it was approved or revoked, told to subscribers and the log."""
    async with context.write() as c:
        await decide(c, context.scope, context.clock, identity)
        found = await _cluster(c, context.scope, identity)
    context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(identity))
    _log.info(logged_as, cluster=found.name, registration=str(identity), by=context.scope.actor)
    return found


async def _cluster(c: WriteConnection, scope: Scope, identity: UUID) -> Cluster:
    return from_row(Cluster, (await repository.clusters_by_ids(c, scope, [identity]))[identity])


async def _domain(c: ReadConnection, scope: Scope, identity: UUID) -> NetworkDomain:
    row = (await repository.domains_by_ids(c, scope, [identity])).get(identity)
    if row is None:
        raise NotFound(f"no network domain {identity}", "List the domains and take an id from there.")
    return from_row(NetworkDomain, row)
