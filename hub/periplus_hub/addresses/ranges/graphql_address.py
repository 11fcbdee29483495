"""The ranges that people entered around an address: beside the answer whose it is, of a slice below."""

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.addresses.ranges.graphql_types import EnteredRange
from periplus_hub.addresses.ranges.model import RangeFilter
from periplus_hub.addresses.ranges.repository import RANGES
from periplus_hub.inventory.address_text import parse_address
from periplus_hub.inventory.graphql_owners import AskedAddress
from periplus_hub.kit.graphql_prices import paged
from periplus_hub.kit.graphql_types import After, Before, Connection, First, Last, Pages
from periplus_hub.kit.windows import window_of


@strawberry.type
class AddressRanges:
    """Fields this slice adds to AddressOwned, AddressAmbiguous and AddressUnknown."""

    asked: strawberry.Private[AskedAddress]

    @strawberry.field(
        description="Ranges that people had entered around the address at that time, the widest first: of a domain "
        "that was asked about, else of all.",
        directives=paged(),
    )
    async def entered_ranges(
        self, info: Info, *, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[EnteredRange]:
        """Whose the address is by what people say; a cluster that has it may live in the range."""
        asked = self.asked
        domain_ids = () if asked.domain_id is None else (asked.domain_id,)
        address = parse_address(asked.ip)
        around = RangeFilter(domain_ids=domain_ids, within=f"{address}/{address.max_prefixlen}", at=asked.at)
        return Connection(pages=Pages(info.context, RANGES, None, window_of(first, after, last, before), around))
