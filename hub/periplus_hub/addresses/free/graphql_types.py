"""Plans of free ranges and reservations as people see them."""

from collections.abc import Iterable
from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.free import repository_reservations
from periplus_hub.addresses.free.model import RangeProposal as Proposal
from periplus_hub.addresses.ipam.graphql_knowledge import NotKnownWhole
from periplus_hub.addresses.ipam.graphql_types import UsedFor
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import Node


@strawberry.type(
    description="A range that somebody means to use for a cluster: taken until it expires or is released. Those in "
    "force do not overlap."
)
class RangeReservation(RowBacked, Node):
    """addresses.free.model.RangeReservation."""

    cidr: Cidr = strawberry.field(description="The range.")
    kind: UsedFor = strawberry.field(description="What for: POD, SERVICE or NODE.")
    cluster_name: str = strawberry.field(description="For whom; the cluster need not be there yet.")
    reason: str = strawberry.field(description="Why.")
    reserved_by: str = strawberry.field(description="Who reserved it.")
    created_at: datetime = strawberry.field(description="When.")
    expires_at: datetime = strawberry.field(description="Until when it is taken.")
    released_at: datetime | None = strawberry.field(description="When it was given back; null while it was not.")


@strawberry.type(description="A free range for one use of a cluster.")
class RangeProposal:
    """addresses.free.model.RangeProposal."""

    registration_id: strawberry.Private[UUID | None]
    reservation_id: strawberry.Private[UUID | None]
    cluster_name: str = strawberry.field(description="For whom, without asking for the cluster.")
    kind: UsedFor = strawberry.field(description="What for: POD, SERVICE or NODE.")
    family: int = strawberry.field(description="4 or 6.")
    cidr: Cidr | None = strawberry.field(description="The range; null when there is none, and `why` says why.")
    why: str = strawberry.field(description="What its size follows from.")

    @classmethod
    def of(cls, proposal: Proposal) -> "RangeProposal":
        """One of a plan."""
        return cls(
            registration_id=proposal.registration_id,
            reservation_id=proposal.reservation_id,
            cluster_name=proposal.cluster_name,
            kind=proposal.kind,
            family=proposal.family,
            cidr=None if proposal.cidr is None else Cidr(proposal.cidr),
            why=proposal.why,
        )

    @strawberry.field(description="The cluster; null for one that is not there yet.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all of the answer."""
        if self.registration_id is None:
            return None
        return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, self.registration_id))

    @strawberry.field(
        description="The cluster's own reservation, where that is what is proposed: it is large enough still."
    )
    async def reservation(self, info: Info) -> RangeReservation | None:
        """One statement for all of the answer."""
        if self.reservation_id is None:
            return None
        row = await info.context.load(repository_reservations.reservation_rows, self.reservation_id)
        return cast("RangeReservation | None", row)


@strawberry.type(
    description="Free ranges for clusters, pairwise disjoint. The same question has the same answer as long as nothing "
    "that is known changes; nothing is taken before it is reserved or used."
)
class AddressPlan:
    """Of addresses.free.service.plan."""

    proposals: list[RangeProposal] = strawberry.field(
        description="By cluster, those that are there first.", directives=at_most(100)
    )

    @strawberry.field(
        description="Whether every cluster is COMPLETE. Else a proposal may be in use where nobody has looked."
    )
    async def complete(self, info: Info) -> bool:
        """One load for this and `notKnownOf`."""
        return not (await NotKnownWhole.of(info.context)).count

    @strawberry.field(description="Clusters that may use a proposed range all the same, as not all they use is known.")
    async def not_known_of(self, info: Info) -> NotKnownWhole:
        """Of the whole fleet."""
        return await NotKnownWhole.of(info.context)

    @classmethod
    def of(cls, proposals: Iterable[Proposal]) -> "AddressPlan":
        """What the service answers."""
        return cls(proposals=[RangeProposal.of(each) for each in proposals])
