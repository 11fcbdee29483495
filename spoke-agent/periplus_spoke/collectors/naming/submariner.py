"""What Submariner's broker tells every member of the others, and the addresses that Globalnet gave this one."""

from collections.abc import Iterator
from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.meanings import Meaning
from periplus_spoke.conversion.objects import Kept

_GROUP: Final = "submariner.io"
_VERSIONS: Final = ("v1",)


class EndpointSpec(Kept):
    """submariner.io EndpointSpec."""

    cluster_id: str = field(name="cluster_id", default="")
    private_ip: str = field(name="private_ip", default="")
    public_ip: str = field(name="public_ip", default="")
    health_check_ip: str = field(name="healthCheckIP", default="")


class GatewayEndpoint(Named):
    """submariner.io Endpoint: the node through which a cluster is reached."""

    spec: EndpointSpec = field(default_factory=EndpointSpec)

    def meanings(self) -> Iterator[Meaning]:
        """All of its addresses; by the last, other gateways ask whether it is there."""
        for ip in (self.spec.private_ip, self.spec.public_ip, self.spec.health_check_ip):
            yield Meaning(role="gateway", cidr=ip, name="submariner", clusters=(self.spec.cluster_id,))


class LocalStatus(Kept):
    """submariner.io GatewayStatus."""

    local_endpoint: EndpointSpec = field(default_factory=EndpointSpec)


class LocalGateway(Named):
    """submariner.io Gateway: how a gateway of this cluster is doing."""

    status: LocalStatus = field(default_factory=LocalStatus)

    def called(self) -> Iterator[str]:
        """The ID of this cluster, by which the other members know it."""
        if self.status.local_endpoint.cluster_id:
            yield f"submariner={self.status.local_endpoint.cluster_id}"


class MemberSpec(Kept):
    """submariner.io ClusterSpec."""

    cluster_id: str = field(name="cluster_id", default="")
    service_cidr: list[str] | None = field(name="service_cidr", default=None)
    cluster_cidr: list[str] | None = field(name="cluster_cidr", default=None)
    global_cidr: list[str] | None = field(name="global_cidr", default=None)


class MemberCluster(Named):
    """submariner.io Cluster."""

    spec: MemberSpec = field(default_factory=MemberSpec)

    def meanings(self) -> Iterator[Meaning]:
        """The ranges by which members reach it: with Globalnet its global ones, else its own."""
        spec = self.spec
        for cidr in spec.global_cidr or (*(spec.cluster_cidr or ()), *(spec.service_cidr or ())):
            yield Meaning(role="range", cidr=cidr, clusters=(spec.cluster_id,))


class ServiceReference(Kept):
    """core/v1 LocalObjectReference."""

    name: str = ""


class IngressSpec(Kept):
    """submariner.io GlobalIngressIPSpec."""

    service_ref: ServiceReference | None = None
    pod_ref: ServiceReference | None = None


class IngressStatus(Kept):
    """submariner.io GlobalIngressIPStatus."""

    allocated_ip: str = field(name="allocatedIP", default="")


class GlobalIngress(Named):
    """submariner.io GlobalIngressIP: what members of the clusterset dial for a service or pod of this cluster."""

    spec: IngressSpec = field(default_factory=IngressSpec)
    status: IngressStatus = field(default_factory=IngressStatus)

    def meanings(self) -> Iterator[Meaning]:
        """The service or pod that has the address."""
        for kind, reference in (("Service", self.spec.service_ref), ("Pod", self.spec.pod_ref)):
            if reference is not None and reference.name:
                yield Meaning(
                    role="global",
                    cidr=self.status.allocated_ip,
                    kind=kind,
                    namespace=self.metadata.namespace,
                    name=reference.name,
                )


class EgressStatus(Kept):
    """Status of a submariner.io GlobalEgressIP."""

    allocated_ips: list[str] | None = field(name="allocatedIPs", default=None)


class GlobalEgress(Named):
    """submariner.io GlobalEgressIP or ClusterGlobalEgressIP: where connections of this cluster seem to come from."""

    status: EgressStatus = field(default_factory=EgressStatus)

    def meanings(self) -> Iterator[Meaning]:
        """Each address."""
        for ip in self.status.allocated_ips or ():
            yield Meaning(role="egress", cidr=ip, name="submariner")


ENDPOINTS: Final = WantedKind(group=_GROUP, plural="endpoints", versions=_VERSIONS, type=GatewayEndpoint)
GATEWAYS: Final = WantedKind(group=_GROUP, plural="gateways", versions=_VERSIONS, type=LocalGateway)
CLUSTERS: Final = WantedKind(group=_GROUP, plural="clusters", versions=_VERSIONS, type=MemberCluster)
INGRESS: Final = WantedKind(group=_GROUP, plural="globalingressips", versions=_VERSIONS, type=GlobalIngress)
EGRESS: Final = WantedKind(group=_GROUP, plural="globalegressips", versions=_VERSIONS, type=GlobalEgress)
CLUSTER_EGRESS: Final = WantedKind(group=_GROUP, plural="clusterglobalegressips", versions=_VERSIONS, type=GlobalEgress)
