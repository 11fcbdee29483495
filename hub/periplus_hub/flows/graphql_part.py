"""The flows slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.addresses.ipam.graphql_knowledge import ExplainedKnowledge
from periplus_hub.flows.graphql_explanation import ExplainedAddress, ExplanationQuery
from periplus_hub.kit.graphql_parts import Part

PART: Final = Part(queries=[ExplanationQuery], extensions={ExplainedAddress: [ExplainedKnowledge]})
