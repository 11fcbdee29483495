"""The dependencies slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.dependencies.graphql import DependenciesQuery
from periplus_hub.dependencies.graphql_blast_radius import BlastRadiusQuery
from periplus_hub.dependencies.graphql_edge import EdgeQuery
from periplus_hub.dependencies.graphql_evidence import EvidenceQuery
from periplus_hub.dependencies.graphql_flows import FlowsQuery
from periplus_hub.dependencies.graphql_links import ClusterLinksQuery
from periplus_hub.dependencies.graphql_map import DependencyMapQuery
from periplus_hub.kit.graphql_parts import Part

PART: Final = Part(
    queries=[
        DependenciesQuery,
        BlastRadiusQuery,
        EdgeQuery,
        EvidenceQuery,
        FlowsQuery,
        ClusterLinksQuery,
        DependencyMapQuery,
    ]
)
