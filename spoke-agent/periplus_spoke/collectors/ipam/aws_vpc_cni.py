"""AWS VPC CNI: pods get addresses of the subnets of their VPC, which nodes, other clusters and strangers use too.

How many a subnet still has is known to EC2 alone, and so is the range of a subnet: an ENIConfig names it by its id.
"""

from collections.abc import Mapping
from typing import Any, Final

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.pod_addresses import pod_addresses, seen_in, uncounted_pools
from periplus_spoke.conversion.cidr import Address, Fault
from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.custom_objects import Named
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Reach, WantedKind

ENI_CONFIGS: Final = WantedKind(group="crd.k8s.amazonaws.com", plural="eniconfigs", versions=("v1alpha1",), type=Named)
AWS_VPC_CNI: Final = "aws-vpc-cni"
_IPV4: Final = 4
_CILIUMS_OWN: Final = frozenset(("cluster-pool", "multi-pool", "kubernetes"))
"""Values of Cilium's `ipam` with which pods get no addresses of the VPC."""
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
    # An address of the VPC is routed in it. Subnets of an ENIConfig are often the same in other VPCs, and hidden from
    # them behind the node: whether they are is an environment variable of aws-node, which the spoke does not read.
    custom = not view.has_objects(ENI_CONFIGS) or bool(view.objects(ENI_CONFIGS))
    return "" if family == _IPV4 and custom else "routed"
