"""Node.spec.podCIDRs: the ranges that kube-controller-manager or a cloud gives to nodes, handed out by host-local.

Whether pods really get their addresses there depends on the network plugin. Where the plugin
is unknown, the pods say it themselves: their addresses either lie in their node's range or they do not.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.fold.cidr import (
    Address,
    Fault,
    Network,
    checked,
    covered,
    largest_free_block,
    parse_address,
    parse_cidr,
)
from periplus_spoke.fold.cluster_settings import cluster_claims
from periplus_spoke.fold.cni import CALICO_CONFIGS, CILIUM_CONFIG, uses_pod_cidr
from periplus_spoke.fold.ipam import Allocation, IpamView, Pool, WantedKind

_SOURCE: Final = "nodes"
_HOST_LOCAL_EXCLUDED: Final = {4: 3, 6: 2}
"""Network, gateway and, for IPv4, broadcast address are never handed out (containernetworking host-local)."""


class _Block(msgspec.Struct, frozen=True):
    node: str
    network: Network


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
        blocks = list(_blocks(view, lambda _: None))
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
        used = _used(view, blocks)
        nodes = [_node_pool(block, used[block.node, block.network] if view.has_pods else None) for block in blocks]
        ranges = cluster_claims(view, "pod", fault)
        return [*nodes, *(_cluster_pool(claim, nodes) for claim in ranges)]

    def shares_pod_range(self, view: IpamView) -> bool:
        """Never: a node's block is that node's."""
        del view
        return False

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """Each node's range. The cluster's is in its settings (`cluster_settings`)."""
        blocks = list(_blocks(view, fault))
        if not _believable(view, blocks):
            return []
        return [
            Allocation(
                kind="pod",
                cidr=str(block.network),
                provider=self.name,
                source=_SOURCE,
                name=block.node,
                node=block.node,
            )
            for block in blocks
        ]


def _blocks(view: IpamView, fault: Fault) -> Iterator[_Block]:
    for node in view.nodes():
        for text in node.pod_cidrs:
            if network := checked(parse_cidr, text, f"podCIDR of node {node.name}", fault):
                yield _Block(node.name, network)


def _believable(view: IpamView, blocks: list[_Block]) -> bool:
    known = uses_pod_cidr(view.cnis, view.configs)
    if known is not None:
        return known
    inside = outside = 0
    for count, is_inside in _witnesses(view, blocks):
        inside += count if is_inside else 0
        outside += 0 if is_inside else count
    return inside >= outside


def _witnesses(view: IpamView, blocks: list[_Block]) -> Iterator[tuple[int, bool]]:
    by_node = _by_node(blocks)
    for pod in view.pods():
        networks = by_node.get(pod.node or "", [])
        for address in _addresses(pod.addresses):
            same = [network for network in networks if network.version == address.version]
            if same:
                yield 1, any(address in network for network in same)


def _used(view: IpamView, blocks: list[_Block]) -> Counter[tuple[str, Network]]:
    by_node = _by_node(blocks)
    used: Counter[tuple[str, Network]] = Counter()
    for pod in view.pods():
        node = pod.node or ""
        for address in _addresses(pod.addresses):
            used.update((node, network) for network in by_node.get(node, []) if address in network)
    return used


def _addresses(texts: tuple[str, ...]) -> Iterator[Address]:
    for text in texts:
        if address := checked(parse_address, text, "pod", lambda _: None):
            yield address


def _by_node(blocks: list[_Block]) -> dict[str, list[Network]]:
    found: dict[str, list[Network]] = {}
    for block in blocks:
        found.setdefault(block.node, []).append(block.network)
    return found


def _node_pool(block: _Block, used: int | None) -> Pool:
    capacity = max(block.network.num_addresses - _HOST_LOCAL_EXCLUDED[block.network.version], 0)
    return Pool(
        provider=NodePodCidr.name,
        name=block.node,
        family=block.network.version,
        scope="node",
        node=block.node,
        source=_SOURCE,
        quality="derived",
        cidrs=(str(block.network),),
        capacity=capacity,
        assigned=block.network.num_addresses,
        used=used,
        reserved=block.network.num_addresses - capacity,
        free=None if used is None else max(capacity - used, 0),
    )


def _cluster_pool(claim: Allocation, nodes: list[Pool]) -> Pool:
    network = ipaddress.ip_network(claim.cidr)
    inside = [pool for pool in nodes if _within(pool.cidrs[0], network)]
    used = None if any(pool.used is None for pool in nodes) else sum(pool.used or 0 for pool in inside)
    blocks = {ipaddress.ip_network(pool.cidrs[0]) for pool in inside}
    assigned = covered(blocks)
    return Pool(
        provider=NodePodCidr.name,
        name=claim.name,
        family=network.version,
        scope="cluster",
        source=claim.source,
        quality="derived",
        cidrs=(str(network),),
        capacity=network.num_addresses,
        assigned=assigned,
        used=used,
        free=network.num_addresses - assigned,  # what a node has is handed out to no other, used or not
        largest_free_block=largest_free_block(network, blocks),
    )


def _within(cidr: str, network: Network) -> bool:
    inner = ipaddress.ip_network(cidr)
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(network, ipaddress.IPv4Network):
        return inner.subnet_of(network)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(network, ipaddress.IPv6Network):
        return inner.subnet_of(network)
    return False
