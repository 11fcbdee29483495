"""The pricing slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.kit.graphql_parts import Part
from periplus_hub.pricing.graphql_costs import CostsQuery

PART: Final = Part(queries=[CostsQuery])
