"""The inventory slice's part of the GraphQL API."""

from typing import Final

from periplus_hub.fleet.graphql import Cluster
from periplus_hub.inventory.graphql import ClusterInventory
from periplus_hub.inventory.graphql_copies import ClusterCopies
from periplus_hub.inventory.graphql_flow_sources import ClusterFlowSources
from periplus_hub.inventory.graphql_objects import OBJECTS, find_object
from periplus_hub.inventory.graphql_owners import OwnerQuery
from periplus_hub.kit.graphql_parts import Part

PART: Final = Part(
    queries=[OwnerQuery],
    extensions={Cluster: [ClusterInventory, ClusterCopies, ClusterFlowSources]},
    finders=dict.fromkeys(OBJECTS.values(), find_object),
)
