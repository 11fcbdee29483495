"""Entered ranges as people see them."""

from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ranges.model import RangeSource, RangeUse
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import NetworkDomain
from periplus_hub.kit.graphql import RowBacked
from periplus_hub.kit.graphql_scalars import Cidr
from periplus_hub.kit.graphql_types import Node

strawberry.enum(RangeUse, name="RangeUse", description="What an entered range is for.")
strawberry.enum(
    RangeSource,
    name="RangeSource",
    description="ENTERED: one by one. CSV, NETBOX: by an import, the last one to change it.",
)


@strawberry.type(description="A range that no API server tells of, entered by a person: a VPC, an office, a plan.")
class EnteredRange(RowBacked, Node):
    """addresses.ranges.model.EnteredRange."""

    domain_id: strawberry.Private[UUID]
    cidr: Cidr = strawberry.field(description="The range.")
    family: int = strawberry.field(description="4 or 6.")
    use: RangeUse = strawberry.field(description="What for.")
    name: str = strawberry.field(description="What it is called; may be empty.")
    owner: str = strawberry.field(description="Whom to ask about it; may be empty.")
    note: str = strawberry.field(description="What else is worth knowing; may be empty.")
    domain_name: str = strawberry.field(description="Its network domain's name, without asking for the domain.")
    source: RangeSource = strawberry.field(description="How the hub came to know it.")
    origin: str = strawberry.field(description="The address of the NetBox it is from, else empty.")
    created_at: datetime = strawberry.field(description="When it was entered.")
    created_by: str = strawberry.field(description="By whom.")
    changed_at: datetime = strawberry.field(description="When an import last changed it, else when it was entered.")
    changed_by: str = strawberry.field(description="By whom.")
    expires_at: datetime | None = strawberry.field(description="When it ends by itself; null for no end.")
    ended_at: datetime | None = strawberry.field(
        description="When it was removed, expired, or its network domain was deleted; null while it counts."
    )
    ended_by: str | None = strawberry.field(description="Who removed it, or the hub's job; null while it counts.")

    @strawberry.field(description="The network domain it is in.")
    async def network_domain(self, info: Info) -> NetworkDomain:
        """One statement for all ranges of the answer."""
        return cast("NetworkDomain", await info.context.load(fleet.domains_by_ids, self.domain_id))
