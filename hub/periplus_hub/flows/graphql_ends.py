"""An end of flows as a GraphQL type."""

from typing import cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.flows import model


@strawberry.type(description="A workload, a service or node, or an address that nobody is known for.")
class FlowEnd:
    """flows.model.FlowEnd."""

    registration_id: strawberry.Private[UUID | None]
    namespace: str = strawberry.field(description="Its namespace; empty where it has none.")
    kind: str = strawberry.field(
        description="A workload's kind, Service, Node; gateway: a door of a cluster, of which workload "
        "is not known; ServiceImport: a service of several clusters; ServiceEntry, "
        "WorkloadEntry: what a mesh has entered; other: what is beyond the row budget of a "
        "spoke; external: a range of public addresses, or a name that a client asked for; range: "
        "one that somebody entered, by its name; cluster-range: a range of a cluster, with an address of nobody known "
        "there; address: any other of nobody known; remote: what a source named in a cluster "
        "that nobody is known to be; ambiguous: an address that several had, or a name of several."
    )
    name: str = strawberry.field(description="Its name, or the address, range or host.")

    @strawberry.field(description="Its cluster; null where it is in none, or it is not known in which.")
    async def cluster(self, info: Info) -> Cluster | None:
        """One statement for all ends of the answer."""
        return await cluster_of(info, self.registration_id)


def flow_end(end: model.FlowEnd) -> FlowEnd:
    """The same as a GraphQL type."""
    return FlowEnd(registration_id=end.registration_id, namespace=end.namespace, kind=end.kind, name=end.name)


async def cluster_of(info: Info, registration_id: UUID | None) -> Cluster | None:
    """Of none none; all that an answer asks for are one statement."""
    if registration_id is None:
        return None
    return cast("Cluster | None", await info.context.load(fleet.clusters_by_ids, registration_id))
