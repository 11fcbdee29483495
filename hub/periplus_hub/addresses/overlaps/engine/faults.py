"""What a cluster does wrong with itself, in sentences: what it is, what breaks, and what can be done. Pure."""

from collections.abc import Collection
from typing import Final, NamedTuple

from periplus_hub.addresses.overlaps.engine.causes import Cause
from periplus_hub.addresses.overlaps.engine.uses import NODES, PODS, SERVICES, Use


class Fault(NamedTuple):
    """One fault inside one cluster."""

    why: str
    breaks: str
    remedy: str


SERVICES_OVER_OTHERS: Final = Fault(
    "The service range of a cluster covers pods or nodes of the same cluster.",
    "kube-proxy takes traffic for pods or nodes in the service range as service traffic, and drops it.",
    "Give the cluster a service range that covers neither its pods nor its nodes: up to Kubernetes 1.32 it is fixed "
    "when the cluster is made, from 1.33 on ServiceCIDR objects can replace it.",
)
PODS_OVER_NODES: Final = Fault(
    "The pod range of a cluster covers nodes of the same cluster.",
    "A node inside the pod range cannot be reached any more once a node has that part of the range as its block: its "
    "traffic is taken for pods'.",
    "Give the cluster a pod range without its nodes' addresses (clusterPoolIPv4PodCIDRList of Cilium, an IPPool of "
    "Calico, --cluster-cidr of k3s, podSubnet of kubeadm): most plugins fix it when the cluster is made, so rebuild "
    "it, or move its nodes into another subnet.",
)
PODS_OF_TWO_NODES: Final = Fault(
    "Two nodes of one cluster hold the same block of pod addresses.",
    "Two pods get one address, and only one of the nodes is sent their traffic.",
    "Drain all but one of these nodes and delete their Node objects, with what the network plugin keeps of their "
    "blocks: they join again with blocks of their own.",
)
NODES_WITH_ONE_ADDRESS: Final = Fault(
    "Several nodes of one cluster report the same address.",
    "Logs, exec and the tunnels between nodes reach one machine and not the others.",
    "Tell kubelet on each of these machines with --node-ip at which address the others reach it, and restart it. Where "
    "a machine has no such address, give it one.",
)
POOL_OVER_OTHERS: Final = Fault(
    "A load balancer pool of a cluster covers addresses of its own services, pods or nodes.",
    "A load balancer gets an address that is somebody's already: one of the two cannot be reached.",
    "Take that part out of the pool (IPAddressPool of MetalLB, CiliumLoadBalancerIPPool of Cilium).",
)


_ORDER: Final = (
    PODS_OVER_NODES,
    SERVICES_OVER_OTHERS,
    NODES_WITH_ONE_ADDRESS,
    PODS_OF_TWO_NODES,
    POOL_OVER_OTHERS,
)
"""In which they are told."""


def faults_of(causes: Collection[Cause]) -> tuple[Fault, ...]:
    """The faults that are among causes, each once."""
    found = {_fault(each) for each in causes if each.relation is None}
    return tuple(fault for fault in _ORDER if fault in found)


def _fault(cause: Cause) -> Fault:
    both = {cause.a, cause.b}
    if Use.LOADBALANCER_POOL in both:
        return POOL_OVER_OTHERS
    if both & SERVICES:
        return SERVICES_OVER_OTHERS
    if both <= PODS:
        return PODS_OF_TWO_NODES
    return NODES_WITH_ONE_ADDRESS if both <= NODES else PODS_OVER_NODES
