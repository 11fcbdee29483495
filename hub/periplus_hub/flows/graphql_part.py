"""The flows slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.flows.graphql_explanation import ExplanationQuery
from periplus_hub.kit.graphql_parts import Part

PART: Final = Part(queries=[ExplanationQuery])
