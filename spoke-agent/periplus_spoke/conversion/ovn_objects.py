"""What is kept of the objects of OVN-Kubernetes and of OpenShift's network."""

from typing import Final

from msgspec import field

from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import WantedKind
from periplus_spoke.conversion.objects import Kept


class ClusterNetwork(Kept):
    """A range of pods."""

    cidr: str = ""


class Networks(Kept):
    """Ranges of pods and services."""

    cluster_network: list[ClusterNetwork] | None = None
    service_network: list[str] | None = None


class OpenShiftNetwork(Named):
    """config.openshift.io Network; the one named `cluster` counts."""

    spec: Networks = field(default_factory=Networks)
    status: Networks = field(default_factory=Networks)


class Advertised(Kept):
    """What routes are told to the outside."""

    advertisements: list[str] | None = None


class RouteAdvertisements(Named):
    """k8s.ovn.org RouteAdvertisements."""

    spec: Advertised = field(default_factory=Advertised)


class Layer3Subnet(Kept):
    """A range that nodes get blocks of."""

    cidr: str = ""


class Layer3(Kept):
    """A routed network."""

    subnets: list[Layer3Subnet] | None = None


class Layer2(Kept):
    """A switched network."""

    subnets: list[str] | None = None
    reserved_subnets: list[str] | None = None


class Localnet(Kept):
    """A network outside of the cluster that pods are attached to."""

    subnets: list[str] | None = None
    exclude_subnets: list[str] | None = None


class NetworkSpec(Kept):
    """The topology of a network of users."""

    layer3: Layer3 = field(default_factory=Layer3)
    layer2: Layer2 = field(default_factory=Layer2)
    localnet: Localnet = field(default_factory=Localnet)


class ClusterSpec(Kept):
    """Where a cluster-wide network has its topology."""

    network: NetworkSpec = field(default_factory=NetworkSpec)


class UserDefinedNetwork(Named):
    """k8s.ovn.org UserDefinedNetwork."""

    spec: NetworkSpec = field(default_factory=NetworkSpec)


class ClusterUserDefinedNetwork(Named):
    """k8s.ovn.org ClusterUserDefinedNetwork."""

    spec: ClusterSpec = field(default_factory=ClusterSpec)


_OVN: Final = "k8s.ovn.org"
OPENSHIFT_NETWORKS: Final = WantedKind(
    group="config.openshift.io", plural="networks", versions=("v1",), type=OpenShiftNetwork
)
ROUTE_ADVERTISEMENTS: Final = WantedKind(
    group=_OVN, plural="routeadvertisements", versions=("v1",), type=RouteAdvertisements
)
USER_NETWORKS: Final = WantedKind(group=_OVN, plural="userdefinednetworks", versions=("v1",), type=UserDefinedNetwork)
CLUSTER_USER_NETWORKS: Final = WantedKind(
    group=_OVN, plural="clusteruserdefinednetworks", versions=("v1",), type=ClusterUserDefinedNetwork
)
