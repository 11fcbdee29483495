"""The twelve clusters of the demonstration and the network story they tell.

Ranges are the defaults people really meet: flannel's and Azure's 10.244.0.0/16, k3s's 10.42/10.43, kubeadm's
10.96.0.0/12, AKS's service range 10.0.0.0/16 that covers somebody's machines, GKE's 10.8.0.0/14, and Calico's
192.168.0.0/16, in which the machines of a lab are.
"""

from dataclasses import dataclass
from typing import Final, Literal

Provider = Literal["aws", "gcp", "azure", "metal"]
Cni = Literal[
    "flannel",
    "cilium-kubernetes",
    "cilium-cluster-pool",
    "calico",
    "aws-vpc-cni",
    "azure-overlay",
    "gke",
    "gke-multi-network",
]


@dataclass(frozen=True, kw_only=True)
class DemoCluster:
    """One simulated cluster."""

    name: str
    provider: Provider
    account: str
    region: str
    zones: tuple[str, ...]
    cni: Cni
    version: str
    node_cidr: str
    """Where its machines live."""
    pod_cidrs: tuple[str, ...]
    """Where its pods have addresses."""
    service_cidrs: tuple[str, ...]
    nodes: int
    apps: tuple[str, ...]
    pod_block_bits: tuple[int, int] = (24, 64)
    """How long the prefix of a node's block is, for IPv4 and IPv6."""
    kubeadm: bool = False
    k3s_server: tuple[str, ...] = ()
    """What its servers were started with, if they are of k3s."""
    balancer_addresses: tuple[str, ...] = ()
    """Of the pool from which MetalLB gives addresses to services, if it runs there."""

    def block_bits(self, version: int) -> int:
        """How long the prefix of a node's block is in a family of addresses."""
        return self.pod_block_bits[version == _IPV6]


@dataclass(frozen=True, kw_only=True)
class DemoDomain:
    """A network domain the demonstration creates, with its clusters."""

    name: str
    description: str
    clusters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DemoConnection:
    """How two domains (by name, or a cluster's own implicit domain by the cluster's name) are connected."""

    a: str
    b: str
    mode: Literal["FLAT", "NAT", "PLANNED"]
    note: str


_IPV6: Final = 6
_K3S: Final = ("--flannel-backend", "none", "--disable-network-policy")
_SHOP: Final = ("storefront", "cart", "checkout", "search", "catalogue", "inventory")
_DATA: Final = ("ingest", "warehouse", "scheduler", "dashboards")
_BACK: Final = ("crm", "mailer", "reports", "auth")
_EDGE: Final = ("gateway", "metrics", "registry")

CLUSTERS: Final[tuple[DemoCluster, ...]] = (
    DemoCluster(
        name="shop-dublin",
        provider="aws",
        account="111122223333",
        region="eu-west-1",
        zones=("eu-west-1a", "eu-west-1b", "eu-west-1c"),
        cni="cilium-kubernetes",
        version="v1.35.4+k3s1",
        node_cidr="10.0.0.0/20",
        pod_cidrs=("10.42.0.0/16",),
        service_cidrs=("10.43.0.0/16",),
        nodes=9,
        apps=_SHOP,
        k3s_server=_K3S,
    ),
    DemoCluster(
        name="shop-frankfurt",
        provider="aws",
        account="111122223333",
        region="eu-central-1",
        zones=("eu-central-1a", "eu-central-1b"),
        cni="cilium-kubernetes",
        version="v1.35.4+k3s1",
        node_cidr="10.1.0.0/20",
        pod_cidrs=("10.42.0.0/16",),
        service_cidrs=("10.43.0.0/16",),
        nodes=7,
        apps=_SHOP,
        k3s_server=_K3S,
    ),
    DemoCluster(
        name="payments-dublin",
        provider="aws",
        account="444455556666",
        region="eu-west-1",
        zones=("eu-west-1a", "eu-west-1b"),
        cni="aws-vpc-cni",
        version="v1.35.4-eks-3abbec1",
        node_cidr="10.0.16.0/20",
        pod_cidrs=("10.0.20.0/22",),
        service_cidrs=("172.20.0.0/16",),
        nodes=5,
        apps=("payments", "ledger", "fraud"),
        pod_block_bits=(28, 64),
    ),
    DemoCluster(
        name="data-virginia",
        provider="aws",
        account="777788889999",
        region="us-east-1",
        zones=("us-east-1a", "us-east-1b", "us-east-1d"),
        cni="cilium-cluster-pool",
        version="v1.34.6",
        node_cidr="10.2.0.0/20",
        pod_cidrs=("10.65.0.0/16",),
        service_cidrs=("172.21.0.0/16",),
        nodes=8,
        apps=_DATA,
    ),
    DemoCluster(
        name="analytics-eemshaven",
        provider="gcp",
        account="acme-analytics",
        region="europe-west4",
        zones=("europe-west4-a", "europe-west4-b", "europe-west4-c"),
        cni="gke",
        version="v1.35.3-gke.1100",
        node_cidr="10.164.0.0/20",
        pod_cidrs=("10.8.0.0/14",),
        service_cidrs=("34.118.224.0/20",),
        nodes=6,
        apps=_DATA,
    ),
    DemoCluster(
        name="training-iowa",
        provider="gcp",
        account="acme-ml",
        region="us-central1",
        zones=("us-central1-a", "us-central1-b"),
        cni="gke-multi-network",
        version="v1.35.3-gke.1100",
        node_cidr="10.128.0.0/20",
        pod_cidrs=("10.8.0.0/14",),
        service_cidrs=("34.118.240.0/20",),
        nodes=4,
        apps=("notebooks", "trainer", "feature-store"),
    ),
    DemoCluster(
        name="crm-amsterdam",
        provider="azure",
        account="6f2c1d1e-0000-4000-8000-00000000c4a1",
        region="westeurope",
        zones=("westeurope-1", "westeurope-2"),
        cni="azure-overlay",
        version="v1.35.2",
        node_cidr="10.224.0.0/16",
        pod_cidrs=("10.244.0.0/16",),
        service_cidrs=("10.0.0.0/16",),
        nodes=5,
        apps=_BACK,
    ),
    DemoCluster(
        name="hr-dublin",
        provider="azure",
        account="6f2c1d1e-0000-4000-8000-00000000c4a1",
        region="northeurope",
        zones=("northeurope-1", "northeurope-2"),
        cni="azure-overlay",
        version="v1.34.5",
        node_cidr="10.225.0.0/16",
        pod_cidrs=("10.244.0.0/16",),
        service_cidrs=("10.0.0.0/16",),
        nodes=3,
        apps=_BACK,
    ),
    DemoCluster(
        name="factory-berlin",
        provider="metal",
        account="",
        region="de-berlin",
        zones=("hall-1", "hall-2"),
        cni="flannel",
        version="v1.33.9",
        node_cidr="172.16.10.0/24",
        pod_cidrs=("10.244.0.0/16",),
        service_cidrs=("10.96.0.0/12",),
        nodes=4,
        apps=_EDGE,
        kubeadm=True,
        balancer_addresses=("172.16.10.240/32",),  # and it is taken: the pool is full
    ),
    DemoCluster(
        name="factory-poznan",
        provider="metal",
        account="",
        region="pl-poznan",
        zones=("hall-1",),
        cni="flannel",
        version="v1.33.9",
        node_cidr="172.16.10.0/24",
        pod_cidrs=("10.245.0.0/16",),
        service_cidrs=("10.96.0.0/12",),
        nodes=4,
        apps=_EDGE,
        kubeadm=True,
        balancer_addresses=("172.16.10.240-172.16.10.250",),
    ),
    DemoCluster(
        name="platform-lab",
        provider="metal",
        account="",
        region="lab",
        zones=("rack-1",),
        cni="calico",
        version="v1.36.3",
        node_cidr="192.168.20.0/24",
        pod_cidrs=("192.168.0.0/16", "fd00:10:244::/56"),
        service_cidrs=("10.112.0.0/16", "fd00:10:96::/112"),
        nodes=3,
        apps=_EDGE,
        pod_block_bits=(26, 122),
    ),
    DemoCluster(
        name="platform-stage",
        provider="metal",
        account="",
        region="lab",
        zones=("rack-2",),
        cni="flannel",
        version="v1.36.3",
        node_cidr="192.168.21.0/24",
        pod_cidrs=("10.247.0.0/16", "fd00:10:244::/56"),
        service_cidrs=("10.113.0.0/16", "fd00:10:96:1::/112"),
        nodes=3,
        apps=_EDGE,
        kubeadm=True,
    ),
)

DOMAINS: Final[tuple[DemoDomain, ...]] = (
    DemoDomain(
        name="aws-backbone",
        description="All AWS accounts, routed flat by one transit gateway",
        clusters=("shop-dublin", "shop-frankfurt", "payments-dublin", "data-virginia"),
    ),
    DemoDomain(
        name="azure-hub",
        description="Azure virtual networks peered in a hub and spoke",
        clusters=("crm-amsterdam",),
    ),
    DemoDomain(
        name="lab-lan",
        description="The racks of the lab, one local network",
        clusters=("platform-lab", "platform-stage"),
    ),
)

CONNECTIONS: Final[tuple[DemoConnection, ...]] = (
    DemoConnection(a="aws-backbone", b="azure-hub", mode="FLAT", note="VPN for the CRM integration"),
    DemoConnection(a="analytics-eemshaven", b="training-iowa", mode="PLANNED", note="One Cilium mesh is asked for"),
    DemoConnection(a="factory-berlin", b="factory-poznan", mode="NAT", note="Site link translates both ways"),
)
