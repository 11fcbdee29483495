"""The fleet slice's part of the GraphQL API."""

from typing import Final

import strawberry

from periplus_hub.access.graphql_rights import only_with
from periplus_hub.access.scope import Permission
from periplus_hub.fleet import repository_graphql as repository
from periplus_hub.fleet.graphql import Cluster, DomainLink, FleetQuery, JoinToken, NetworkDomain
from periplus_hub.fleet.graphql_agent_mutations import AgentMutation
from periplus_hub.fleet.graphql_agents import ClusterAgents, NodeAgent
from periplus_hub.fleet.graphql_mutations import FleetMutation
from periplus_hub.fleet.model import CLUSTERS_TOPIC
from periplus_hub.fleet.repository_graphql_agents import agents_by_ids
from periplus_hub.kit.graphql_parts import Part, Topic, about, by_parts, by_uuid


@strawberry.type(description="A cluster joined, was approved, revoked or moved.")
class ClusterChanged:
    """As it is now."""

    cluster: Cluster = strawberry.field(description="The cluster.")


PART: Final = Part(
    queries=[FleetQuery],
    mutations=[FleetMutation, AgentMutation],
    extensions={Cluster: [ClusterAgents]},
    finders={
        Cluster: by_uuid(repository.clusters_by_ids),
        NodeAgent: by_uuid(agents_by_ids),
        NetworkDomain: by_uuid(repository.domains_by_ids),
        DomainLink: by_parts(repository.link_row),
        JoinToken: only_with(Permission.FLEET_APPROVE, by_uuid(repository.join_tokens_by_ids)),
    },
    topics=[
        Topic(
            name=CLUSTERS_TOPIC,
            message=ClusterChanged,
            read=about(Cluster, lambda cluster: ClusterChanged(cluster=cluster)),
        ),
    ],
)
