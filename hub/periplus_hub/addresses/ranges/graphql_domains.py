"""What entered ranges say beside network domains, which are of a slice below."""

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ranges.model import RangeFilter
from periplus_hub.addresses.ranges.repository import RANGES
from periplus_hub.kit.graphql import uuid_of


@strawberry.type
class DeletedDomainRanges:
    """Fields this slice adds to DeletedNetworkDomain."""

    id: strawberry.Private[strawberry.ID]

    @strawberry.field(description="How many ranges that people had entered in it end with it, within seconds.")
    async def entered_range_count(self, info: Info) -> int:
        """As they were when it was deleted."""
        asked = RangeFilter(domain_ids=(uuid_of(self.id, "NetworkDomain"),), at=info.context.now)
        return await info.context.load(RANGES.counts, None, asked) or 0
