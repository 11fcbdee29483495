"""The fields of Kubernetes objects that are kept, decoded straight from the API server's JSON.

Everything else is never built. Structs hold no cycles, so the collector skips them (`gc=False`). Every field has a
default: an object that lacks one is ordinary input.
"""

from datetime import datetime

import msgspec
from msgspec import field


class Kept(msgspec.Struct, gc=False, rename="camel"):
    """Base of all kept objects: JSON names are camelCase."""


class Owner(Kept):
    """metav1.OwnerReference."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    api_version: str = ""


class Meta(Kept):
    """metav1.ObjectMeta."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    owner_references: list[Owner] | None = None

    def controller(self) -> Owner | None:
        """The owner that manages this object, or None when nothing does."""
        return next((owner for owner in self.owner_references or () if owner.controller), None)


class AnnotatedMeta(Meta):
    """Where annotations are read too: nodes only, they are large on everything else."""

    annotations: dict[str, str] | None = None


class Thing(Kept):
    """Any object of which only the metadata is kept."""

    metadata: Meta = field(default_factory=Meta)


class ReplicasSpec(Kept):
    """The one number kept of apps/v1 DeploymentSpec and StatefulSetSpec."""

    replicas: int | None = None


class Replicated(Thing):
    """apps/v1 Deployment or StatefulSet."""

    spec: ReplicasSpec = field(default_factory=ReplicasSpec)


class NodeAddress(Kept):
    """core/v1 NodeAddress."""

    type: str = ""
    address: str = ""


class Condition(Kept):
    """A condition of any object's status."""

    type: str = ""
    status: str = ""
    reason: str = ""
    last_heartbeat_time: datetime | None = None
    """Of nodes: when the kubelet last said so."""


class NodeSpec(Kept):
    """core/v1 NodeSpec."""

    provider_id: str = field(name="providerID", default="")
    pod_cidr: str = field(name="podCIDR", default="")
    pod_cidrs: list[str] | None = field(name="podCIDRs", default=None)


class NodeStatus(Kept):
    """core/v1 NodeStatus."""

    addresses: list[NodeAddress] | None = None
    allocatable: dict[str, str | int] | None = None
    conditions: list[Condition] | None = None


class Node(Thing):
    """core/v1 Node."""

    metadata: AnnotatedMeta = field(default_factory=AnnotatedMeta)
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class Terminated(Kept):
    """core/v1 ContainerStateTerminated."""

    finished_at: datetime | None = None


class ContainerState(Kept):
    """core/v1 ContainerState."""

    terminated: Terminated | None = None


class ContainerStatus(Kept):
    """core/v1 ContainerStatus."""

    state: ContainerState | None = None


class PodAddress(Kept):
    """core/v1 PodIP."""

    ip: str = ""


class PodSpec(Kept):
    """core/v1 PodSpec."""

    node_name: str = ""
    host_network: bool | None = None


class PodCondition(Kept):
    """core/v1 PodCondition."""

    last_transition_time: datetime | None = None


class PodStatus(Kept):
    """core/v1 PodStatus."""

    phase: str = ""
    pod_ip: str = field(name="podIP", default="")
    pod_ips: list[PodAddress] | None = field(name="podIPs", default=None)
    start_time: datetime | None = None
    container_statuses: list[ContainerStatus] | None = None
    conditions: list[PodCondition] | None = None


class Pod(Thing):
    """core/v1 Pod."""

    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class ServicePort(Kept):
    """core/v1 ServicePort."""

    name: str = ""
    protocol: str = ""
    port: int = 0
    target_port: int | str | None = None
    node_port: int | None = None
    app_protocol: str | None = None


class ServiceSpec(Kept):
    """core/v1 ServiceSpec."""

    type: str = ""
    cluster_ip: str = field(name="clusterIP", default="")
    cluster_ips: list[str] | None = field(name="clusterIPs", default=None)
    external_ips: list[str] | None = field(name="externalIPs", default=None)
    external_name: str | None = None
    ports: list[ServicePort] | None = None
    selector: dict[str, str] | None = None
    ip_families: list[str] | None = None
    load_balancer_source_ranges: list[str] | None = None
    traffic_distribution: str | None = None
    internal_traffic_policy: str | None = None
    external_traffic_policy: str | None = None
    session_affinity: str | None = None
    load_balancer_class: str | None = None


class Ingress(Kept):
    """core/v1 LoadBalancerIngress."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(Kept):
    """core/v1 LoadBalancerStatus."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Kept):
    """core/v1 ServiceStatus."""

    load_balancer: LoadBalancer | None = None


class ServiceNotes(Kept):
    """The annotations kept of a Service: those of Linkerd that say what it stands for."""

    remote_name: str = field(name="mirror.linkerd.io/remote-svc-fq-name", default="")
    remote_discovery: str = field(name="multicluster.linkerd.io/remote-discovery", default="")
    local_discovery: str = field(name="multicluster.linkerd.io/local-discovery", default="")


class ServiceMeta(Meta):
    """Of a Service."""

    annotations: ServiceNotes | None = None


class Service(Thing):
    """core/v1 Service."""

    metadata: ServiceMeta = field(default_factory=ServiceMeta)
    spec: ServiceSpec = field(default_factory=ServiceSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)


class EndpointConditions(Kept):
    """discovery/v1 EndpointConditions; null means unknown."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ObjectReference(Kept):
    """core/v1 ObjectReference."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Endpoint(Kept):
    """discovery/v1 Endpoint; only `addresses[0]` counts."""

    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None
    zone: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Kept):
    """discovery/v1 EndpointPort; a null port means all ports."""

    name: str | None = None
    protocol: str | None = None
    port: int | None = None
    app_protocol: str | None = None


class EndpointSlice(Thing):
    """discovery/v1 EndpointSlice."""

    address_type: str = ""
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


class CidrSpec(Kept):
    """networking/v1 ServiceCIDRSpec."""

    cidrs: list[str] | None = None


class CidrStatus(Kept):
    """networking/v1 ServiceCIDRStatus."""

    conditions: list[Condition] | None = None


class ServiceCidr(Thing):
    """networking/v1 ServiceCIDR."""

    spec: CidrSpec = field(default_factory=CidrSpec)
    status: CidrStatus = field(default_factory=CidrStatus)


class ParentRef(Kept):
    """networking/v1 ParentReference."""

    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


class AddressSpec(Kept):
    """networking/v1 IPAddressSpec."""

    parent_ref: ParentRef | None = None


class IpAddress(Thing):
    """networking/v1 IPAddress; its name is the address."""

    spec: AddressSpec = field(default_factory=AddressSpec)


class PropertySpec(Kept):
    """about.k8s.io ClusterPropertySpec."""

    value: str = ""


class ClusterProperty(Thing):
    """about.k8s.io ClusterProperty."""

    spec: PropertySpec = field(default_factory=PropertySpec)


class Container(Kept):
    """The start of a core/v1 Container."""

    command: list[str] | None = None
    args: list[str] | None = None


class CommandsSpec(Kept):
    """What a core/v1 PodSpec starts."""

    containers: list[Container] | None = None


class StartedPod(Thing):
    """core/v1 Pod, of which it matters what it was started with."""

    spec: CommandsSpec = field(default_factory=CommandsSpec)


class EnvVar(Kept):
    """core/v1 EnvVar; what it takes from elsewhere is empty here."""

    name: str = ""
    value: str = ""


class EnvContainer(Kept):
    """The environment of a core/v1 Container."""

    env: list[EnvVar] | None = None


class EnvSpec(Kept):
    """The environments of a core/v1 PodSpec."""

    containers: list[EnvContainer] | None = None
    init_containers: list[EnvContainer] | None = None


class SetUpPod(Thing):
    """core/v1 Pod, of which it matters what its containers are set up with."""

    spec: EnvSpec = field(default_factory=EnvSpec)


class EnvTemplate(Kept):
    """core/v1 PodTemplateSpec."""

    spec: EnvSpec = field(default_factory=EnvSpec)


class EnvDaemonSetSpec(Kept):
    """apps/v1 DaemonSetSpec."""

    template: EnvTemplate = field(default_factory=EnvTemplate)


class SetUpDaemonSet(Thing):
    """apps/v1 DaemonSet, of which it matters what its containers are set up with."""

    spec: EnvDaemonSetSpec = field(default_factory=EnvDaemonSetSpec)


class ConfigMap(Thing):
    """core/v1 ConfigMap."""

    data: dict[str, str] | None = None
