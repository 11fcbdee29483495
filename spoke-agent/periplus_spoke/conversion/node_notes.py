"""What nodes say of their network in annotations and labels: the few that IPAM adapters read."""

from typing import Final

from periplus_spoke.conversion.objects import Node
from periplus_spoke.conversion.text import shared

K3S_ARGUMENTS: Final = "k3s.io/node-args"
RKE2_ARGUMENTS: Final = "rke2.io/node-args"
FLANNEL_BACKEND: Final = "flannel.alpha.coreos.com/backend-type"
OVN_SUBNETS: Final = "k8s.ovn.org/node-subnets"
AKS_CLUSTER: Final = "kubernetes.azure.com/cluster"
AKS_NETWORK: Final = "kubernetes.azure.com/podnetwork-type"
AKS_SUBNET: Final = "kubernetes.azure.com/podnetwork-subnet"
GKE_POOL: Final = "cloud.google.com/gke-nodepool"
EKS_GROUP: Final = "eks.amazonaws.com/nodegroup"

_ANNOTATIONS: Final[tuple[str, ...]] = (K3S_ARGUMENTS, RKE2_ARGUMENTS, FLANNEL_BACKEND, OVN_SUBNETS)
_LABELS: Final[tuple[str, ...]] = (AKS_CLUSTER, AKS_NETWORK, AKS_SUBNET, GKE_POOL, EKS_GROUP)
_LONGEST_CHARS: Final = 16_384
"""Longer texts are left out: a node's arguments are a few hundred characters."""


def node_notes(node: Node) -> dict[str, str]:
    """The annotations and labels that adapters read, by key."""
    annotations, labels = node.metadata.annotations or {}, node.metadata.labels or {}
    found = {key: annotations[key] for key in _ANNOTATIONS if key in annotations}
    found |= {key: labels[key] for key in _LABELS if key in labels}
    return {key: shared(text) or "" for key, text in found.items() if len(text) <= _LONGEST_CHARS}
