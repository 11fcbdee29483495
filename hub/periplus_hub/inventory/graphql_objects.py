"""What a cluster contains, object by object."""

from datetime import datetime
from typing import Final, cast
from uuid import UUID

import strawberry

from periplus_hub.access.graphql import Info
from periplus_hub.access.scope import Scope
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.graphql import Cluster
from periplus_hub.inventory import repository_graphql as repository
from periplus_hub.inventory.graphql_texts import EndpointPort, KeyValue, NodeAddress, ServicePort, labels, pairs
from periplus_hub.kit.errors import Invalid
from periplus_hub.kit.graphql import Context, RowBacked, split_id
from periplus_hub.kit.graphql_parsed import parsed
from periplus_hub.kit.graphql_prices import at_most
from periplus_hub.kit.graphql_scalars import BigInt, Cidr, IpAddress
from periplus_hub.kit.graphql_types import Node
from periplus_hub.kit.node_ids import uuid_part

_CREATED: Final = "When Kubernetes made it."
_NAMESPACE: Final = "Its namespace."
_NAME: Final = "Its name."


@strawberry.interface(description="An object inside a cluster.")
class ClusterObject(RowBacked, Node):
    """Shared by all kinds. `uid` is unique within its kind and cluster."""

    registration_id: strawberry.Private[UUID]
    uid: str = strawberry.field(description="Its uid in Kubernetes; of an endpoint, its slice's uid and its address.")

    @strawberry.field(description="The cluster it is in.")
    async def cluster(self, info: Info) -> Cluster:
        """One statement for all objects of the answer."""
        return cast("Cluster", await info.context.load(fleet.clusters_by_ids, self.registration_id))


@strawberry.type(description="core/v1 Namespace.")
class Namespace(ClusterObject):
    """As its cluster says."""

    name: str = strawberry.field(description=_NAME)
    label_texts: strawberry.Private[list[str]]
    labels: list[KeyValue] = labels()
    created_at: datetime | None = strawberry.field(description=_CREATED)


@strawberry.type(description="core/v1 Node.")
class KubernetesNode(ClusterObject):
    """`Node` is Relay's word."""

    name: str = strawberry.field(description=_NAME)
    provider_id: str | None = strawberry.field(description="spec.providerID.")
    provider: str | None = strawberry.field(description="The cloud it runs in, read from providerID.")
    account: str | None = strawberry.field(description="Account, project or subscription, where providerID tells.")
    region: str | None = strawberry.field(description="From its topology labels.")
    zone: str | None = strawberry.field(description="From its topology labels.")
    instance_type: str | None = strawberry.field(description="From its labels.")
    address_texts: strawberry.Private[list[str]]
    addresses: list[NodeAddress] = parsed(
        "address_texts", NodeAddress, NodeAddress.of, description="status.addresses.", about=10
    )
    pod_cidrs: list[Cidr] = strawberry.field(description="spec.podCIDRs.", directives=at_most(2))
    label_texts: strawberry.Private[list[str]]
    labels: list[KeyValue] = labels()
    pods_allocatable: BigInt | None = strawberry.field(description="How many pods it takes.")
    ready: bool | None = strawberry.field(description="Its Ready condition.")
    created_at: datetime | None = strawberry.field(description=_CREATED)


@strawberry.type(description="The top of an owner chain: a Deployment rather than its ReplicaSets.")
class Workload(ClusterObject):
    """The top of an owner chain."""

    namespace: str = strawberry.field(description=_NAMESPACE)
    name: str = strawberry.field(description=_NAME)
    kind: str = strawberry.field(description="Its kind, like Deployment.")
    api_group: str | None = strawberry.field(description="Its API group, like apps.")
    label_texts: strawberry.Private[list[str]]
    labels: list[KeyValue] = labels()
    replicas: BigInt | None = strawberry.field(
        description="How many a Deployment or StatefulSet wants; null for other kinds."
    )
    created_at: datetime | None = strawberry.field(description=_CREATED)


@strawberry.type(description="core/v1 Pod and the time its addresses were its own.")
class Pod(ClusterObject):
    """While it lives, and for some weeks after."""

    namespace: str = strawberry.field(description=_NAMESPACE)
    name: str = strawberry.field(description=_NAME)
    node: str | None = strawberry.field(description="The name of the node it runs on.")
    workload_kind: str | None = strawberry.field(description="The kind at the top of its owner chain.")
    workload_name: str | None = strawberry.field(description="The name at the top of its owner chain.")
    ipv4: IpAddress | None = strawberry.field(description="Its IPv4 address.")
    ipv6: IpAddress | None = strawberry.field(description="Its IPv6 address.")
    phase: str | None = strawberry.field(description="status.phase.")
    host_network: bool | None = strawberry.field(description="Whether its addresses are its node's.")
    label_texts: strawberry.Private[list[str]]
    labels: list[KeyValue] = labels()
    valid_from: datetime = strawberry.field(description="Since when its addresses are its own.")
    valid_to: datetime | None = strawberry.field(description="Until when; null is still.")


@strawberry.type(description="core/v1 Service.")
class Service(ClusterObject):
    """Every type of it."""

    namespace: str = strawberry.field(description=_NAMESPACE)
    name: str = strawberry.field(description=_NAME)
    type: str | None = strawberry.field(description="spec.type.")
    external_name: str | None = strawberry.field(description="spec.externalName.")
    cluster_ips: list[str] = strawberry.field(description="spec.clusterIPs.", directives=at_most(2))
    external_ips: list[str] = strawberry.field(description="spec.externalIPs.", directives=at_most(4))
    load_balancer_ips: list[str] = strawberry.field(description="Addresses of its ingress.", directives=at_most(4))
    load_balancer_hostnames: list[str] = strawberry.field(description="Names of its ingress.", directives=at_most(4))
    port_texts: strawberry.Private[list[str]]
    ports: list[ServicePort] = parsed("port_texts", ServicePort, ServicePort.of, description="spec.ports.", about=8)
    selector_texts: strawberry.Private[list[str]]
    selector: list[KeyValue] = pairs("selector_texts", "spec.selector.")
    ip_families: list[str] = strawberry.field(description="spec.ipFamilies.", directives=at_most(2))
    label_texts: strawberry.Private[list[str]]
    labels: list[KeyValue] = labels()
    headless: bool | None = strawberry.field(description="Whether it has no cluster address by intent.")
    created_at: datetime | None = strawberry.field(description=_CREATED)


@strawberry.type(description="One endpoint of a discovery.k8s.io/v1 EndpointSlice.")
class Endpoint(ClusterObject):
    """Also one that is not ready."""

    namespace: str = strawberry.field(description=_NAMESPACE)
    service: str | None = strawberry.field(description="The name of its service.")
    slice: str | None = strawberry.field(description="The name of its slice.")
    address: str | None = strawberry.field(description="An address, or a name when addressType is FQDN.")
    address_type: str | None = strawberry.field(description="IPv4, IPv6 or FQDN.")
    node: str | None = strawberry.field(description="The node behind it.")
    zone: str | None = strawberry.field(description="The zone it is in.")
    target_kind: str | None = strawberry.field(description="What is behind it, like Pod.")
    target_namespace: str | None = strawberry.field(description="The namespace of what is behind it.")
    target_name: str | None = strawberry.field(description="The name of what is behind it.")
    ready: bool | None = strawberry.field(description="Whether it takes new connections.")
    serving: bool | None = strawberry.field(description="Whether it answers.")
    terminating: bool | None = strawberry.field(description="Whether it is going away.")
    port_texts: strawberry.Private[list[str]]
    ports: list[EndpointPort] = parsed("port_texts", EndpointPort, EndpointPort.of, description="Its ports.", about=8)


OBJECTS: Final[dict[str, type[ClusterObject]]] = {
    kind.__name__: kind for kind in (Namespace, KubernetesNode, Workload, Pod, Service, Endpoint)
}


async def find_object(context: Context[Scope], node_id: str) -> object | None:
    """By an id `Kind:<registration>:<uid>`, where a uid may hold colons."""
    kind, parts = split_id(node_id)
    try:
        registration_id, uid = uuid_part(parts[0]), ":".join(parts[1:])
    except (IndexError, ValueError):
        text = f"'{node_id[:80]}' is not the id of a {kind}"
        raise Invalid(text, "Copy the id from an answer of this API.") from None
    return await context.read(repository.object_row, kind, registration_id, uid)
