"""What people do to the fleet."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import strawberry
import structlog

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet import service
from periplus_hub.fleet.graphql import Cluster, ClusterId, DomainId, DomainLink, JoinToken, NetworkDomain
from periplus_hub.fleet.model import CLUSTERS_TOPIC, DOMAINS_TOPIC, Mode
from periplus_hub.kit.db import ReadConnection, WriteConnection
from periplus_hub.kit.errors import NotFound as NotFoundRefusal
from periplus_hub.kit.graphql import from_row, uuid_of
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_types import Conflict, Forbidden, Invalid, NotFound, attempt

_log: Final = structlog.get_logger(__name__)


@strawberry.type(description="A new join token. Its text is shown this once.")
class CreatedJoinToken:
    """Carries the secret."""

    token: str = strawberry.field(description="Give it to one spoke: single use, valid for an hour.")
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


CreateJoinTokenResult = Annotated[
    CreatedJoinToken | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("CreateJoinTokenResult", description="The new token, or why there is none."),
]
WithdrawJoinTokenResult = Annotated[
    WithdrawnJoinToken | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("WithdrawJoinTokenResult", description="What was withdrawn, or why nothing was."),
]
ApproveClusterResult = Annotated[
    Cluster | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("ApproveClusterResult", description="The cluster as it is now, or why nothing changed."),
]
RevokeClusterResult = Annotated[
    Cluster | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("RevokeClusterResult", description="The cluster as it is now, or why nothing changed."),
]
CreateNetworkDomainResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("CreateNetworkDomainResult", description="The new domain, or why there is none."),
]
UpdateNetworkDomainResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("UpdateNetworkDomainResult", description="The domain as it is now, or why nothing changed."),
]
DeleteNetworkDomainResult = Annotated[
    DeletedNetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("DeleteNetworkDomainResult", description="What was deleted, or why nothing was."),
]

MoveClustersResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("MoveClustersResult", description="The domain they are in now, or why nothing changed."),
]
ConnectDomainsResult = Annotated[
    DomainLink | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("ConnectDomainsResult", description="The connection, or why there is none."),
]
DisconnectDomainsResult = Annotated[
    NetworkDomain | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("DisconnectDomainsResult", description="The first domain, or why nothing changed."),
]
IsolateClustersResult = Annotated[
    IsolatedClusters | NotFound | Forbidden | Conflict | Invalid,
    strawberry.union("IsolateClustersResult", description="The clusters as they are now, or why nothing changed."),
]
MovedClusters = Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 clusters.")]


@strawberry.type
class FleetMutation:
    """Mutations of this slice."""

    @strawberry.mutation(description="Make a join token. Needs fleet:approve.")
    async def create_join_token(
        self,
        info: Info,
        input: Annotated[CreateJoinTokenInput, strawberry.argument(description="What it is for.")],  # noqa: A002 - GraphQL's usual name
    ) -> CreateJoinTokenResult:
        """Its text is in the answer, once."""
        context = info.context

        async def work() -> CreatedJoinToken:
            context.scope.require(Permission.FLEET_APPROVE)
            async with context.db.write() as c:
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

        return await attempt(context, work)

    @strawberry.mutation(description="Take back a join token that was not used. Needs fleet:approve.")
    async def withdraw_join_token(
        self, info: Info, token: Annotated[strawberry.ID, strawberry.argument(description="The join token's id.")]
    ) -> WithdrawJoinTokenResult:
        """A used one is history: revoke the cluster instead."""
        context = info.context

        async def work() -> WithdrawnJoinToken:
            context.scope.require(Permission.FLEET_APPROVE)
            identity = uuid_of(token, "JoinToken")
            async with context.db.write() as c:
                public_id = await service.withdraw_join_token(c, context.scope, identity)
            return WithdrawnJoinToken(id=token, public_id=public_id)

        return await attempt(context, work)

    @strawberry.mutation(description="Let a pending cluster send. Needs fleet:approve.")
    async def approve_cluster(self, info: Info, cluster: ClusterId) -> ApproveClusterResult:
        """Approving twice changes nothing."""
        context = info.context

        async def work() -> Cluster:
            context.scope.require(Permission.FLEET_APPROVE)
            identity = uuid_of(cluster, "Cluster")
            async with context.db.write() as c:
                await service.approve(c, context.scope, context.clock, identity)
                found = await _cluster(c, context.scope, identity)
            context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(identity))
            _log.info("cluster_approved", cluster=found.name, registration=str(identity), by=context.scope.actor)
            return found

        return await attempt(context, work)

    @strawberry.mutation(description="Shut a cluster out for good, within ten seconds. Needs fleet:approve.")
    async def revoke_cluster(self, info: Info, cluster: ClusterId) -> RevokeClusterResult:
        """Revoking twice changes nothing."""
        context = info.context

        async def work() -> Cluster:
            context.scope.require(Permission.FLEET_APPROVE)
            identity = uuid_of(cluster, "Cluster")
            async with context.db.write() as c:
                await service.revoke(c, context.scope, context.clock, identity)
                found = await _cluster(c, context.scope, identity)
            context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(identity))
            _log.info("cluster_revoked", cluster=found.name, registration=str(identity), by=context.scope.actor)
            return found

        return await attempt(context, work)

    @strawberry.mutation(description="Make a network domain, empty at first. Needs domains:write.")
    async def create_network_domain(
        self,
        info: Info,
        input: Annotated[CreateNetworkDomainInput, strawberry.argument(description="The new domain.")],  # noqa: A002 - GraphQL's usual name
    ) -> CreateNetworkDomainResult:
        """See moveClusters for filling it."""
        context = info.context

        async def work() -> NetworkDomain:
            async with context.db.write() as c:
                made = await service.create_domain(c, context.scope, input.name, input.description)
                return await _domain(c, context.scope, made.id)

        return await attempt(context, work)

    @strawberry.mutation(description="Rename or describe a network domain. Needs domains:write.")
    async def update_network_domain(
        self,
        info: Info,
        domain: DomainId,
        input: Annotated[UpdateNetworkDomainInput, strawberry.argument(description="What to change.")],  # noqa: A002 - GraphQL's usual name
    ) -> UpdateNetworkDomainResult:
        """A domain that came with a cluster becomes one of its own right by it."""
        context = info.context

        async def work() -> NetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            identity = uuid_of(domain, "NetworkDomain")
            async with context.db.write() as c:
                await service.change_domain(c, context.scope, identity, name=input.name, description=input.description)
                return await _domain(c, context.scope, identity)

        return await attempt(context, work)

    @strawberry.mutation(description="Delete an empty network domain and its connections. Needs domains:write.")
    async def delete_network_domain(self, info: Info, domain: DomainId) -> DeleteNetworkDomainResult:
        """Refused while clusters live in it."""
        context = info.context

        async def work() -> DeletedNetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            identity = uuid_of(domain, "NetworkDomain")
            async with context.db.write() as c:
                before = await _domain(c, context.scope, identity)
                await service.delete_domain(c, context.scope, identity, now=context.clock.now())
            return DeletedNetworkDomain(id=before.id, name=before.name)

        return await attempt(context, work)

    @strawberry.mutation(description="Move clusters into a network domain. Needs domains:write.")
    async def move_clusters(
        self,
        info: Info,
        domain: DomainId,
        clusters: MovedClusters,
    ) -> MoveClustersResult:
        """Domains that came with a cluster and are left empty end."""
        context = info.context

        async def work() -> NetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            target, moved = uuid_of(domain, "NetworkDomain"), [uuid_of(each, "Cluster") for each in clusters]
            async with context.db.write() as c:
                await service.move_clusters(c, context.scope, target, moved, now=context.clock.now())
                found = await _domain(c, context.scope, target)
            for each in moved:
                context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(each))
            return found

        return await attempt(context, work)

    @strawberry.mutation(description="Give each of these clusters a domain of its own. Needs domains:write.")
    async def isolate_clusters(self, info: Info, clusters: MovedClusters) -> IsolateClustersResult:
        """The way back from moveClusters. A cluster that is alone in the domain it came with stays there."""
        context = info.context

        async def work() -> IsolatedClusters:
            context.scope.require(Permission.DOMAINS_WRITE)
            moved = [uuid_of(each, "Cluster") for each in clusters]
            async with context.db.write() as c:
                await service.isolate_clusters(c, context.scope, moved, now=context.clock.now())
                rows = await repository.clusters_by_ids(c, context.scope, moved)
            for each in moved:
                context.announce(context.scope.tenant_id, CLUSTERS_TOPIC, id=str(each))
            return IsolatedClusters(clusters=[from_row(Cluster, rows[each]) for each in dict.fromkeys(moved)])

        return await attempt(context, work)

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

        async def work() -> DomainLink:
            context.scope.require(Permission.DOMAINS_WRITE)
            pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
            async with context.db.write() as c:
                await service.connect(c, context.scope, pair, mode, note, now=context.clock.now())
                row = await repository.connection_row(c, context.scope, pair)
            context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(pair[0]))
            return from_row(DomainLink, row)

        return await attempt(context, work)

    @strawberry.mutation(description="Isolate two network domains from each other again. Needs domains:write.")
    async def disconnect_domains(self, info: Info, a: DomainId, b: DomainId) -> DisconnectDomainsResult:
        """Other connections stay."""
        context = info.context

        async def work() -> NetworkDomain:
            context.scope.require(Permission.DOMAINS_WRITE)
            pair = (uuid_of(a, "NetworkDomain"), uuid_of(b, "NetworkDomain"))
            async with context.db.write() as c:
                await service.disconnect(c, context.scope, pair, now=context.clock.now())
                found = await _domain(c, context.scope, pair[0])
            context.announce(context.scope.tenant_id, DOMAINS_TOPIC, id=str(pair[0]))
            return found

        return await attempt(context, work)


async def _cluster(c: WriteConnection, scope: Scope, identity: UUID) -> Cluster:
    return from_row(Cluster, (await repository.clusters_by_ids(c, scope, [identity]))[identity])


async def _domain(c: ReadConnection, scope: Scope, identity: UUID) -> NetworkDomain:
    row = (await repository.domains_by_ids(c, scope, [identity])).get(identity)
    if row is None:
        raise NotFoundRefusal(f"no network domain {identity}", "List the domains and take an id from there.")
    return from_row(NetworkDomain, row)
