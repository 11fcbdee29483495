"""Custom objects in which allocators of the demonstration's clusters write what they hand out. Pure."""

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from periplus_hub.api.demo import objects
from periplus_hub.api.demo.fleet import Cni, DemoCluster
from periplus_hub.api.demo.names import Network, Object, meta, networks


class Served(NamedTuple):
    """A kind that an API server serves, and its objects."""

    kind: str
    objects: Callable[[DemoCluster], list[Object]]


def custom_kinds(cluster: DemoCluster) -> Mapping[str, Served]:
    """By the path of their list."""
    return _OF_PLUGINS.get(cluster.cni, {}) | (_METALLB if cluster.balancer_addresses else {})


def _none(_: DemoCluster) -> list[Object]:
    return []


def _node_network_configs(cluster: DemoCluster) -> list[Object]:
    """What AKS gives to each node: a block of the overlay."""
    [overlay] = cluster.pod_cidrs
    return [
        {
            "metadata": meta(cluster, "NodeNetworkConfig", node, "kube-system"),
            "status": {
                "assignedIPCount": block.num_addresses,
                "networkContainers": [
                    {"type": "overlay", "primaryIP": str(block), "subnetAddressSpace": overlay, "status": "Available"}
                ],
            },
        }
        for node, blocks in objects.pod_blocks(cluster).items()
        for block in blocks
    ]


def _param_sets(cluster: DemoCluster) -> list[Object]:
    """The pods' own network of a GKE cluster with multi-networking."""
    status = {"podCIDRs": {"cidrBlocks": list(cluster.pod_cidrs)}}
    return [{"metadata": meta(cluster, "GKENetworkParamSet", "default"), "status": status}]


def _ip_pools(cluster: DemoCluster) -> list[Object]:
    """One IPPool for each family, as an installation of Calico makes them: VXLAN, and NAT for what leaves."""
    made = []
    for network in networks(cluster.pod_cidrs):
        name = f"default-ipv{network.version}-ippool"
        spec = {
            "cidr": str(network),
            "blockSize": cluster.block_bits(network.version),
            "vxlanMode": "Always",
            "ipipMode": "Never",
            "natOutgoing": True,
            "nodeSelector": "all()",
        }
        made.append({"metadata": meta(cluster, "IPPool", name), "spec": spec})
    return made


def _ipam_blocks(cluster: DemoCluster) -> list[Object]:
    """The block of each node, with an allocation for each of its pods."""
    holders: dict[Network, list[str]] = defaultdict(list)
    blocks = [(node, block) for node, found in objects.pod_blocks(cluster).items() for block in found]
    for pod in objects.pods(cluster):
        for item in pod["status"]["podIPs"]:
            address = ipaddress.ip_address(item["ip"])
            for _, block in blocks:
                if address in block:
                    holders[block].append(str(address))
    return [_ipam_block(cluster, node, block, holders[block]) for node, block in blocks]


def _ipam_block(cluster: DemoCluster, node: str, block: Network, used: list[str]) -> Object:
    first = int(block.network_address)
    taken = {int(ipaddress.ip_address(text)) - first: index for index, text in enumerate(used)}
    spec = {
        "cidr": str(block),
        "affinity": f"host:{node}",
        "strictAffinity": False,
        "allocations": [taken.get(ordinal) for ordinal in range(block.num_addresses)],
        "unallocated": [ordinal for ordinal in range(block.num_addresses) if ordinal not in taken],
        "attributes": [{"handle_id": f"k8s-pod-network.{text}", "secondary": {"node": node}} for text in used],
    }
    name = str(block).replace(".", "-").replace(":", "-").replace("/", "-")
    return {"metadata": meta(cluster, "IPAMBlock", name), "spec": spec}


def _cilium_nodes(cluster: DemoCluster) -> list[Object]:
    """What Cilium's operator gave to each node, or Kubernetes did and Cilium repeats."""
    return [
        {
            "metadata": meta(cluster, "CiliumNode", node),
            "spec": {
                "addresses": [{"type": "CiliumInternalIP", "ip": str(blocks[0].network_address + 1)}],
                "ipam": {"podCIDRs": [str(block) for block in blocks]},
            },
        }
        for node, blocks in objects.pod_blocks(cluster).items()
    ]


def _address_pools(cluster: DemoCluster) -> list[Object]:
    """MetalLB's pool."""
    metadata = meta(cluster, "IPAddressPool", "site", "metallb-system")
    return [{"metadata": metadata, "spec": {"addresses": list(cluster.balancer_addresses)}}]


_CILIUM: Final = {
    "/apis/cilium.io/v2/ciliumnodes": Served("CiliumNode", _cilium_nodes),
    "/apis/cilium.io/v2/ciliumloadbalancerippools": Served("CiliumLoadBalancerIPPool", _none),
    "/apis/cilium.io/v2alpha1/ciliumpodippools": Served("CiliumPodIPPool", _none),
}
_AWS: Final = {"/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs": Served("ENIConfig", _none)}
_AZURE: Final = {"/apis/acn.azure.com/v1alpha/nodenetworkconfigs": Served("NodeNetworkConfig", _node_network_configs)}
_GKE: Final = {"/apis/networking.gke.io/v1/gkenetworkparamsets": Served("GKENetworkParamSet", _param_sets)}
_METALLB: Final = {"/apis/metallb.io/v1beta1/ipaddresspools": Served("IPAddressPool", _address_pools)}
_CALICO: Final = {
    "/apis/crd.projectcalico.org/v1/ippools": Served("IPPool", _ip_pools),
    "/apis/crd.projectcalico.org/v1/ipamblocks": Served("IPAMBlock", _ipam_blocks),
    "/apis/crd.projectcalico.org/v1/blockaffinities": Served("BlockAffinity", _none),
    "/apis/crd.projectcalico.org/v1/ipreservations": Served("IPReservation", _none),
    "/apis/crd.projectcalico.org/v1/bgppeers": Served("BGPPeer", _none),
}
_OF_PLUGINS: Final[dict[Cni, dict[str, Served]]] = {
    "azure-overlay": _AZURE,
    "aws-vpc-cni": _AWS,
    "gke-multi-network": _GKE,
    "calico": _CALICO,
    "cilium-kubernetes": _CILIUM,
    "cilium-cluster-pool": _CILIUM,
}
