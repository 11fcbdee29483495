"""Cilium's address management, in each of its modes, and its pools of load balancer addresses.

In `cluster-pool` and `multi-pool` the operator carves blocks for nodes out of the cluster's pools. In the modes of
clouds, pods have addresses of the cloud's network. In `kubernetes` they have those of Node.spec.podCIDRs, and in
`delegated-plugin` another plugin's: both are read elsewhere.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from periplus_spoke.collectors.ipam import cilium_balancers, cilium_clouds
from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.cilium_clouds import NODES, checked_addresses, lost_nodes
from periplus_spoke.collectors.ipam.leaks import evidence
from periplus_spoke.conversion.cidr import (
    Address,
    Fault,
    Network,
    checked,
    covered,
    exact_cover,
    largest_free_block,
    parse_address,
    parse_cidr,
    told_elsewhere,
)
from periplus_spoke.conversion.cidr_index import CidrIndex
from periplus_spoke.conversion.cilium_objects import CiliumPodIPPool
from periplus_spoke.conversion.cni import CILIUM_CONFIG
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool, Quality, Reach, WantedKind

POD_POOLS: Final = WantedKind(
    group="cilium.io", plural="ciliumpodippools", versions=("v2alpha1",), type=CiliumPodIPPool
)
_NODE: Final = "CiliumNode"
_CLOUDS: Final = frozenset(("eni", "azure", "alibabacloud", "crd"))
_POOL_KEYS: Final[dict[Literal[4, 6], str]] = {4: "cluster-pool-ipv4-cidr", 6: "cluster-pool-ipv6-cidr"}
_KEPT: Final = 2
_SEPARATOR: Final = re.compile(r"[\s,]+")


class _Range(NamedTuple):
    """Ranges of one family that blocks are carved out of."""

    name: str
    family: Literal[4, 6]
    source: str
    networks: tuple[Network, ...]


class _Block(NamedTuple):
    """What a node holds; `pool` is the CiliumPodIPPool, or nothing."""

    node: str
    pool: str
    network: Network


class Cilium:
    """The adapter."""

    name: Final = "cilium"
    kinds: tuple[WantedKind[Any], ...] = (NODES, POD_POOLS, cilium_balancers.POOLS)
    configs: tuple[str, ...] = (CILIUM_CONFIG,)

    def detect(self, facts: DetectFacts) -> bool:
        """Where Cilium runs; its API group alone proves little."""
        return self.name in facts.cnis

    def silent_because(self, view: IpamView) -> str:
        """Never: modes in which pods get addresses elsewhere may still have pools for load balancers."""
        del view
        return ""

    def shares_pod_range(self, view: IpamView) -> bool:
        """In the modes of clouds, where pods have addresses of a network that others are in."""
        return _mode(view) in _CLOUDS

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        """Of the cluster and of each node in it; of load balancers."""
        balancers = cilium_balancers.pools(view, fault)
        mode = _mode(view)
        if mode in _CLOUDS:
            return [*cilium_clouds.pools(view, fault), *balancers]
        if mode not in {"cluster-pool", "multi-pool"}:
            return balancers
        ranges, blocks = _ranges(view, mode, fault), _blocks(view, mode, fault)
        nodes = lost_nodes(view)
        pods = _Pods(view, nodes or {})
        clusters = [_cluster_pool(each, blocks, pods, nodes, is_read=view.has_objects(NODES)) for each in ranges]
        return [*clusters, *_node_pools(blocks, pods, nodes), *balancers]

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        """The pools, and what each node holds of them; in clouds the addresses that nodes have."""
        balancers = cilium_balancers.allocations(view, fault)
        mode = _mode(view)
        if mode in _CLOUDS:
            return [*_cloud_addresses(view, mode, fault), *balancers]
        if mode not in {"cluster-pool", "multi-pool"}:
            return balancers
        config = view.configs.get(CILIUM_CONFIG, {})
        claims = [
            _allocation(network, each.source, each.name, reach=_reach(config, each.family))
            for each in _ranges(view, mode, fault)
            for network in each.networks
        ]
        held = [
            _allocation(block.network, _NODE, block.node, node=block.node, reach=_reach(config, block.network.version))
            for block in _blocks(view, mode, fault)
        ]
        return list(dict.fromkeys([*claims, *held, *balancers]))


def _mode(view: IpamView) -> str:
    """As it is set; where that may not be read, what nodes were given says it."""
    if mode := view.configs.get(CILIUM_CONFIG, {}).get("ipam", ""):
        return mode.strip().lower()
    for node in view.objects(NODES):
        ipam = node.spec.ipam
        if ipam.pools and ipam.pools.allocated:
            return "multi-pool"
        if ipam.addresses:
            return "crd"
        if ipam.pod_cidrs:
            return "cluster-pool"
    return ""


def _ranges(view: IpamView, mode: str, fault: Fault) -> list[_Range]:
    config = view.configs.get(CILIUM_CONFIG, {})
    if mode == "cluster-pool":
        named = [
            (key, "cilium-config", [text for text in _SEPARATOR.split(config.get(key, "")) if text])
            for family, key in _POOL_KEYS.items()
            if config.get(f"enable-ipv{family}", "true") != "false"
        ]
    else:
        named = [(pool.metadata.name, "CiliumPodIPPool", list(pool.cidrs)) for pool in view.objects(POD_POOLS)]
    told = ((name, source, _networks(texts, f"{source} {name}", fault)) for name, source, texts in named)
    return [
        _Range(name, family, source, same)
        for name, source, networks in told
        for family in _POOL_KEYS
        if (same := tuple(dict.fromkeys(network for network in networks if network.version == family)))
    ]


def _networks(texts: Iterable[str], where: str, fault: Fault) -> list[Network]:
    return [network for text in texts if (network := checked(parse_cidr, text, where, fault))]


def _blocks(view: IpamView, mode: str, fault: Fault) -> list[_Block]:
    found: list[_Block] = []
    for node in view.objects(NODES):
        name, ipam = node.metadata.name, node.spec.ipam
        if mode == "cluster-pool":
            given = [("", text) for text in ipam.pod_cidrs or ()]
        else:
            pools = (ipam.pools.allocated or ()) if ipam.pools else ()
            given = [(pool.pool, text) for pool in pools for text in pool.cidrs or ()]
        for pool, text in given:
            if network := checked(parse_cidr, text, f"{_NODE} {name}", fault):
                found.append(_Block(name, pool, network))
    return found


class _Pods:
    """Addresses that pods have, and Cilium itself on its nodes."""

    def __init__(self, view: IpamView, lost: Collection[str]) -> None:
        texts = [text for pod in view.pods() for text in pod.addresses]
        texts += [text for node in view.objects(NODES) for text in node.spec.own if node.metadata.name not in lost]
        self._all = set(_addresses(texts))
        self._is_known = view.has_pods

    def inside(self, networks: Iterable[tuple[Network, tuple[str, ...]]]) -> dict[tuple[str, ...], int] | None:
        """How many lie in the ranges of each key; None where pods are not known."""
        if not self._is_known:
            return None
        index, found = CidrIndex(networks), defaultdict[tuple[str, ...], int](int)
        for address in self._all:
            for key in dict.fromkeys(index.around(address)):
                found[key] += 1
        return found


def _addresses(texts: Iterable[str]) -> Iterator[Address]:
    for text in texts:
        if address := checked(parse_address, text, "", told_elsewhere):
            yield address


def _lost_blocks(blocks: Iterable[_Block], nodes: Mapping[str, str]) -> dict[Network, str]:
    """Blocks of nodes that are gone, with why, which no other node was given since."""
    living = CidrIndex((block.network, block) for block in blocks if block.node not in nodes)
    lost = {block.network: nodes[block.node] for block in blocks if block.node in nodes}
    return {network: why for network, why in lost.items() if not living.overlapping(network)}


def _cluster_pool(
    each: _Range, blocks: list[_Block], pods: _Pods, nodes: Mapping[str, str] | None, *, is_read: bool
) -> Pool:
    key = (each.name,)
    used = pods.inside((network, key) for network in each.networks)
    index = CidrIndex((network, network) for network in each.networks)
    inside: dict[Network, set[Network]] = {home: set() for home in each.networks}
    for block in blocks:
        for home in index.overlapping(block.network):
            inside[home].add(block.network if home.prefixlen <= block.network.prefixlen else home)
    within = set().union(*inside.values())
    capacity, assigned = covered(each.networks), covered(within)
    largest = [length for home, parts in inside.items() if (length := largest_free_block(home, parts)) is not None]
    lost = {block: why for block, why in _lost_blocks(blocks, nodes or {}).items() if block in within}
    in_lost = pods.inside((block, key) for block in lost)
    leaked = None if nodes is None or in_lost is None else covered(lost) - in_lost.get(key, 0)
    return Pool(
        provider=Cilium.name,
        name=each.name,
        family=each.family,
        scope="cluster",
        source=each.source,
        quality="derived",
        cidrs=tuple(map(str, each.networks)),
        capacity=capacity,
        assigned=assigned if is_read else None,
        used=None if used is None else used.get(key, 0),
        leaked=leaked,
        evidence=evidence(lost.items()) if leaked else (),
        free=capacity - assigned if is_read else None,  # what a node has is handed out to no other, used or not
        largest_free_block=min(largest, default=None) if is_read else None,
    )


def _node_pools(blocks: list[_Block], pods: _Pods, nodes: Mapping[str, str] | None) -> Iterator[Pool]:
    held: dict[tuple[str, str, str], list[Network]] = defaultdict(list)
    for block in blocks:
        held[block.node, block.pool, str(block.network.version)].append(block.network)
    used = pods.inside((network, key) for key, networks in held.items() for network in networks)
    for key, networks in held.items():
        node, pool, family = key
        usable, size = sum(map(_usable, networks)), covered(networks)
        count = None if used is None else min(used.get(key, 0), usable)
        rest = None if count is None else usable - count
        why = (nodes or {}).get(node) if rest else None
        yield Pool(
            provider=Cilium.name,
            name=pool or node,
            family=4 if family == "4" else 6,
            scope="node",
            node=node,
            source=_NODE,
            quality="derived",
            cidrs=tuple(map(str, networks)),
            capacity=size,
            assigned=size,
            used=count,
            reserved=size - usable,
            leaked=None if nodes is None else rest if why else 0,
            free=0 if why else rest,
            evidence=evidence((network, why) for network in networks if why),
        )


def _usable(network: Network) -> int:
    """Cilium keeps the first and the last address of a block for nobody."""
    size = network.num_addresses
    return size - _KEPT if size > _KEPT else size


def _cloud_addresses(view: IpamView, mode: str, fault: Fault) -> list[Allocation]:
    """The addresses that nodes were given of the cloud's network, and those that pods have where nodes are not read."""
    given = {
        address
        for node in view.objects(NODES)
        for address in checked_addresses(node.spec.ipam.addresses, node.metadata.name, fault)
    }
    source = _NODE
    if not view.has_objects(NODES):
        given, source = set(_addresses(text for pod in view.pods() for text in pod.addresses)), "pods"
    return [_allocation(block, source, mode, quality="seen", reach="routed") for block in exact_cover(given)]


def _reach(config: Mapping[str, str], family: int) -> Reach:
    """Behind a tunnel nobody reaches pods whose routes are not told; what keeps its address outside, others reach."""
    if not config or config.get("enable-bgp-control-plane") == "true":
        return ""
    is_tunnelled = config.get("routing-mode", "native" if config.get("tunnel") == "disabled" else "tunnel") == "tunnel"
    is_masqueraded = config.get(f"enable-ipv{family}-masquerade", "true") != "false"
    if is_tunnelled and is_masqueraded:
        return "masqueraded"
    return "" if is_tunnelled or is_masqueraded else "routed"


def _allocation(
    network: Network, source: str, name: str, *, node: str = "", quality: Quality = "exact", reach: Reach = ""
) -> Allocation:
    return Allocation(
        kind="pod",
        cidr=str(network),
        provider=Cilium.name,
        source=source,
        name=name,
        node=node,
        quality=quality,
        reach=reach,
    )
