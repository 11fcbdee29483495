"""What a network plugin leaves on nodes and in kube-system: annotations, labels, its agent, its configuration."""

import json
from typing import Final

from periplus_hub.api.demo.fleet import Cni, DemoCluster
from periplus_hub.api.demo.names import SYSTEM, Object, meta

TAKES_POD_CIDRS: Final[frozenset[Cni]] = frozenset(("flannel", "cilium-kubernetes", "gke", "gke-multi-network"))
"""Plugins whose pods get addresses of Node.spec.podCIDRs."""
AGENTS: Final[dict[Cni, str]] = {
    "flannel": "kube-flannel-ds",
    "cilium-kubernetes": "cilium",
    "cilium-cluster-pool": "cilium",
    "aws-vpc-cni": "aws-node",
    "azure-overlay": "azure-cns",
    "gke": "netd",
    "gke-multi-network": "netd",
    "calico": "calico-node",
}
"""The DaemonSet that the plugin runs."""
_CILIUM: Final[dict[Cni, dict[str, str]]] = {
    "cilium-kubernetes": {
        "ipam": "kubernetes",
        "routing-mode": "native",
        "ipv4-native-routing-cidr": "10.0.0.0/8",
    },
    "cilium-cluster-pool": {
        "ipam": "cluster-pool",
        "cluster-pool-ipv4-mask-size": "24",
        "enable-ipv6": "false",
        "routing-mode": "tunnel",
        "tunnel-protocol": "vxlan",
    },
}
_SERVERS: Final = 3
"""Nodes of k3s that are servers; the others are agents."""


def annotations(cluster: DemoCluster, index: int) -> dict[str, str]:
    """Of the node with this number."""
    found: dict[str, str] = {}
    if cluster.cni == "flannel":
        found["flannel.alpha.coreos.com/kube-subnet-manager"] = "true"
        found["flannel.alpha.coreos.com/backend-type"] = "vxlan"
    if cluster.k3s_server and index < _SERVERS:
        found["k3s.io/node-args"] = json.dumps(["server", *cluster.k3s_server])
    elif cluster.k3s_server:
        found["k3s.io/node-args"] = json.dumps(["agent"])
    return found


def labels(cluster: DemoCluster) -> dict[str, str]:
    """Of every node."""
    match cluster.cni:
        case "gke" | "gke-multi-network":
            return {"cloud.google.com/gke-nodepool": "default-pool"}
        case "azure-overlay":
            return {"kubernetes.azure.com/cluster": cluster.name, "kubernetes.azure.com/podnetwork-type": "overlay"}
        case "aws-vpc-cni":
            return {"eks.amazonaws.com/nodegroup": "default"}
        case _:
            return {}


def config_maps(cluster: DemoCluster) -> dict[str, Object]:
    """Named ConfigMaps of kube-system that a spoke may read, by name."""
    found: dict[str, Object] = {}
    if cluster.kubeadm:
        networking = {
            "podSubnet": ",".join(cluster.pod_cidrs),
            "serviceSubnet": ",".join(cluster.service_cidrs),
            "dnsDomain": "cluster.local",
        }
        # JSON is YAML, and needs no YAML writer.
        document = json.dumps({"clusterName": cluster.name, "networking": networking})
        found["kubeadm-config"] = _config_map(cluster, "kubeadm-config", {"ClusterConfiguration": document})
    if cluster.cni in _CILIUM:
        settings = _CILIUM[cluster.cni] | {"cluster-name": cluster.name}
        if cluster.cni == "cilium-cluster-pool":
            settings["cluster-pool-ipv4-cidr"] = " ".join(cluster.pod_cidrs)
        found["cilium-config"] = _config_map(cluster, "cilium-config", settings)
    return found


def _config_map(cluster: DemoCluster, name: str, data: dict[str, str]) -> Object:
    return {"metadata": meta(cluster, "ConfigMap", name, SYSTEM), "data": data}
