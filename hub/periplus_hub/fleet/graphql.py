"""Clusters, network domains and their connections. Slices above add their fields to Cluster with kit.graphql.extend."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Permission
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet.graphql_asked import domain_asked
from periplus_hub.fleet.model import CONNECTED_WITHIN, Liveness, Mode, State
from periplus_hub.fleet.repository_graphql import ClusterFilter
from periplus_hub.kit.graphql import RowBacked, uuid_of
from periplus_hub.kit.graphql_prices import Cost, paged
from periplus_hub.kit.graphql_scalars import BigInt
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Node, OrderDirection, Pages, order_of
from periplus_hub.kit.windows import window_of

strawberry.enum(State, name="ClusterState", description="Where a registration stands. Revoked is final.")
strawberry.enum(Liveness, name="Liveness", description="Derived from when the spoke was last heard.")
strawberry.enum(
    Mode, name="ConnectionMode", description="How two network domains are connected; without a connection, isolated."
)
_MEMBERS: Final = ClusterFilter(states=(State.PENDING, State.ACTIVE))

ClusterId = Annotated[strawberry.ID, strawberry.argument(description="The cluster's id.")]
DomainId = Annotated[strawberry.ID, strawberry.argument(description="The network domain's id.")]


@strawberry.type(description="A set of clusters whose addresses are mutually unambiguous, like a VPC or a mesh.")
class NetworkDomain(RowBacked, Node):
    """fleet.model.NetworkDomain."""

    domain_id: strawberry.Private[UUID]
    name: str = strawberry.field(description="Unique among the tenant's domains that did not end.")
    description: str = strawberry.field(description="What it stands for; empty when nobody said.")
    implicit: bool = strawberry.field(
        description="Came with a cluster and ends when the cluster moves out or is revoked."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    ended_at: datetime | None = strawberry.field(
        description="When it ended; null while it is there. What ended is in no list, and named by what was in it."
    )

    @strawberry.field(description="Its clusters that are not revoked, by name.", directives=paged(50, 10_000))
    async def clusters(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection["Cluster"]:
        """One statement for all domains of the answer."""
        return Connection(
            pages=Pages(
                info.context, repository.CLUSTERS, self.domain_id, window_of(first, after, last, before), _MEMBERS
            )
        )

    @strawberry.field(description="How it is connected to others. Flat does not chain.", directives=paged(10, 1_000))
    async def connections(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection["DomainLink"]:
        """Seen from this domain: `other` is the far end."""
        return Connection(
            pages=Pages(
                info.context, repository.CONNECTIONS, self.domain_id, window_of(first, after, last, before, default=10)
            )
        )


@strawberry.type(description="How two network domains are connected.")
class DomainLink(RowBacked, Node):
    """fleet.model.DomainConnection, seen from one end."""

    own_id: strawberry.Private[UUID]
    other_id: strawberry.Private[UUID]
    mode: Mode = strawberry.field(description="How.")
    note: str = strawberry.field(description="Why; empty when nobody said.")
    created_at: datetime = strawberry.field(description="Since when.")

    @strawberry.field(description="The domain this is seen from.")
    async def own(self, info: Info) -> NetworkDomain:
        """The near end."""
        return cast("NetworkDomain", await info.context.load(repository.domains_by_ids, self.own_id))

    @strawberry.field(description="The domain at the far end.")
    async def other(self, info: Info) -> NetworkDomain:
        """The far end."""
        return cast("NetworkDomain", await info.context.load(repository.domains_by_ids, self.other_id))


@strawberry.type(description="A registration: one cluster's membership in the fleet, and what it told us.")
class Cluster(RowBacked, Node):
    """fleet.model.Registration. Unknown is null, never zero."""

    registration_id: strawberry.Private[UUID]
    domain_id: strawberry.Private[UUID]
    name: str = strawberry.field(description="Unique among clusters that are not revoked.")
    cluster_uid: str = strawberry.field(description="The uid of its kube-system namespace.")
    state: State = strawberry.field(description="Whether it may send.")
    method: str = strawberry.field(description="How it proved itself when it enrolled.")
    spoke_version: str = strawberry.field(description="What its spoke runs; empty until it said so.")
    contract: str = strawberry.field(description="The contract version it speaks; empty until it said so.")
    created_at: datetime = strawberry.field(description="When it enrolled.")
    approved_at: datetime | None = strawberry.field(description="When it was let in.")
    approved_by: str | None = strawberry.field(description="Who let it in.")
    revoked_at: datetime | None = strawberry.field(description="When it was shut out.")
    revoked_by: str | None = strawberry.field(description="Who shut it out.")
    last_seen_at: datetime | None = strawberry.field(description="When its spoke last spoke.")
    clock_skew_ms: BigInt | None = strawberry.field(description="Its clock minus ours, in ms; null until it spoke.")
    queued_batches: BigInt | None = strawberry.field(description="Batches waiting in its outbox when it last said so.")
    queued_bytes: BigInt | None = strawberry.field(description="Bytes waiting in its outbox when it last said so.")

    @strawberry.field(description="Whether its spoke spoke within the last 90 seconds.", directives=[Cost(weight=0)])
    def liveness(self, info: Info) -> Liveness:
        """fleet.model.Registration.liveness."""
        if self.last_seen_at is None:
            return Liveness.NEVER
        connected = info.context.now - self.last_seen_at <= CONNECTED_WITHIN
        return Liveness.CONNECTED if connected else Liveness.STALE

    @strawberry.field(description="Where its addresses live; for a revoked cluster, where they lived last.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all clusters of the answer."""
        return cast("NetworkDomain", await info.context.load(repository.domains_by_ids, self.domain_id))

    @strawberry.field(
        description="Another live registration of this same cluster: two spokes, or two ways to one API server. They "
        "had nodes in common when the later of them joined."
    )
    async def duplicate(self, info: Info) -> "Cluster | None":
        """None for nearly all; seen from both."""
        return cast("Cluster | None", await info.context.load(repository.duplicates_by_ids, self.registration_id))


@strawberry.type(
    description="A token with which one spoke joins, or the agents of one cluster; its secret is shown once, when made."
)
class JoinToken(RowBacked, Node):
    """fleet.model.JoinToken."""

    used_by_registration: strawberry.Private[UUID | None]
    registration_id: strawberry.Private[UUID | None]
    domain_id: strawberry.Private[UUID | None]
    public_id: str = strawberry.field(description="The part before the dot, as it appears in logs.")
    cluster_name: str | None = strawberry.field(description="Name the cluster gets; null leaves it to its spoke.")
    auto_approve: bool = strawberry.field(description="Whether who joins with it needs no approval.")
    created_by: str = strawberry.field(description="Who made it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime = strawberry.field(description="When it stops being accepted.")
    used_at: datetime | None = strawberry.field(description="When it was used; never of one for agents.")

    @strawberry.field(description="Whether somebody may still join with it.", directives=[Cost(weight=0)])
    def usable(self, info: Info) -> bool:
        """Not used and not expired."""
        return self.used_at is None and info.context.now < self.expires_at

    @strawberry.field(description="Where the cluster lands; null is where it was before, or a domain of its own.")
    async def network_domain(self, info: Info) -> NetworkDomain | None:
        """One statement for all tokens of the answer."""
        if self.domain_id is None:
            return None
        return cast("NetworkDomain | None", await info.context.load(repository.domains_by_ids, self.domain_id))

    @strawberry.field(description="The cluster whose agents join with it; null is a token for one spoke.")
    async def agents_of(self, info: Info) -> Cluster | None:
        """One statement for all tokens of the answer."""
        if self.registration_id is None:
            return None
        return cast("Cluster | None", await info.context.load(repository.clusters_by_ids, self.registration_id))

    @strawberry.field(description="The cluster that joined with it.")
    async def used_by(self, info: Info) -> Cluster | None:
        """None until used."""
        if self.used_by_registration is None:
            return None
        return cast("Cluster | None", await info.context.load(repository.clusters_by_ids, self.used_by_registration))


@strawberry.enum(description="What clusters can be sorted by.")
class ClusterOrderField(StrEnum):
    """See repository_graphql.CLUSTER_ORDERS."""

    NAME = "name"
    STATE = "state"
    CREATED_AT = "created-at"
    LAST_SEEN_AT = "last-seen-at"


@strawberry.input(description="In which order clusters are listed. Who was never heard comes before all others.")
class ClusterOrder:
    """Rising by its name where nothing is said."""

    field: ClusterOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="Which end first.")


@strawberry.type
class FleetQuery:
    """Root fields of this slice."""

    @strawberry.field(description="Every cluster that ever joined, by name.", directives=paged(50, 10_000))
    async def clusters(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        states: Annotated[
            list[State] | None, strawberry.argument(description="Only clusters in one of these states.")
        ] = None,
        name_contains: Annotated[
            str | None, strawberry.argument(description="Only clusters whose name contains this, in any case.")
        ] = None,
        domain: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only clusters of this network domain.")
        ] = None,
        liveness: Annotated[
            Liveness | None, strawberry.argument(description="Only clusters with this liveness.")
        ] = None,
        order_by: Annotated[
            ClusterOrder | None, strawberry.argument(description="In which order; null is by name.")
        ] = None,
    ) -> Connection[Cluster]:
        """The fleet."""
        asked = ClusterFilter(
            states=tuple(states or ()),
            domain_ids=await domain_asked(info.context, domain),
            name_contains=name_contains or "",
            liveness=liveness,
            now=info.context.now if liveness else None,
        )
        order = order_of(order_by)
        listing = repository.CLUSTERS if order is None else repository.CLUSTER_ORDERS[order]
        return Connection(pages=Pages(info.context, listing, None, window_of(first, after, last, before), asked))

    @strawberry.field(description="One cluster by id or by name; null when there is none.")
    async def cluster(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Its id.")] = None,  # noqa: A002 - GraphQL's name
        name: Annotated[str | None, strawberry.argument(description="Its name; never a revoked one.")] = None,
    ) -> Cluster | None:
        """By id when both are given."""
        context = info.context
        if id is not None:
            found = await context.load(repository.clusters_by_ids, uuid_of(id, "Cluster"))
        elif name is not None:
            found = await context.read(repository.cluster_by_name, name)
        else:
            found = None
        return cast("Cluster | None", found)

    @strawberry.field(description="Network domains, by name.", directives=paged())
    async def network_domains(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        include_implicit: Annotated[
            bool, strawberry.argument(description="Also domains that merely came with a cluster.")
        ] = True,
    ) -> Connection[NetworkDomain]:
        """Address spaces."""
        return Connection(
            pages=Pages(info.context, repository.DOMAINS, None, window_of(first, after, last, before), include_implicit)
        )

    @strawberry.field(description="Join tokens, newest first. Needs fleet:approve.", directives=paged())
    async def join_tokens(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        usable: Annotated[bool, strawberry.argument(description="Only those somebody may still join with.")] = False,
    ) -> Connection[JoinToken]:
        """Without their secrets."""
        context = info.context
        context.scope.require(Permission.FLEET_APPROVE)
        usable_at = context.now if usable else None
        return Connection(
            pages=Pages(context, repository.JOIN_TOKENS, None, window_of(first, after, last, before), usable_at)
        )
