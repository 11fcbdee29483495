"""The slices' parts of the GraphQL API: a new slice is one line here. The schema lists fields in this order."""

from typing import Final

from periplus_hub.access.graphql_part import PART as ACCESS
from periplus_hub.addresses.graphql_part import PART as ADDRESSES
from periplus_hub.dependencies.graphql_part import PART as DEPENDENCIES
from periplus_hub.findings.graphql_part import PART as FINDINGS
from periplus_hub.fleet.graphql_part import PART as FLEET
from periplus_hub.flows.graphql_part import PART as FLOWS
from periplus_hub.ingest.graphql_part import PART as INGEST
from periplus_hub.inventory.graphql_part import PART as INVENTORY
from periplus_hub.kit.graphql_parts import Part
from periplus_hub.pricing.graphql_part import PART as PRICING

PARTS: Final[tuple[Part, ...]] = (
    *(ACCESS, FLEET, INGEST, INVENTORY, ADDRESSES, FLOWS, DEPENDENCIES, PRICING, FINDINGS),
)
