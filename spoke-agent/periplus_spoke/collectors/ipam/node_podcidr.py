"""Node.spec.podCIDRs: the ranges that kube-controller-manager or a cloud gives to nodes, handed out by host-local.

Whether pods really get their addresses there depends on the network plugin. Where the plugin
is unknown, the pods say it themselves: their addresses either lie in their node's range or they do not.
"""

from collections.abc import Iterator
from typing import Any, Final

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.node_blocks import HOST_LOCAL_EXCLUDED, Block, Blocks, range_pools, told_addresses
from periplus_spoke.conversion.cidr import Fault, Network, checked, parse_cidr, told_elsewhere
from periplus_spoke.conversion.cluster_settings import cluster_claims
from periplus_spoke.conversion.cni import CALICO_CONFIGS, CILIUM_CONFIG, uses_pod_cidr
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, WantedKind
from periplus_spoke.conversion.pod_reach import pod_reach

_SOURCE: Final = "nodes"


class NodePodCidr:
    """The adapter."""

    name: Final = "node-podcidr"
    kinds: tuple[WantedKind[Any], ...] = ()
    configs: tuple[str, ...] = (CILIUM_CONFIG, *CALICO_CONFIGS)

    def detect(self, facts: DetectFacts) -> bool:
        """Unless the plugin is known to ignore these ranges."""
        return uses_pod_cidr(facts.cnis, facts.configs) is not False

    def silent_because(self, view: IpamView) -> str:
        """The plugin is known to take addresses elsewhere, or pods have addresses outside of these ranges."""
        blocks = list(_blocks(view, told_elsewhere))
        if not blocks:
            return ""
        if uses_pod_cidr(view.cnis, view.configs) is False:
            return f"nodes have podCIDRs, but {', '.join(view.cnis)} does not take pod addresses from them"
        if not _believable(view, blocks):
            return "nodes have podCIDRs, but pods have addresses outside of them"
        return ""

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """One per node and family, and one per range that the cluster was set up with."""
        blocks = list(_blocks(view, fault))
        if not _believable(view, blocks):
            return []
        nodes = _held(view, blocks).pools(view)
        return [*nodes, *range_pools(self.name, cluster_claims(view, "pod", fault), nodes)]

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a node's block is that node's."""
        del view
        return False

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Each node's range. The cluster's is in its settings (`cluster_settings`)."""
        blocks = list(_blocks(view, fault))
        if not _believable(view, blocks):
            return []
        return _held(view, blocks).allocations()


def _held(view: IpamView, blocks: list[Block]) -> Blocks:
    return Blocks(NodePodCidr.name, _SOURCE, blocks, excluded=HOST_LOCAL_EXCLUDED, reach=pod_reach(view))


def _blocks(view: IpamView, fault: Fault) -> Iterator[Block]:
    for node in view.nodes():
        for text in node.pod_cidrs:
            if network := checked(parse_cidr, text, f"podCIDR of node {node.name}", fault):
                yield Block(node.name, network)


def _believable(view: IpamView, blocks: list[Block]) -> bool:
    known = uses_pod_cidr(view.cnis, view.configs)
    if known is not None:
        return known
    inside = outside = 0
    for count, is_inside in _witnesses(view, blocks):
        inside += count if is_inside else 0
        outside += 0 if is_inside else count
    # By majority: a pod that was made before its node got another block, or one with an address of a further network,
    # is no proof. Without pods there are no witnesses against the ranges, and they are told.
    return inside >= outside


def _witnesses(view: IpamView, blocks: list[Block]) -> Iterator[tuple[int, bool]]:
    by_node: dict[str, list[Network]] = {}
    for block in blocks:
        by_node.setdefault(block.node, []).append(block.network)
    for pod in view.pods():
        networks = by_node.get(pod.node or "", [])
        for address in told_addresses(pod.addresses):
            same = [network for network in networks if network.version == address.version]
            if same:
                yield 1, any(address in network for network in same)
