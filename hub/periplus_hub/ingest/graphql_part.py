"""The ingest slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.fleet.graphql import Cluster
from periplus_hub.ingest.graphql import ClusterIngest, Completeness, IngestQuery, QuarantineEntry
from periplus_hub.ingest.repository_graphql import completeness_row, quarantine_row
from periplus_hub.kit.graphql_parts import Part, by_parts

PART: Final = Part(
    queries=[IngestQuery],
    extensions={Cluster: [ClusterIngest]},
    finders={Completeness: by_parts(completeness_row), QuarantineEntry: by_parts(quarantine_row)},
)
