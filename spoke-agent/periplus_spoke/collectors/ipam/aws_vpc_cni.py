"""AWS VPC CNI: pods get addresses of the subnets of their VPC, which nodes, other clusters and strangers use too.

How many a subnet still has is known to EC2 alone, and so is the range of a subnet: an ENIConfig names it by its id.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.pod_addresses import families_inside, pod_addresses, seen_in, uncounted_pools
from periplus_spoke.conversion.cidr import Address, Fault, checked, parse_address, told_elsewhere
from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, WantedKind

ENI_CONFIGS: Final = WantedKind(group="crd.k8s.amazonaws.com", plural="eniconfigs", versions=("v1alpha1",), type=Named)
AWS_VPC_CNI: Final = "aws-vpc-cni"
AWS_NODE: Final = "aws-node"
"""Its DaemonSet, and its settings among the flags of an IpamView."""
CUSTOM_NETWORKING: Final = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"
EXTERNAL_SNAT: Final = "AWS_VPC_K8S_CNI_EXTERNALSNAT"
EXCLUDED_FROM_SNAT: Final = "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS"
SETTINGS: Final = frozenset((CUSTOM_NETWORKING, EXTERNAL_SNAT, EXCLUDED_FROM_SNAT))
"""Environment variables that are read; of all others not even the names are kept."""
_IPV4: Final = 4
_CILIUMS_OWN: Final = frozenset(("cluster-pool", "multi-pool", "kubernetes"))
"""Values of Cilium's `ipam` with which pods get no addresses of the VPC."""
_FOR_PODS: Final = (IPv4Network("100.64.0.0/10"), IPv4Network("198.19.0.0/16"))
"""Ranges that AWS names for subnets of ENIConfigs (docs.aws.amazon.com/eks/latest/best-practices/custom-networking)."""
_HYBRID: Final = "eks-hybrid:"
"""Provider id of nodes outside AWS; their pods have addresses of another plugin."""


class AwsVpcCni:
    """The adapter."""

    name: Final = AWS_VPC_CNI
    kinds: tuple[WantedKind[Any], ...] = (ENI_CONFIGS,)
    configs: tuple[str, ...] = (CILIUM_CONFIG,)

    def detect(self, facts: DetectFacts) -> bool:
        """Where its DaemonSet is."""
        return AWS_VPC_CNI in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Cilium has taken over, and aws-node was left behind."""
        taken_over = _cilium_hands_out(view) and not _hybrid_nodes(view)
        if AWS_VPC_CNI in view.cnis and taken_over:
            return "aws-node is installed, but Cilium hands out the addresses of pods"
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """Always, unless there are nodes outside of AWS, whose pods have a range of their own."""
        return not _hybrid_nodes(view)

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """How many addresses of the VPC pods use; out of how many is not known here."""
        return uncounted_pools(self.name, "vpc", _addresses(view, fault), has_pods=view.has_pods)

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Every address of a pod."""
        by_family: dict[int, set[Address]] = {4: set(), 6: set()}
        for address in _addresses(view, fault):
            by_family[address.version].add(address)
        return [
            item
            for family, addresses in by_family.items()
            for item in seen_in(self.name, "vpc", addresses, _reach(view, family))
        ]


def _addresses(view: IpamView, fault: Fault) -> set[Address]:
    elsewhere = _hybrid_nodes(view)
    return {address for node, address in pod_addresses(view, fault) if node not in elsewhere}


def _cilium_hands_out(view: IpamView) -> bool:
    config = view.configs.get(CILIUM_CONFIG, {})
    return "cilium" in view.cnis and config.get("ipam") in _CILIUMS_OWN and not _is_chained(config)


def _is_chained(config: Mapping[str, str]) -> bool:
    """Whether Cilium only adds policies to the pods of another plugin."""
    return config.get("cni-chaining-mode", "none") not in ("", "none")


def _hybrid_nodes(view: IpamView) -> frozenset[str]:
    return frozenset(node.name for node in view.nodes() if node.provider_id.startswith(_HYBRID))


def _reach(view: IpamView, family: int) -> Reach:
    """An address of the VPC is routed in it. Subnets of ENIConfigs are often the same in other VPCs, and hidden there.

    aws-node translates what leaves the VPC to the node's address unless it is told that something else does, or for
    which ranges it is not to (github.com/aws/amazon-vpc-cni-k8s, README: AWS_VPC_K8S_CNI_EXTERNALSNAT,
    AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS).
    """
    if family != _IPV4 or view.has_none(ENI_CONFIGS):
        return "routed"
    if AWS_NODE not in view.flags:
        return ""
    settings = dict(text.partition("=")[::2] for text in view.flags[AWS_NODE])
    if _is_true(settings.get(EXTERNAL_SNAT, "")):
        return "routed"
    has_own_subnets = _is_true(settings.get(CUSTOM_NETWORKING, "")) or _are_apart(view)
    return "masqueraded" if has_own_subnets and not settings.get(EXCLUDED_FROM_SNAT) else ""


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "t")  # as Go's strconv.ParseBool


def _are_apart(view: IpamView) -> bool:
    """Whether pods, and no nodes, have addresses of ranges that AWS names for subnets of pods alone."""
    texts = {text.partition("=")[2] for node in view.nodes() for text in node.addresses}  # InternalIP=10.0.0.1
    nodes = [address for text in texts if (address := checked(parse_address, text, "node", told_elsewhere))]
    has_nodes_there = any(address in home for address in nodes for home in _FOR_PODS)
    return _IPV4 in families_inside(view, _FOR_PODS) and not has_nodes_there
